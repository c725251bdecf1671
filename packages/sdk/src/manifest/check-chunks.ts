import { DIGEST_BYTES } from "../hash/digest.ts";
import * as LIMITS from "../limit-values.ts";
import type { SegmentChunk } from "./segment-codec.ts";

/**
 * The invariants of a chunk list: not empty, ids of 32 bytes, sizes from 1 to CHUNK_MAX_BYTES, together exactly `sizeBytes`.
 * @returns the first problems found, as phrases; empty if there are none.
 */
export function checkChunks(chunks: readonly SegmentChunk[], sizeBytes: number): string[] {
  const problems: string[] = [];
  if (chunks.length === 0) problems.push("there are no chunks (empty content is inline)");
  let total = 0;
  for (const [index, chunk] of chunks.entries()) {
    if (problems.length >= 8) break;
    if (!(chunk.chunkId instanceof Uint8Array) || chunk.chunkId.byteLength !== DIGEST_BYTES) {
      problems.push(`chunk ${index} has no 32-byte id`);
    }
    if (!Number.isSafeInteger(chunk.sizeBytes) || chunk.sizeBytes < 1 || chunk.sizeBytes > LIMITS.CHUNK_MAX_BYTES) {
      problems.push(`chunk ${index} has an impossible size (${chunk.sizeBytes})`);
    }
    total += chunk.sizeBytes;
  }
  if (problems.length === 0 && total !== sizeBytes)
    problems.push(`the chunks have ${total} bytes together, not ${sizeBytes}`);
  return problems;
}
