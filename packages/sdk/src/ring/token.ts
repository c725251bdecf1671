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

/**
 * Partition of a chunk: the first bits of its id.
 *
 * @param partitionCount a power of two, at most 2^24. Default that of placement format 1: 12 bits, so 0 to 4095.
 */
export function partitionOf(chunkId: Digest, partitionCount: number = PARTITION_COUNT): number {
  const first24Bits = ((chunkId[0] ?? 0) << 16) | ((chunkId[1] ?? 0) << 8) | (chunkId[2] ?? 0);
  return Math.floor(first24Bits / (2 ** 24 / partitionCount));
}

function tokenOf(digest: Digest): bigint {
  return new DataView(digest.buffer, digest.byteOffset, 8).getBigUint64(0, false);
}
