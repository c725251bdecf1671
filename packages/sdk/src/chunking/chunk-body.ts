import { AshlarError } from "../errors/index.ts";
import type { ChunkCutter } from "./chunker.ts";

// A body of many small slices must not grow its buffer slice by slice: the second buffer has at least this size, each further one twice the last.
const GROWN_BUFFER_MIN_BYTES = 64 * 1024;

const NO_BYTES: Uint8Array<ArrayBuffer> = new Uint8Array(0);

/** Full-size buffers that {@link chunkBody} uses again: new ones cost page faults and garbage collections. */
export interface ChunkBuffers {
  /** A buffer of just `sizeBytes` that nobody reads any more, if there is one; its old bytes are still in it. */
  take(sizeBytes: number): Uint8Array<ArrayBuffer> | undefined;
}

/**
 * Turns a body that arrives in slices of any size into chunks.
 *
 * Slices are copied and released at once: small slices of a stream are often views of a shared pool, and keeping one keeps the whole pool alive.
 *
 * @param body pulled one slice at a time; its `return()` is called when the consumer stops early or an error ends the work.
 * @param buffers where the consumer leaves chunks that it no longer needs; default: every chunk is allocated.
 * @returns chunks of 1 to `cutter.maxBytes` bytes, each alone in an ArrayBuffer of just its size, which then belongs to the consumer;
 *   none for an empty body. Where it is cut depends on the bytes only, not on the slices.
 * @throws {AshlarError} INVALID_ARGUMENT for a slice that is no Uint8Array, INTERNAL for a cutter that breaks its contract; what the body throws
 *   passes through.
 *
 * Memory: one buffer of `cutter.maxBytes` in progress, plus the chunk that the consumer holds and the slice that the body gave.
 */
export async function* chunkBody(
  body: AsyncIterable<Uint8Array>,
  cutter: ChunkCutter,
  buffers?: ChunkBuffers,
): AsyncGenerator<Uint8Array<ArrayBuffer>, void, undefined> {
  // The first buffer is just as large as the first slice: many bodies are one slice, and cost their own size, not that of a chunk.
  let buffer = NO_BYTES;
  let filled = 0;
  let cuts = 0;
  for await (const slice of body) {
    checkSlice(slice);
    let taken = 0;
    while (taken < slice.byteLength) {
      const copied = Math.min(slice.byteLength - taken, cutter.maxBytes - filled);
      if (filled + copied > buffer.byteLength)
        buffer = grown(buffer, { filled, neededBytes: filled + copied, maxBytes: cutter.maxBytes, cuts }, buffers);
      buffer.set(taken === 0 && copied === slice.byteLength ? slice : slice.subarray(taken, taken + copied), filled);
      filled += copied;
      taken += copied;
      // The cutter is asked only when the buffer is full: so the cuts do not depend on the slices, and no slice costs a call.
      if (filled < cutter.maxBytes) continue;
      const length = cutLength(cutter, buffer.subarray(0, filled), false);
      const [chunk, rest] = split(buffer, filled, length);
      buffer = rest;
      filled -= length;
      cuts++;
      yield chunk;
    }
  }
  while (filled > 0) {
    const length = cutLength(cutter, buffer.subarray(0, filled), true);
    const [chunk, rest] = split(buffer, filled, length);
    buffer = rest;
    filled -= length;
    yield chunk;
  }
}

/** The chunk, without a copy if it fills the buffer, and a buffer that begins with the remaining bytes: an empty one if the chunk filled it. */
function split(
  buffer: Uint8Array<ArrayBuffer>,
  filled: number,
  length: number,
): [chunk: Uint8Array<ArrayBuffer>, rest: Uint8Array<ArrayBuffer>] {
  if (length === buffer.byteLength) return [buffer, NO_BYTES];
  const chunk = buffer.slice(0, length);
  buffer.copyWithin(0, length, filled);
  return [chunk, buffer];
}

function grown(
  buffer: Uint8Array,
  size: { filled: number; neededBytes: number; maxBytes: number; cuts: number },
  buffers: ChunkBuffers | undefined,
): Uint8Array<ArrayBuffer> {
  const largerBytes = Math.min(size.maxBytes, Math.max(size.neededBytes, roomFor(buffer, size)));
  const used = largerBytes === size.maxBytes ? buffers?.take(largerBytes) : undefined;
  const larger = used ?? new Uint8Array(largerBytes);
  larger.set(buffer.subarray(0, size.filled));
  return larger;
}

/** An empty buffer comes first, or follows a full chunk: then the body is long, and its next chunk is likely full too. */
function roomFor(buffer: Uint8Array, { maxBytes, cuts }: { maxBytes: number; cuts: number }): number {
  if (buffer.byteLength === 0) return cuts === 0 ? 0 : maxBytes;
  return Math.max(GROWN_BUFFER_MIN_BYTES, buffer.byteLength * 2);
}

function cutLength(cutter: ChunkCutter, buffered: Uint8Array, ended: boolean): number {
  const length = cutter.cut(buffered, ended);
  if (length !== undefined && Number.isSafeInteger(length) && length >= 1 && length <= buffered.byteLength)
    return length;
  throw new AshlarError("INTERNAL", `the chunker cut ${String(length)} of ${buffered.byteLength} bytes`);
}

function checkSlice(slice: unknown): void {
  if (slice instanceof Uint8Array) return;
  throw new AshlarError("INVALID_ARGUMENT", "a body gives Uint8Array slices", {
    details: { given: slice === null ? "null" : typeof slice },
  });
}
