export {
  bytesEqual,
  DIGEST_BYTES,
  type Digest,
  decodeDigestHex,
  digestFromBytes,
  encodeHex,
  isDigestHex,
} from "./digest.ts";
export type { Hasher, IncrementalHash } from "./hasher.ts";
export { sha256Sync } from "./sha256-sync.ts";
export { webCryptoHasher } from "./web-crypto-hasher.ts";
