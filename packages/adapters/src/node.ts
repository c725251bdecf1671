import {
  type DirectSeatOptions,
  direct as directOverFetch,
  gateway as gatewayOverFetch,
  type RemoteSeatOptions,
  type Seat,
} from "@ashlar/sdk";
import { nodeCryptoHasher } from "./hash/node-crypto.ts";
import { undiciTransport } from "./transport/undici.ts";

/** What is faster in Node than the SDK's own defaults, which must run in browsers too. */
function withNodeDefaults<Options extends RemoteSeatOptions>(options: Options): Options {
  return {
    ...options,
    transport: options.transport ?? undiciTransport(),
    hasher: options.hasher ?? nodeCryptoHasher,
  };
}

/** The gateway seat of `@ashlar/sdk` for Node: plain HTTP over undici and hashing with OpenSSL. */
export function gateway(options: RemoteSeatOptions): Seat {
  return gatewayOverFetch(withNodeDefaults(options));
}

/** The direct seat of `@ashlar/sdk` for Node: plain HTTP over undici and hashing with OpenSSL. */
export function direct(options: DirectSeatOptions): Seat {
  return directOverFetch(withNodeDefaults(options));
}
