import { sha256 } from "@noble/hashes/sha2.js";
import { type Digest, digestFromBytes } from "./digest.ts";
import type { Hasher, IncrementalHash } from "./hasher.ts";

/**
 * SHA-256 of bounded bytes through Web Crypto: present in Node and browsers, runs off the calling thread.
 *
 * Incremental hashing, which Web Crypto lacks, is done in JavaScript (~0.2 GB/s); Node apps inject `nodeCryptoHasher` from
 * `@ashlar/adapters/hash/node-crypto` (~1.5 GB/s) instead.
 */
export const webCryptoHasher: Hasher = Object.freeze({
  async digest(bytes: Uint8Array): Promise<Digest> {
    return digestFromBytes(new Uint8Array(await crypto.subtle.digest("SHA-256", bytes as Uint8Array<ArrayBuffer>)));
  },
  incremental(): IncrementalHash {
    const hash = sha256.create();
    return { update: (bytes) => void hash.update(bytes), digest: () => digestFromBytes(hash.digest()) };
  },
});

/** SHA-256, synchronously and in JavaScript: for short inputs (ring tokens, etags), never for bulk bytes. */
export function sha256Sync(bytes: Uint8Array): Digest {
  return digestFromBytes(sha256(bytes));
}
