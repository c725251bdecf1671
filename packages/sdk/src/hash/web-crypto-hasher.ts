import { loadPart } from "../internal/load-part.ts";
import { type Digest, digestFromBytes } from "./digest.ts";
import type { Hasher, IncrementalHash } from "./hasher.ts";

/**
 * SHA-256 of bounded bytes through Web Crypto: present in Node and browsers, runs off the calling thread.
 *
 * Incremental hashing, which Web Crypto lacks, is done in JavaScript (~0.2 GB/s) by code that is loaded when it is first asked for; Node
 * apps inject `nodeCryptoHasher` from `@ashlar/adapters/hash/node-crypto` (~1.5 GB/s) instead.
 */
export const webCryptoHasher: Hasher = /* @__PURE__ */ Object.freeze({
  async digest(bytes: Uint8Array): Promise<Digest> {
    return digestFromBytes(new Uint8Array(await crypto.subtle.digest("SHA-256", bytes as Uint8Array<ArrayBuffer>)));
  },
  async incremental(): Promise<IncrementalHash> {
    return (await loadPart(() => import("./sha256-sync.ts"))).sha256Incremental();
  },
});
