import { AshlarError } from "@ashlar/sdk/errors";
import { type Digest, encodeHex } from "@ashlar/sdk/hash";
import type { ChunkStore } from "@ashlar/sdk/ports";

/** What is wanted of a chunk of a known size. */
export interface ChunkRange {
  readonly offset: number;
  /** Within the chunk. */
  readonly length: number;
}

/** A chunk opened for reading: its first bytes are here, so most failures have happened by now. */
export interface OpenedChunk extends ChunkRange {
  readonly sizeBytes: number;
  /** The wanted bytes in order; to be read once. The next slice is read while the last one travels. */
  readonly slices: AsyncIterable<Uint8Array>;
  /** All wanted bytes, where they came in one piece. */
  readonly whole: Uint8Array | undefined;
}

/** Options of {@link openChunk}. */
export interface OpenChunkOptions {
  /** Picks the range once the size is known; may throw. Absent: the whole chunk. */
  readonly range?: ((sizeBytes: number) => ChunkRange) | undefined;
  /** Read from the store at a time. */
  readonly sliceBytes: number;
  readonly signal?: AbortSignal | undefined;
}

/** Length of a chunk. @throws {AshlarError} CHUNK_NOT_FOUND. */
export async function chunkSize(store: ChunkStore, chunkId: Digest, signal?: AbortSignal): Promise<number> {
  const [presence] = await store.hasChunks([chunkId], { claim: false, signal });
  if (presence === undefined) throw chunkNotFound(chunkId);
  return presence.sizeBytes;
}

/**
 * Opens a chunk or a range of it. Memory: two slices.
 *
 * @throws {AshlarError} CHUNK_NOT_FOUND, what `range` throws, and what the store throws; also from the slices, after the first.
 */
export async function openChunk(store: ChunkStore, chunkId: Digest, options: OpenChunkOptions): Promise<OpenedChunk> {
  const { range, sliceBytes, signal } = options;
  if (sliceBytes === Number.POSITIVE_INFINITY) {
    const bytes = found(chunkId, await store.getChunk(chunkId, { signal }));
    const sizeBytes = bytes.byteLength;
    const { offset, length } = range?.(sizeBytes) ?? { offset: 0, length: sizeBytes };
    const whole = bytes.subarray(offset, offset + length);
    return { offset, length, sizeBytes, slices: once(whole), whole };
  }
  const sizeBytes = await chunkSize(store, chunkId, signal);
  const { offset, length } = range?.(sizeBytes) ?? { offset: 0, length: sizeBytes };
  const end = offset + length;
  const read = async (position: number): Promise<Uint8Array> => {
    const wanted = Math.min(sliceBytes, end - position);
    const slice = found(chunkId, await store.getChunk(chunkId, { offset: position, length: wanted, signal }));
    if (slice.byteLength !== wanted) throw new AshlarError("CHUNK_CORRUPT", "the chunk is shorter than it was");
    return slice;
  };
  if (length === 0) return { offset, length, sizeBytes, slices: once(new Uint8Array(0)), whole: new Uint8Array(0) };
  const first = await read(offset);
  const whole = first.byteLength === length ? first : undefined;
  return {
    offset,
    length,
    sizeBytes,
    whole,
    slices: whole === undefined ? readOn(first, offset, end, read) : once(first),
  };
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array, void, undefined> {
  yield bytes;
}

async function* readOn(
  first: Uint8Array,
  offset: number,
  end: number,
  read: (position: number) => Promise<Uint8Array>,
): AsyncGenerator<Uint8Array, void, undefined> {
  let slice = first;
  let position = offset + first.byteLength;
  while (position < end) {
    const next = read(position);
    // Reported when it is awaited; until then nobody else may take it for unhandled.
    next.catch(() => {});
    yield slice;
    slice = await next;
    position += slice.byteLength;
  }
  yield slice;
}

function found(chunkId: Digest, bytes: Uint8Array | undefined): Uint8Array {
  if (bytes === undefined) throw chunkNotFound(chunkId);
  return bytes;
}

function chunkNotFound(chunkId: Digest): AshlarError {
  const details = { chunkId: encodeHex(chunkId) };
  return new AshlarError("CHUNK_NOT_FOUND", "the chunk is not here", { details });
}
