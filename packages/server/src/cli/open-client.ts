import { nodeCryptoHasher } from "@ashlar/adapters/hash/node-crypto";
import { createClient, direct, gateway, type ObjectClient, type RetryPolicy, type Seat } from "@ashlar/sdk";
import { AshlarError } from "@ashlar/sdk/errors";
import { openTransport } from "./open-transport.ts";
import { noticedRetry } from "./retry-notice.ts";
import { assertStoreThere } from "./servers/open-metadata.ts";
import type { Settings } from "./settings.ts";

/** Settings that pick a seat. */
export const SEAT_SETTINGS = ["path", "gateway", "direct", "apiKey", "transport", "retryForMs"] as const;

/** Resolved settings that pick a seat. */
export type SeatSettings = Pick<Settings<(typeof SEAT_SETTINGS)[number]>, (typeof SEAT_SETTINGS)[number]>;

/** Opens a client that makes a store where the folder of the embedded seat holds none; otherwise as {@link openClient}. */
export async function openOrMakeClient(settings: SeatSettings): Promise<ObjectClient> {
  return createClient(await seatOf(settings, noticedRetry(process.stderr, settings.retryForMs)));
}

/**
 * Opens a client for the seat that the settings name, over a store that is there.
 *
 * @param retry how patient it is; default: as the settings say, with a line on the terminal when it waits.
 * @param given what was set on purpose: flags win over variables by being named there alone.
 * @throws {AshlarError} INVALID_ARGUMENT if none or more than one is named; BUCKET_NOT_FOUND if the folder holds no store.
 */
export async function openClient(
  settings: SeatSettings,
  retry: RetryPolicy = noticedRetry(process.stderr, settings.retryForMs),
): Promise<ObjectClient> {
  const seat = await seatOf(settings, retry);
  if (settings.path !== undefined) assertStoreThere(settings.path);
  return createClient(seat);
}

async function seatOf(
  { path, gateway: gatewayUrl, direct: directUrl, apiKey, transport }: SeatSettings,
  retry: RetryPolicy,
): Promise<Seat> {
  const named = [path, gatewayUrl, directUrl].filter((setting) => setting !== undefined);
  if (named.length !== 1) {
    throw new AshlarError(
      "INVALID_ARGUMENT",
      `${named.length === 0 ? "which store?" : "one store at a time:"} name it with --path <folder>, --gateway <url> or --direct <url>, or with ASHLAR_PATH, ASHLAR_GATEWAY or ASHLAR_DIRECT`,
    );
  }
  if (path !== undefined) {
    const { embedded } = await import("@ashlar/adapters/embedded");
    return embedded({ path, retry });
  }
  const url = gatewayUrl ?? directUrl ?? "";
  const options = { url, apiKey, transport: await openTransport(transport), hasher: nodeCryptoHasher, retry };
  return gatewayUrl === undefined ? direct(options) : gateway(options);
}
