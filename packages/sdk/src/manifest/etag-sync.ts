/** The rules of etag.ts for code that cannot await, such as a SQL transaction. In its own file, because it imports SHA-256 in JavaScript. */
import { AshlarError } from "../errors/index.ts";
import type { Digest } from "../hash/digest.ts";
import { sha256Sync } from "../hash/sha256-sync.ts";
import { countedEtag, joinedIds, singleEtag } from "./etag.ts";

/** As `chunkedEtagBy`. @throws {AshlarError} INVALID_ARGUMENT without chunks (empty content is inline). */
export function chunkedEtag(chunkIds: readonly Digest[]): string {
  return chunkIds.length === 1
    ? singleEtag(chunkIds[0] as Digest)
    : countedEtag(sha256Sync(joinedIds(chunkIds)), chunkIds);
}

/**
 * Etag of a completed upload: that of its only part, or the first half of the SHA-256 of the parts' etags joined as UTF-8, `-`, their count.
 * @throws {AshlarError} INVALID_PART without parts.
 */
export function uploadEtag(partEtags: readonly string[]): string {
  const [first] = partEtags;
  if (first === undefined) throw new AshlarError("INVALID_PART", "an upload is completed with at least one part");
  if (partEtags.length === 1) return first;
  return countedEtag(sha256Sync(new TextEncoder().encode(partEtags.join(""))), partEtags);
}
