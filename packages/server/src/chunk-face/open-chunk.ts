import { AshlarError } from "@ashlar/sdk/errors";
import { type Digest, encodeHex } from "@ashlar/sdk/hash";
import { MIB } from "@ashlar/sdk/limits";
import type { ChunkStore, GiveBack, ReadBudget } from "@ashlar/sdk/ports";

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
  /** To ask for the size of a chunk costs as much as its bytes. Default false. */
  readonly isStoreFar?: boolean | undefined;
  /** For the slices that are held; its owner takes back what is left when the answer is over. */
  readonly budget?: ReadBudget | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** A chunk of the default size in one read: every read of a file store opens, checks and closes the file, a quarter of a GET's work at 1 MiB. */
const SLICE_BYTES = 4 * MIB;

/** Length of a chunk. @throws {AshlarError} CHUNK_NOT_FOUND. */
export async function chunkSize(store: ChunkStore, chunkId: Digest, signal?: AbortSignal): Promise<number> {
  const [presence] = await store.hasChunks([chunkId], { claim: false, signal });
  if (presence === undefined) throw chunkNotFound(chunkId);
  return presence.sizeBytes;
}

/**
 * Opens a chunk or a range of it. Memory: two slices; of a store that is far away the chunk.
 *
 * @throws {AshlarError} CHUNK_NOT_FOUND, OVERLOADED without room in the budget, what `range` throws, and what the store throws; also from the slices,
 *   after the first.
 */
export async function openChunk(store: ChunkStore, chunkId: Digest, options: OpenChunkOptions): Promise<OpenedChunk> {
  const { range, isStoreFar = false, budget, signal } = options;
  const far = isStoreFar ? await readFar(store, chunkId, options) : undefined;
  const sizeBytes = far?.byteLength ?? (await chunkSize(store, chunkId, signal));
  const { offset, length } = range?.(sizeBytes) ?? { offset: 0, length: sizeBytes };
  const end = offset + length;
  const read = async (position: number): Promise<Uint8Array> => {
    const wanted = Math.min(SLICE_BYTES, end - position);
    const slice = found(chunkId, await store.getChunk(chunkId, { offset: position, length: wanted, signal }));
    if (slice.byteLength !== wanted) throw new AshlarError("CHUNK_CORRUPT", "the chunk is shorter than it was");
    return slice;
  };
  if (far !== undefined || length === 0) {
    const whole = far?.subarray(offset, end) ?? new Uint8Array(0);
    return { offset, length, sizeBytes, whole, slices: once(whole) };
  }
  const giveBack = await budget?.take(Math.min(length, SLICE_BYTES), { signal });
  const first = await read(offset);
  const whole = first.byteLength === length ? first : undefined;
  const slices = whole ? once(whole) : readOn({ first, offset, end, giveBack }, read, budget);
  return { offset, length, sizeBytes, whole, slices };
}

/** A whole chunk: nothing less tells its size for certain while some of the servers behind the store are away. */
async function readFar(store: ChunkStore, chunkId: Digest, { budget, signal }: OpenChunkOptions): Promise<Uint8Array> {
  const giveBack = await budget?.take(SLICE_BYTES, { signal });
  // One byte more than a slice tells whether there is more.
  const first = found(chunkId, await store.getChunk(chunkId, { offset: 0, length: SLICE_BYTES + 1, signal }));
  if (first.byteLength <= SLICE_BYTES) {
    giveBack?.(first.byteLength);
    return first;
  }
  giveBack?.();
  const giveBackAll = await budget?.take(store.capabilities.chunkMaxBytes, { signal });
  const bytes = found(chunkId, await store.getChunk(chunkId, { signal }));
  giveBackAll?.(bytes.byteLength);
  return bytes;
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array, void, undefined> {
  yield bytes;
}

/** @param begun.giveBack of the first slice. */
async function* readOn(
  begun: {
    readonly first: Uint8Array;
    readonly offset: number;
    readonly end: number;
    readonly giveBack: GiveBack | undefined;
  },
  read: (position: number) => Promise<Uint8Array>,
  budget: ReadBudget | undefined,
): AsyncGenerator<Uint8Array, void, undefined> {
  const { end } = begun;
  let { first: slice, giveBack } = begun;
  let position = begun.offset + slice.byteLength;
  while (position < end) {
    const more = budget?.tryTake(Math.min(end - position, SLICE_BYTES));
    const ahead = budget === undefined || more !== undefined ? read(position) : undefined;
    // Reported when it is awaited; until then nobody else may take it for unhandled.
    ahead?.catch(() => {});
    yield slice;
    if (more !== undefined) {
      giveBack?.();
      giveBack = more;
    }
    slice = await (ahead ?? read(position));
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
