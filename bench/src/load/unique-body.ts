import { randomFillSync } from "node:crypto";
import type { LoadBody } from "./object-store-client.ts";

const MIB = 1024 * 1024;

/** Bytes that do not compress, made once: filling a gibibyte each time costs as much as sending it. */
const RANDOM_BLOCK: Buffer = randomFillSync(Buffer.allocUnsafeSlow(MIB));

/** Raised for each body of the process, so that no two bodies share a chunk. */
let bodyCount = 0;

/**
 * A body of `sizeBytes` that no store can deduplicate or compress: random, and each MiB stamped with the body's number and its offset.
 * Slices of `sliceBytes` (default 1 MiB) are views of one buffer, valid until the next is asked for.
 */
export async function* uniqueSlices(sizeBytes: number, sliceBytes: number = MIB): AsyncGenerator<Uint8Array> {
  const block = Buffer.allocUnsafeSlow(Math.max(MIB, sliceBytes));
  for (let offset = 0; offset < block.byteLength; offset += MIB) RANDOM_BLOCK.copy(block, offset);
  const number = bodyCount++;
  let sent = 0;
  while (sent < sizeBytes) {
    const length = Math.min(sliceBytes, sizeBytes - sent);
    stamp(block, number, sent);
    yield block.subarray(0, length);
    sent += length;
  }
}

/** {@link uniqueSlices} as a body; each opening has bytes of its own. */
export function uniqueBody(sizeBytes: number): LoadBody {
  return { sizeBytes, open: () => uniqueSlices(sizeBytes) };
}

/** A small object in one piece, of at least 16 bytes, unlike every other. */
export function uniqueBytes(sizeBytes: number): Uint8Array {
  const bytes = Buffer.from(RANDOM_BLOCK.subarray(0, sizeBytes));
  stamp(bytes, bodyCount++, 0);
  return bytes;
}

function stamp(block: Buffer, number: number, offset: number): void {
  block.writeDoubleLE(number, 0);
  block.writeDoubleLE(offset, 8);
}
