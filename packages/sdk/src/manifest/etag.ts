/**
 * How etags are made. An etag is an opaque validator, never used for integrity; S3 tools expect 32 hex characters, with `-count` for
 * content that was put together from pieces. Changing a rule changes the etag of equal content, so don't.
 */
import { AshlarError } from "../errors/index.ts";
import { DIGEST_BYTES, type Digest, encodeHex, sha256Sync } from "../hash/index.ts";

const ETAG_HEX_BYTES = 16;
const encoder = new TextEncoder();

/** Etag of content that lies inline or in one chunk: the first half of its SHA-256 in hex. */
export function singleEtag(sha256: Digest): string {
  return encodeHex(sha256.subarray(0, ETAG_HEX_BYTES));
}

/**
 * Etag of content in chunks: that of the one chunk, or the first half of the SHA-256 of all chunk ids in order, `-`, their count.
 * @throws {AshlarError} INVALID_ARGUMENT without chunks (empty content is inline).
 */
export function chunkedEtag(chunkIds: readonly Digest[]): string {
  const [first] = chunkIds;
  if (first === undefined) throw new AshlarError("INVALID_ARGUMENT", "chunked content has at least one chunk");
  if (chunkIds.length === 1) return singleEtag(first);
  const joined = new Uint8Array(chunkIds.length * DIGEST_BYTES);
  chunkIds.forEach((chunkId, index) => {
    joined.set(chunkId, index * DIGEST_BYTES);
  });
  return `${singleEtag(sha256Sync(joined))}-${chunkIds.length}`;
}

/**
 * Etag of a completed upload: that of its only part, or the first half of the SHA-256 of the parts' etags joined as UTF-8, `-`, their count.
 * @throws {AshlarError} INVALID_PART without parts.
 */
export function uploadEtag(partEtags: readonly string[]): string {
  const [first] = partEtags;
  if (first === undefined) throw new AshlarError("INVALID_PART", "an upload is completed with at least one part");
  if (partEtags.length === 1) return first;
  return `${singleEtag(sha256Sync(encoder.encode(partEtags.join(""))))}-${partEtags.length}`;
}
