import { AshlarError } from "../errors/index.ts";
import type { ChunkCutter } from "./chunker.ts";

// A body of 100 bytes must not cost a whole chunk of memory, so the first buffer starts here and doubles.
const FIRST_BUFFER_BYTES = 64 * 1024;

/** Full-size buffers on their way back to {@link chunkBody}: fresh ones cost page faults and garbage collections. */
export interface ChunkBuffers {
  /** A buffer of just `sizeBytes` that nobody reads any more, if there is one; its old bytes are still in it. */
  take(sizeBytes: number): Uint8Array<ArrayBuffer> | undefined;
}

/**
 * Turns a body that arrives in slices of any size into chunks.
 *
 * Slices are copied and let go at once: small slices of a stream are often views of a shared pool, and keeping one keeps the whole pool alive.
 *
 * @param body pulled one slice at a time; its `return()` is called when the consumer stops early or an error ends the work.
 * @param buffers where the consumer leaves chunks that it is done with; default: every chunk is allocated.
 * @returns chunks of 1 to `cutter.maxBytes` bytes, each alone in an ArrayBuffer of just its size, which then belongs to the consumer;
 *   none for an empty body. Where it is cut depends on the bytes only, not on the slices.
 * @throws {AshlarError} INVALID_ARGUMENT for a slice that is no Uint8Array, INTERNAL for a cutter that breaks its contract; what the body throws
 *   passes through.
 *
 * Memory: one buffer of `cutter.maxBytes` in progress, beside the chunk that the consumer holds and the slice that the body gave.
 */
export async function* chunkBody(
  body: AsyncIterable<Uint8Array>,
  cutter: ChunkCutter,
  buffers?: ChunkBuffers,
): AsyncGenerator<Uint8Array<ArrayBuffer>, void, undefined> {
  let buffer = new Uint8Array(Math.min(FIRST_BUFFER_BYTES, cutter.maxBytes));
  let filled = 0;
  for await (const slice of body) {
    checkSlice(slice);
    let taken = 0;
    while (taken < slice.byteLength) {
      const copied = Math.min(slice.byteLength - taken, cutter.maxBytes - filled);
      if (filled + copied > buffer.byteLength)
        buffer = grown(buffer, { filled, neededBytes: filled + copied, maxBytes: cutter.maxBytes }, buffers);
      buffer.set(taken === 0 && copied === slice.byteLength ? slice : slice.subarray(taken, taken + copied), filled);
      filled += copied;
      taken += copied;
      // Asking only when full keeps the cuts independent of the slicing and spares a call per slice.
      if (filled < cutter.maxBytes) continue;
      const length = cutLength(cutter, buffer.subarray(0, filled), false);
      const [chunk, rest] = split(buffer, filled, length);
      buffer = rest;
      filled -= length;
      yield chunk;
    }
  }
  while (filled > 0) {
    const length = cutLength(cutter, buffer.subarray(0, filled), true);
    const chunk = buffer.slice(0, length);
    buffer.copyWithin(0, length, filled);
    filled -= length;
    yield chunk;
  }
}

/** The chunk, without a copy where it fills the buffer, and a buffer that begins with the remaining bytes: none yet where nothing remains. */
function split(
  buffer: Uint8Array<ArrayBuffer>,
  filled: number,
  length: number,
): [chunk: Uint8Array<ArrayBuffer>, rest: Uint8Array<ArrayBuffer>] {
  if (length === buffer.byteLength) return [buffer, new Uint8Array(0)];
  const chunk = buffer.slice(0, length);
  buffer.copyWithin(0, length, filled);
  return [chunk, buffer];
}

function grown(
  buffer: Uint8Array,
  size: { filled: number; neededBytes: number; maxBytes: number },
  buffers: ChunkBuffers | undefined,
): Uint8Array<ArrayBuffer> {
  // An empty buffer follows a full chunk: the body is long, so its next chunk is likely full too.
  const doubled = buffer.byteLength === 0 ? size.maxBytes : buffer.byteLength * 2;
  const largerBytes = Math.min(size.maxBytes, Math.max(size.neededBytes, doubled));
  const larger = buffers?.take(largerBytes) ?? new Uint8Array(largerBytes);
  larger.set(buffer.subarray(0, size.filled));
  return larger;
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
