import { sha256 } from "@noble/hashes/sha2.js";
import { type Digest, digestFromBytes } from "./digest.ts";
import type { IncrementalHash } from "./hasher.ts";

/** SHA-256, synchronously and in JavaScript: for short inputs (ring tokens, etags), never for bulk bytes. */
export function sha256Sync(bytes: Uint8Array): Digest {
  return digestFromBytes(sha256(bytes));
}

/** SHA-256 piece by piece, in JavaScript (~0.2 GB/s). */
export function sha256Incremental(): IncrementalHash {
  const hash = sha256.create();
  return { update: (bytes) => void hash.update(bytes), digest: () => digestFromBytes(hash.digest()) };
}
