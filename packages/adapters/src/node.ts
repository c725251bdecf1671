import {
  type DirectSeatOptions,
  direct as directOverFetch,
  gateway as gatewayOverFetch,
  type RemoteSeatOptions,
  type Seat,
} from "@ashlar/sdk";
import { AshlarError } from "@ashlar/sdk/errors";
import type { Transport } from "@ashlar/sdk/ports";
import { nodeCryptoHasher } from "./hash/node-crypto.ts";

/** Sets defaults that are faster in Node than the SDK's own, which must run in browsers too. */
function withNodeDefaults<Options extends RemoteSeatOptions>(
  given: Options,
  seatOver: (options: Options) => Seat,
): Seat {
  const options = { ...given, hasher: given?.hasher === undefined ? nodeCryptoHasher : given.hasher };
  // Checks the options, so that bad ones fail at once.
  const seat = seatOver(options);
  if (options.transport !== undefined) return seat;
  return {
    name: seat.name,
    url: seat.url,
    async open(instruments) {
      return await seatOver({ ...options, transport: await loadUndiciTransport() }).open(instruments);
    },
  };
}

/** Runs when a seat opens, because undici is an optional peer dependency: an import at the top would fail without our message. */
async function loadUndiciTransport(): Promise<Transport> {
  const { undiciTransport } = await import("./transport/undici.ts").catch((error: unknown): never => {
    const code = error instanceof Error && "code" in error ? error.code : undefined;
    if (code !== "ERR_MODULE_NOT_FOUND") throw error;
    throw new AshlarError(
      "UNSUPPORTED",
      "the seats of @ashlar/adapters/node need the package undici: npm install undici",
      { cause: error },
    );
  });
  return undiciTransport();
}

/**
 * The gateway seat of `@ashlar/sdk` for Node: plain HTTP over undici and hashing with OpenSSL.
 *
 * @throws {AshlarError} INVALID_ARGUMENT at once, as the SDK's seat does. The first call fails with UNSUPPORTED where `undici` is not installed.
 */
export function gateway(options: RemoteSeatOptions): Seat {
  return withNodeDefaults(options, gatewayOverFetch);
}

/**
 * The direct seat of `@ashlar/sdk` for Node: plain HTTP over undici and hashing with OpenSSL.
 *
 * @throws {AshlarError} INVALID_ARGUMENT at once, as the SDK's seat does. The first call fails with UNSUPPORTED where `undici` is not installed.
 */
export function direct(options: DirectSeatOptions): Seat {
  return withNodeDefaults(options, directOverFetch);
}
