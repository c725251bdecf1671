import { AshlarError } from "../errors/index.ts";
import { assert } from "../internal/assert.ts";
import { raceAbort } from "../internal/linked-abort.ts";
import { LIMITS } from "../limits.ts";
import type {
  GetObjectRequest,
  GiveBack,
  LocatedChunk,
  ManifestPage,
  ReadTransferOptions,
  StoredObject,
  TransferOptions,
} from "../ports/index.ts";
import type { ResolvedRange } from "./byte-range.ts";
import type { EngineContext } from "./engine-context.ts";
import type { ProgressTracker } from "./progress-tracker.ts";

/** How to read the bytes of an object. */
export interface ReadOptions extends ReadTransferOptions {
  readonly verify?: GetObjectRequest["verify"];
}

/** The transfer of one read. */
interface ReadTransfer extends ReadOptions {
  readonly progress: ProgressTracker;
}

/**
 * Yields the bytes of a range in order while the next chunks are under way.
 *
 * Memory: at most `concurrency` chunks in flight or waiting and the one that was yielded last; with a budget, as much of it as the budget has room
 * for, and one chunk until the reader comes back for the second. The owner of `options.signal` aborts it when the consumer stops; transfers in
 * flight then end.
 *
 * @param options.progress is finished by whoever made it.
 */
export async function* readChunks(
  context: EngineContext,
  stored: StoredObject,
  range: ResolvedRange,
  options: ReadTransfer,
): AsyncGenerator<Uint8Array> {
  const { concurrency = LIMITS.CONCURRENCY_DEFAULT.value, progress, budget, signal } = options;
  const wantsProgress = options.onProgress !== undefined;
  const located = locate(context, stored, range, options);
  /** Under way or waiting; the first one stays until its reader has taken it. */
  const queue: FetchedChunk[] = [];
  const fetch = (chunk: LocatedChunk, giveBack: GiveBack | undefined): void => {
    const meter = progress.meter();
    const bytes = fetchChunk(context, stored, chunk, range, {
      ...options,
      onBytes: wantsProgress ? meter : undefined,
    }).then((fetched) => {
      meter(fetched.byteLength);
      return fetched;
    });
    bytes.catch(() => {}); // reported when its turn comes
    queue.push({ bytes, giveBack });
  };
  let next = await raceAbort(located.next(), signal);
  let ahead = budget === undefined ? concurrency : 1;
  try {
    for (;;) {
      while (next.done !== true && queue.length < ahead) {
        const { sizeBytes } = next.value;
        const giveBack = queue.length === 0 ? await budget?.take(sizeBytes, { signal }) : budget?.tryTake(sizeBytes);
        if (budget !== undefined && giveBack === undefined) break;
        fetch(next.value, giveBack);
        next = await raceAbort(located.next(), signal);
      }
      const [head] = queue;
      if (head === undefined) return;
      yield await raceAbort(head.bytes, signal);
      queue.shift();
      head.giveBack?.();
      ahead = Math.min(ahead + 1, concurrency);
    }
  } finally {
    for (const { giveBack } of queue) giveBack?.();
  }
}

/** A chunk on its way to its reader, and what gives its bytes back to the budget. */
interface FetchedChunk {
  readonly bytes: Promise<Uint8Array>;
  readonly giveBack: GiveBack | undefined;
}

interface FetchOptions extends ReadOptions {
  readonly onBytes: ((transferredBytes: number) => void) | undefined;
}

async function fetchChunk(
  context: EngineContext,
  stored: StoredObject,
  chunk: LocatedChunk,
  range: ResolvedRange,
  options: FetchOptions,
): Promise<Uint8Array> {
  const from = Math.max(0, range.offset - chunk.offset);
  const to = Math.min(chunk.sizeBytes, range.offset + range.length - chunk.offset);
  const { verify = "blocks", signal, onBytes } = options;
  // Only a whole chunk has a digest to be checked against.
  const whole = verify === "chunks" || (from === 0 && to === chunk.sizeBytes);
  const get = async (grant: string | undefined): Promise<Uint8Array> => {
    const bytes = await context.chunks.get(chunk.chunkId, {
      sizeBytes: chunk.sizeBytes,
      ...(whole ? {} : { offset: from, length: to - from }),
      grant,
      signal,
      // Of a chunk that is fetched whole for a part of it, only the part counts.
      onProgress: onBytes && ((transferredBytes) => onBytes(Math.min(transferredBytes, to - from))),
    });
    return bytes.byteLength > to - from ? bytes.slice(from, to) : bytes;
  };
  try {
    return await get(chunk.grant);
  } catch (error) {
    // A read grant lives for minutes, a paused download for hours: ask for a fresh one, once.
    if (
      chunk.grant === undefined ||
      !(AshlarError.is(error, "UNAUTHENTICATED") || AshlarError.is(error, "PERMISSION_DENIED"))
    )
      throw error;
    const page = await pageAt(context, stored, chunk.offset, options);
    return await get(page.chunks[0]?.grant);
  }
}

/**
 * The chunks that overlap the range, page by page; they must follow on each other from its first byte to its last one, wherever the pages come from.
 *
 * @throws {AshlarError} METADATA_CORRUPT if they do not.
 */
async function* locate(
  context: EngineContext,
  stored: StoredObject,
  range: ResolvedRange,
  options: TransferOptions,
): AsyncGenerator<LocatedChunk> {
  const end = range.offset + range.length;
  let page = stored.page;
  if (
    page === undefined ||
    (page.chunks[0]?.offset ?? Number.POSITIVE_INFINITY) > range.offset ||
    !covers(page, range.offset)
  ) {
    page = await pageAt(context, stored, range.offset, options);
  }
  let position: number | undefined;
  for (;;) {
    for (const chunk of page.chunks) {
      const isNext = position === undefined ? chunk.offset <= range.offset : chunk.offset === position;
      position = chunk.offset + chunk.sizeBytes;
      if (!isNext || chunk.sizeBytes < 1 || position > stored.info.sizeBytes) throw gapAt(stored, chunk.offset);
      if (position > range.offset) yield chunk;
      if (position >= end) return;
    }
    // An empty page would be asked for again and again.
    if (position === undefined || page.chunks.length === 0 || page.nextOffset !== position) {
      throw gapAt(stored, position ?? range.offset);
    }
    page = await pageAt(context, stored, position, options);
  }
}

function gapAt({ info: { bucket, key } }: StoredObject, offset: number): AshlarError {
  return new AshlarError("METADATA_CORRUPT", `the manifest of ${bucket}/${key} has a gap at byte ${offset}`, {
    details: { bucket, key, offset: String(offset) },
  });
}

function covers(page: ManifestPage, offset: number): boolean {
  return page.nextOffset === undefined || offset < page.nextOffset;
}

function pageAt(
  context: EngineContext,
  stored: StoredObject,
  fromOffset: number,
  options: TransferOptions,
): Promise<ManifestPage> {
  const { manifestId } = stored;
  assert(manifestId !== undefined, "a chunked object has a manifest");
  return context.catalog.getManifestPage({ manifestId, fromOffset }, { signal: options.signal });
}
