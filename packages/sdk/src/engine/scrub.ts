/**
 * One pass over all chunks of a store on a disk: every byte is read and compared with what was written. A node, a gateway over one local store and
 * `ashlar scrub` run it.
 *
 * The walk goes in the order of the chunk ids, and every pass takes the same way. So the next chunk is always the one whose last check is longest ago,
 * without a time for each chunk; chunks that were written since are younger than the pass, and were checked when they were written. A place in that
 * order is all that has to be remembered, and a chunk that comes, goes or comes back meanwhile does not move it.
 */
import { throwIfAborted } from "../errors/index.ts";
import { type Digest, decodeDigestHex, encodeHex } from "../hash/digest.ts";
import type {
  CallOptions,
  Clock,
  ScrubbedChunk,
  ScrubbingChunkStore,
  ScrubProgress,
  StrayEntry,
} from "../ports/index.ts";

/** Something that is not as it was written. */
export interface ScrubFault {
  /** `stray`: an entry that is no chunk and does not belong where it lies, or a folder that cannot be read; it stays as it is. */
  readonly kind: "damaged" | "unreadable" | "stray";
  /** Absent for a stray entry. */
  readonly chunkId?: Digest | undefined;
  /** Of a stray entry, relative to the store's folder. */
  readonly path?: string | undefined;
  readonly problem: string;
}

/** What {@link scrub} takes. */
export interface ScrubOptions extends CallOptions {
  readonly store: ScrubbingChunkStore;
  readonly clock: Pick<Clock, "monotonicMs" | "nowMs" | "sleep">;
  /** Most bytes that are read in a second, at least 1; `Infinity`: as many as the disk gives, with as much rest as work. */
  readonly bytesPerSecond: number;
  /** Where an earlier call was; default: a new pass. */
  readonly from?: ScrubProgress | undefined;
  /** Chunks that are found damaged in one call, after which it returns; default: any number. */
  readonly damagedMax?: number | undefined;
  readonly onFault: (fault: ScrubFault) => void;
  /** Called after each chunk; the walk waits for it. What it gets may be given to the next call as `from`. */
  readonly onProgress?: ((progress: ScrubProgress) => Promise<void> | void) | undefined;
}

/** How a call of {@link scrub} ended. */
export interface ScrubReport {
  readonly progress: ScrubProgress;
  /** `disk`: several chunks in a row could not be read, and none was put aside; `damaged`: `damagedMax` were found. Both are no end of the pass. */
  readonly endedBy: "end" | "disk" | "damaged";
}

/** Chunks in a row that the disk does not give back, after which it counts as failing: a bad spot takes one or two files, a cable takes all. */
const UNREADABLE_MAX = 8;
/** What a file costs beside its bytes, as bytes: opening it moves the heads of a disk for as long as it takes to read so much. */
export const SCRUB_FILE_COST_BYTES: number = 64 * 1024;

/** State of one call. */
interface Pass extends ScrubOptions {
  readonly pace: (bytes: number) => Promise<void>;
  /** Unreadable ones since the last chunk that could be read. */
  readonly suspects: Digest[];
  readonly counts: { chunkCount: number; byteCount: number; damagedCount: number };
  /** Damaged ones in this call. */
  damagedNow: number;
  hasReadOne: boolean;
}

/**
 * Checks all chunks of a store, from where an earlier call was, one at a time.
 *
 * A damaged file is put aside, and the chunk is absent from then on. A file that the disk does not give back is put aside too, as soon as another one
 * could be read and it still could not: files of a disk that fails as a whole stay where they are.
 *
 * Reads leave room for others: at most `bytesPerSecond`, and after each read as long a rest as the read took, which is the longer the busier the disk is.
 *
 * Memory: one page of chunk ids, and the store's buffer.
 *
 * @throws {AshlarError} as the store does. What was checked stays checked.
 */
export async function scrub(options: ScrubOptions): Promise<ScrubReport> {
  const { clock, from, signal } = options;
  const { startedAtMs = clock.nowMs(), chunkCount = 0, byteCount = 0, damagedCount = 0 } = from ?? {};
  const pass: Pass = {
    ...options,
    pace: createPace(options),
    suspects: [],
    counts: { chunkCount, byteCount, damagedCount },
    damagedNow: 0,
    hasReadOne: false,
  };
  let safe: ScrubProgress = {
    startedAtMs,
    ...pass.counts,
    pageCursor: from?.pageCursor,
    lastChunkId: from?.lastChunkId,
  };
  let pageCursor = from?.pageCursor;
  let isFirst = true;
  do {
    const { chunkIds, nextCursor } = await readPage(pass, pageCursor, isFirst && from?.lastChunkId !== undefined);
    isFirst = false;
    for (const id of chunkIds) {
      if (safe.lastChunkId !== undefined && id <= safe.lastChunkId) continue;
      throwIfAborted(signal);
      await checkOne(pass, decodeDigestHex(id));
      if (pass.suspects.length >= UNREADABLE_MAX) return { progress: safe, endedBy: "disk" };
      // Not beyond a suspect: whoever goes on from here must meet it again.
      if (pass.suspects.length > 0) continue;
      safe = { startedAtMs, ...pass.counts, pageCursor, lastChunkId: id };
      await options.onProgress?.(safe);
      if (pass.damagedNow >= (options.damagedMax ?? Number.POSITIVE_INFINITY))
        return { progress: safe, endedBy: "damaged" };
    }
    pageCursor = nextCursor;
  } while (pageCursor !== undefined);
  await settleSuspects(pass, pass.hasReadOne);
  return { progress: { ...safe, ...pass.counts }, endedBy: "end" };
}

/** The ids of one page in hex, with those whose entries a listing passes over. */
async function readPage(
  { store, onFault, signal }: Pass,
  cursor: string | undefined,
  isRepeated: boolean,
): Promise<{ readonly chunkIds: readonly string[]; readonly nextCursor: string | undefined }> {
  const hidden: string[] = [];
  const onStray = ({ chunkId, path, problem }: StrayEntry): void => {
    if (chunkId !== undefined) hidden.push(encodeHex(chunkId));
    else if (!isRepeated) onFault({ kind: "stray", path, problem });
  };
  const { chunks, nextCursor } = await store.listChunks({ cursor, signal, onStray });
  const listed = chunks.map(({ chunkId }) => encodeHex(chunkId));
  return { chunkIds: hidden.length === 0 ? listed : [...new Set([...listed, ...hidden])].sort(), nextCursor };
}

async function checkOne(pass: Pass, chunkId: Digest): Promise<void> {
  const { store, pace, signal, suspects } = pass;
  await pace(SCRUB_FILE_COST_BYTES);
  const found = await store.scrubChunk(chunkId, { pace, signal });
  if (found.state === "unreadable") {
    suspects.push(chunkId);
    return;
  }
  if (found.state === "sound") pass.hasReadOne = true;
  // A chunk that is gone says nothing about the disk.
  if (found.state !== "absent") await settleSuspects(pass, true);
  count(pass, chunkId, found);
}

/** @param isDiskFine another chunk could be read, so it is the files. */
async function settleSuspects(pass: Pass, isDiskFine: boolean): Promise<void> {
  const { store, pace, signal } = pass;
  for (const chunkId of pass.suspects.splice(0)) {
    count(pass, chunkId, await store.scrubChunk(chunkId, { pace, signal, putAsideUnreadable: isDiskFine }));
  }
}

function count(pass: Pass, chunkId: Digest, { state, sizeBytes, problem = "" }: ScrubbedChunk): void {
  if (state === "absent") return;
  pass.counts.chunkCount++;
  pass.counts.byteCount += sizeBytes;
  if (state === "sound") return;
  pass.counts.damagedCount++;
  pass.damagedNow++;
  pass.onFault({ kind: state, chunkId, problem });
}

/** Lets reads go one after another, at most so fast, and with as long a rest as the read before took. */
function createPace({ clock, bytesPerSecond, signal }: ScrubOptions): (bytes: number) => Promise<void> {
  let freeAtMs = clock.monotonicMs();
  let releasedAtMs = freeAtMs;
  return async (bytes) => {
    const nowMs = clock.monotonicMs();
    const startMs = Math.max(nowMs + (nowMs - releasedAtMs), freeAtMs);
    freeAtMs = startMs + (bytes / bytesPerSecond) * 1000;
    if (startMs > nowMs) await clock.sleep(startMs - nowMs, { signal });
    releasedAtMs = clock.monotonicMs();
  };
}
