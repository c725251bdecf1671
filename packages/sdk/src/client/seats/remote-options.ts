import type { Chunker } from "../../chunking/chunker.ts";
import type { RetryPolicy } from "../../engine/retry.ts";
import { AshlarError } from "../../errors/index.ts";
import { checkedUrl } from "../../internal/checked-url.ts";
import { loadPart } from "../../internal/load-part.ts";
import type { Clock, Durability, Hasher, Logger, Random, Transport } from "../../ports/index.ts";
import { checkOptions } from "../../ports/options.ts";
import type { SeatInstruments } from "../seat.ts";

/**
 * What lets a client in: an API key, an access token, or a function that gives one.
 *
 * The function is called at the first call of the client, and its answer is kept. When a gateway refuses that answer, the function is called again:
 * at most once for each call, and once for all calls that run. So a page asks its app for an access token, and goes on when the token has expired.
 * What it throws ends the calls that wait for it as UNAUTHENTICATED; if it could not reach the app, they are tried again as long as for the gateway.
 */
export type ApiKeySource = string | (() => string | Promise<string>);

/** Options of the seats that talk to a gateway. */
export interface RemoteSeatOptions {
  /** Base URL of a gateway, `http://host:port` or `https://…`. */
  readonly url: string;
  /** `ashlar_<id>_<secret>`, an access token, or a function that gives either; none for a gateway that runs insecure. */
  readonly apiKey?: ApiKeySource | undefined;
  /** How servers are reached; default `httpTransport()`. Closed with the client. */
  readonly transport?: Transport | undefined;
  readonly chunker?: Chunker | undefined;
  readonly durability?: Durability | undefined;
  /** A read slower than this also asks the next replica; default HEDGE_AFTER_MS. */
  readonly hedgeAfterMs?: number | undefined;
  /** How long calls are tried again while servers are away, restart or are busy; default RETRY_FOR_MS. */
  readonly retry?: RetryPolicy | undefined;
  /** SHA-256; default Web Crypto. */
  readonly hasher?: Hasher | undefined;
  readonly clock?: Clock | undefined;
  readonly random?: Random | undefined;
  /** Default: no lines. */
  readonly logger?: Logger | undefined;
}

/** Characters that a header does not carry, or not unchanged. */
const NOT_IN_KEYS = /[^\x21-\x7e]/;

/** @throws {AshlarError} INVALID_ARGUMENT for a key that no header can carry. */
export function assertApiKey(apiKey: unknown): asserts apiKey is string {
  if (typeof apiKey === "string" && apiKey !== "" && !NOT_IN_KEYS.test(apiKey)) return;
  // The key is a secret: no message shows it.
  throw new AshlarError("INVALID_ARGUMENT", "an API key is printable ASCII without blanks or line ends");
}

/** The options as they are now, with the URL in its one form. Defaults are filled in when the seat opens, so that a page loads them only then. */
export function checkedRemoteOptions<Options extends RemoteSeatOptions>(options: Options): Options {
  checkOptions<RemoteSeatOptions>(options, { url: "", apiKey: "" });
  const { apiKey } = options;
  if (apiKey !== undefined && typeof apiKey !== "function") assertApiKey(apiKey);
  const { url, retry } = options;
  return { ...options, url: checkedUrl(url), retry: retry && { ...retry } };
}

/** The caller's transport, or `httpTransport()`. @throws {AshlarError} NODE_UNAVAILABLE if its code cannot be loaded. */
export async function openTransport(
  { transport }: RemoteSeatOptions,
  instruments: SeatInstruments | undefined,
): Promise<Transport> {
  const opened = transport ?? (await loadPart(() => import("../../transport/http.ts"))).httpTransport();
  return instruments?.wrapTransport(opened) ?? opened;
}
