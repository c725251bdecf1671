import type { Chunker } from "../../chunking/chunker.ts";
import { AshlarError } from "../../errors/index.ts";
import { webCryptoHasher } from "../../hash/web-crypto-hasher.ts";
import { loadPart } from "../../internal/load-part.ts";
import type { Clock, Durability, Endpoint, Hasher, Logger, Random, Transport } from "../../ports/index.ts";
import { silentLogger, systemClock, systemRandom } from "../../ports/system.ts";
import { checkedUrl } from "../../transport/checked-url.ts";
import type { SeatInstruments } from "../seat.ts";

/** Options of the seats that talk to a gateway. */
export interface RemoteSeatOptions {
  /** Base URL of a gateway, `http://host:port` or `https://…`. */
  readonly url: string;
  /** `ashlar_<id>_<secret>`; none for a gateway that runs insecure. */
  readonly apiKey?: string | undefined;
  /** How servers are reached; default `httpTransport()`. Closed with the client. */
  readonly transport?: Transport | undefined;
  readonly chunker?: Chunker | undefined;
  readonly durability?: Durability | undefined;
  /** A read slower than this also asks the next replica; default HEDGE_AFTER_MS. */
  readonly hedgeAfterMs?: number | undefined;
  /** SHA-256; default Web Crypto. */
  readonly hasher?: Hasher | undefined;
  readonly clock?: Clock | undefined;
  readonly random?: Random | undefined;
  /** Default: no lines. */
  readonly logger?: Logger | undefined;
}

/** The options with their defaults; the transport is opened apart, because the default one is loaded only where it is used. */
export interface ResolvedRemoteOptions {
  readonly endpoint: Endpoint;
  readonly hasher: Hasher;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly chunker: Chunker | undefined;
  readonly durability: Durability | undefined;
  readonly hedgeAfterMs: number | undefined;
}

/** What no header carries, or not as it was given. */
const NOT_IN_KEYS = /[^\x21-\x7e]/;

/** @throws {AshlarError} INVALID_ARGUMENT for a URL that is none, or an API key that no header can carry. */
export function resolveRemoteOptions(options: RemoteSeatOptions): ResolvedRemoteOptions {
  const { apiKey, chunker, durability, hedgeAfterMs } = options;
  // The key is a secret: no message shows it.
  if (apiKey !== undefined && (typeof apiKey !== "string" || NOT_IN_KEYS.test(apiKey))) {
    throw new AshlarError("INVALID_ARGUMENT", "an API key is printable ASCII without blanks or line ends");
  }
  return Object.freeze({
    endpoint: {
      url: checkedUrl(options.url),
      ...(apiKey === undefined ? {} : { authorization: () => `Bearer ${apiKey}` }),
    },
    hasher: options.hasher ?? webCryptoHasher,
    clock: options.clock ?? systemClock,
    random: options.random ?? systemRandom,
    logger: options.logger ?? silentLogger,
    chunker,
    durability,
    hedgeAfterMs,
  });
}

/** The caller's transport, or `httpTransport()`. @throws {AshlarError} NODE_UNAVAILABLE if its code cannot be loaded. */
export async function openTransport(
  { transport }: RemoteSeatOptions,
  instruments: SeatInstruments | undefined,
): Promise<Transport> {
  const opened = transport ?? (await loadPart(() => import("../../transport/http.ts"))).httpTransport();
  return instruments?.wrapTransport(opened) ?? opened;
}
