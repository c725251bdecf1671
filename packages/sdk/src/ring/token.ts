import type { Digest } from "../hash/digest.ts";
import { sha256Sync } from "../hash/sha256-sync.ts";
import * as LIMITS from "../limit-values.ts";

/** Slices of the token space; a power of two, so that a slice is the first 12 bits of a token. Part of the placement format: never change. */
export const PARTITION_COUNT: number = LIMITS.PARTITION_COUNT;

const encoder = new TextEncoder();

/**
 * Token of one virtual node: the first 8 bytes, big-endian, of SHA-256(UTF-8 `${nodeId}#${index}`). Pinned by tests/vectors/ring.json.
 *
 * @param index 0-based, in decimal without padding.
 */
export function virtualNodeToken(nodeId: string, index: number): bigint {
  return tokenOf(sha256Sync(encoder.encode(`${nodeId}#${index}`)));
}

/** Token of a chunk: the first 8 bytes, big-endian, of its id. */
export function chunkToken(chunkId: Digest): bigint {
  return tokenOf(chunkId);
}

/** Partition of a chunk, 0 to 4095: the first 12 bits of its id. */
export function partitionOf(chunkId: Digest): number {
  return ((chunkId[0] ?? 0) << 4) | ((chunkId[1] ?? 0) >> 4);
}

function tokenOf(digest: Digest): bigint {
  return new DataView(digest.buffer, digest.byteOffset, 8).getBigUint64(0, false);
}
