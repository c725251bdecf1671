/**
 * How etags are made. An etag is an opaque validator, never used for integrity; S3 tools expect 32 hex characters, with `-count` for
 * content that was put together from pieces. Never change a rule: equal content would get another etag.
 */
import { AshlarError } from "../errors/index.ts";
import { DIGEST_BYTES, type Digest, encodeHex } from "../hash/digest.ts";
import type { Hasher } from "../hash/hasher.ts";

const ETAG_HEX_BYTES = 16;

/** Etag of content that lies inline or in one chunk: the first half of its SHA-256 in hex. */
export function singleEtag(sha256: Digest): string {
  return encodeHex(sha256.subarray(0, ETAG_HEX_BYTES));
}

/**
 * Etag of content in chunks: that of the one chunk, or the first half of the SHA-256 of all chunk ids in order, `-`, their count.
 * @throws {AshlarError} INVALID_ARGUMENT without chunks (empty content is inline).
 */
export async function chunkedEtagBy(hasher: Pick<Hasher, "digest">, chunkIds: readonly Digest[]): Promise<string> {
  if (chunkIds.length === 1) return singleEtag(chunkIds[0] as Digest);
  return countedEtag(await hasher.digest(joinedIds(chunkIds)), chunkIds);
}

/** Etag of anything put together from pieces. */
export function countedEtag(sha256: Digest, pieces: readonly unknown[]): string {
  return `${singleEtag(sha256)}-${pieces.length}`;
}

/** All chunk ids in order, one after the other. @throws {AshlarError} INVALID_ARGUMENT without chunks. */
export function joinedIds(chunkIds: readonly Digest[]): Uint8Array {
  if (chunkIds.length === 0) throw new AshlarError("INVALID_ARGUMENT", "chunked content has at least one chunk");
  const bytes = new Uint8Array(chunkIds.length * DIGEST_BYTES);
  chunkIds.forEach((chunkId, index) => {
    bytes.set(chunkId, index * DIGEST_BYTES);
  });
  return bytes;
}
