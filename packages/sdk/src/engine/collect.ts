import { AshlarError } from "../errors/index.ts";
import { type Digest, encodeHex } from "../hash/digest.ts";
import { LIMITS } from "../limits.ts";
import type {
  BucketCatalog,
  CallOptions,
  Clock,
  CollectingChunk,
  CollectionQueue,
  DatabaseIdentity,
  DeleteOutcome,
  Logger,
  MetadataExamination,
} from "../ports/index.ts";
import { systemClock } from "../ports/system.ts";
import { type MarkedDeletes, openMarkedDeletes } from "./marked-deletes.ts";
import { CANDIDATES_MAX, findNamedChunks } from "./named-chunks.ts";
import { type SweepReport, sweepOrphans } from "./sweep-orphans.ts";
import type { NamedStore, Topology } from "./topology.ts";

/** Work per step: bounds transactions and memory. */
const BATCH = 500;

/** What {@link collect} takes. */
export interface CollectOptions extends CallOptions {
  readonly metadata: CollectionQueue &
    MetadataExamination &
    Pick<BucketCatalog, "listBuckets"> &
    Pick<DatabaseIdentity, "databaseMark" | "advanceDatabase">;
  readonly topology: Topology;
  readonly logger: Logger;
  /** Default: the system's. */
  readonly clock?: Clock | undefined;
  /** Chunks claimed less than this long ago are kept, in ms; default CLAIM_TTL_MS. Must not be shorter than the longest upload. */
  readonly claimTtlMs?: number | undefined;
  /** How long released manifests and unreferenced rows wait, in ms; default COLLECT_GRACE_MS. */
  readonly graceMs?: number | undefined;
  /** Unfinished uploads older than this are aborted, in ms; default UPLOAD_TTL_MS. */
  readonly uploadTtlMs?: number | undefined;
}

/** What a collection did. */
export interface CollectReport {
  readonly manifestsDropped: number;
  readonly uploadsAborted: number;
  readonly chunksDeleted: number;
  /** Chunks that stay because they were claimed lately or a store did not answer. */
  readonly chunksKept: number;
  /** Files that no row knew. */
  readonly orphansDeleted: number;
  /** Files that no row knows and that were claimed lately: of uploads that run, and of those that failed or were interrupted. */
  readonly orphansKept: number;
  /** Stores that deleted nothing, because they serve another metadata database or a newer state of it: see `ashlar fsck`. */
  readonly storesRefusing: number;
  /** Contradictions in the metadata that were met, such as a chunk that an object names and no row counts. What they are about was left alone: see `ashlar fsck`. */
  readonly damagesFound: number;
}

type DeletingOptions = CollectOptions & { readonly deletes: MarkedDeletes };

/**
 * Frees what nothing names any more. May run in any number of processes at once, and crash anywhere: what is left is done by the next run.
 *
 * A chunk goes in four steps: its row is marked `collecting`, all manifests are looked through for it (a row that was damaged must not cost bytes),
 * each store is asked for the conditional delete, the row goes if it is still `collecting` and every store said deleted or absent. A commit in between sets the row live; the claims that it rests on made a store refuse,
 * or were made after the delete, and then the bytes are there again.
 */
export async function collect(options: CollectOptions): Promise<CollectReport> {
  const graceMs = options.graceMs ?? LIMITS.COLLECT_GRACE_MS.value;
  const claimTtlMs = options.claimTtlMs ?? LIMITS.CLAIM_TTL_MS.value;
  const olderThanMs = options.uploadTtlMs ?? LIMITS.UPLOAD_TTL_MS.value;
  const { metadata, signal, clock = systemClock } = options;
  const call = { signal };
  const deletes = await openMarkedDeletes({ ...options, clock });
  await deletes.begin(await options.topology.allStores(call));
  const uploadsAborted = await drain(() => metadata.abortStaleUploads({ olderThanMs, limit: BATCH }, call));
  const manifestsDropped = await drain(() => metadata.dropReleasedManifests({ graceMs, limit: BATCH }, call));
  let chunksDeleted = 0;
  let chunksKept = 0;
  let damagesFound = 0;
  for (;;) {
    const marked = await markMany(options, graceMs);
    const round = await collectMarked({ ...options, deletes }, marked, claimTtlMs);
    chunksDeleted += round.chunksDeleted;
    chunksKept += marked.length - round.chunksDeleted;
    damagesFound += round.damagesFound;
    // Nothing gone: what is left stays claimed, and would only be marked again.
    if (marked.length < BATCH || round.chunksDeleted === 0) break;
  }
  const swept = await sweepUnlessEmptied({ ...options, deletes }, claimTtlMs);
  const storesRefusing = deletes.refusingCount;
  const { orphansDeleted, orphansKept } = swept;
  damagesFound += swept.damagesFound;
  return {
    ...{ manifestsDropped, uploadsAborted, chunksDeleted, chunksKept },
    ...{ orphansDeleted, orphansKept, storesRefusing, damagesFound },
  };
}

/** Marks in small transactions up to what one walk over the manifests looks for, each row once. */
async function markMany(options: CollectOptions, graceMs: number): Promise<readonly CollectingChunk[]> {
  const { metadata, signal } = options;
  const marked = new Map<string, CollectingChunk>();
  while (marked.size <= CANDIDATES_MAX - BATCH) {
    const before = marked.size;
    const batch = await metadata.markCollecting({ graceMs, limit: BATCH }, { signal });
    for (const chunk of batch) marked.set(encodeHex(chunk.chunkId), chunk);
    // Without a grace the same rows come again.
    if (batch.length < BATCH || marked.size < before + batch.length) break;
  }
  return [...marked.values()];
}

/** Deletes what is marked and not named. */
async function collectMarked(
  options: DeletingOptions,
  marked: readonly CollectingChunk[],
  unclaimedForMs: number,
): Promise<{ readonly chunksDeleted: number; readonly damagesFound: number }> {
  const { metadata, logger, signal } = options;
  const ids = marked.map((chunk) => chunk.chunkId);
  const isDamaged = (count: number | undefined): boolean => count === 0;
  const { free, damagedCount: damagesFound } = await findNamedChunks(metadata, ids, { isDamaged, signal });
  if (damagesFound > 0) {
    logger.error(
      { code: "METADATA_CORRUPT", chunkCount: damagesFound },
      "objects name chunks that no row counts any more: the rows are damaged, and the chunks are left alone; see ashlar fsck",
    );
  }
  const freeIds = new Set(free.map(encodeHex));
  let chunksDeleted = 0;
  for (let start = 0; start < marked.length; start += BATCH) {
    const piece = marked.slice(start, start + BATCH);
    const unnamed = piece.filter((chunk) => freeIds.has(encodeHex(chunk.chunkId)));
    const removed = await deleteEverywhere(options, unnamed, unclaimedForMs);
    const outcomes = piece.map(({ chunkId }) => ({ chunkId, removed: removed.has(encodeHex(chunkId)) }));
    chunksDeleted += (await metadata.finishCollecting(outcomes, { signal })).length;
  }
  return { chunksDeleted, damagesFound };
}

/**
 * Sweeps orphans, unless the metadata has not one bucket: then it is a new, lost or emptied database, every chunk would look like an orphan, and
 * whoever brings the database back would find nothing.
 */
async function sweepUnlessEmptied(options: DeletingOptions, unclaimedForMs: number): Promise<SweepReport> {
  const { metadata, topology, logger, signal } = options;
  if ((await metadata.listBuckets({ signal })).length > 0) return sweepOrphans({ ...options, unclaimedForMs });
  for (const { serverId, store } of await topology.allStores({ signal })) {
    const chunkCount = await store.stats({ signal }).then(
      (stats) => stats.chunkCount,
      () => 0, // a store that is away is not swept either
    );
    if (chunkCount > 0) {
      logger.error(
        { serverId, chunkCount },
        "the metadata has no bucket, yet a store holds chunks: a lost or emptied database? Its chunks are left alone",
      );
    }
  }
  return { orphansDeleted: 0, orphansKept: 0, damagesFound: 0 };
}

async function drain(step: () => Promise<number>): Promise<number> {
  let total = 0;
  for (;;) {
    const done = await step();
    total += done;
    if (done < BATCH) return total;
  }
}

/** Asks every store that may hold a chunk. @returns the ids, in hex, of which each store said deleted or absent. */
async function deleteEverywhere(
  options: DeletingOptions,
  marked: readonly CollectingChunk[],
  unclaimedForMs: number,
): Promise<ReadonlySet<string>> {
  const removed = new Set(marked.map((chunk) => encodeHex(chunk.chunkId)));
  for (const [target, chunkIds] of await groupByStore(options.topology, marked)) {
    const outcomes = await tryDelete(options, target, chunkIds, unclaimedForMs);
    chunkIds.forEach((chunkId, index) => {
      const outcome = outcomes?.[index];
      if (outcome === undefined || outcome === "claimed") removed.delete(encodeHex(chunkId));
    });
  }
  return removed;
}

async function groupByStore(
  topology: Topology,
  marked: readonly CollectingChunk[],
): Promise<ReadonlyMap<NamedStore, Digest[]>> {
  const byServer = new Map<string, [NamedStore, Digest[]]>();
  for (const { chunkId } of marked) {
    for (const target of await topology.readCandidates(chunkId)) {
      const entry = byServer.get(target.serverId) ?? [target, []];
      entry[1].push(chunkId);
      byServer.set(target.serverId, entry);
    }
  }
  return new Map(byServer.values());
}

async function tryDelete(
  options: DeletingOptions,
  target: NamedStore,
  chunkIds: readonly Digest[],
  unclaimedForMs: number,
): Promise<readonly DeleteOutcome[] | undefined> {
  try {
    return await options.deletes.delete(target, chunkIds, unclaimedForMs);
  } catch (thrown) {
    const error = AshlarError.from(thrown);
    if (options.signal?.aborted) throw error;
    if (error.code === "METADATA_CORRUPT") return undefined; // told by the deletes
    options.logger.warn(
      { err: error, serverId: target.serverId },
      "a store did not answer the collector; its chunks stay for the next run",
    );
    return undefined;
  }
}
