import { AshlarError } from "../errors/index.ts";
import { type Digest, encodeHex } from "../hash/digest.ts";
import * as LIMITS from "../limit-values.ts";
import type {
  BucketCatalog,
  CallOptions,
  ChunkLocations,
  Clock,
  CollectingChunk,
  CollectionQueue,
  DatabaseIdentity,
  DeleteOutcome,
  ListedChunk,
  Logger,
  MetadataExamination,
} from "../ports/index.ts";
import { systemClock } from "../ports/system.ts";
import { levelOfAnswer } from "./level-of-answer.ts";
import { type MarkedDeletes, openMarkedDeletes } from "./marked-deletes.ts";
import { CANDIDATES_MAX, findNamedChunks } from "./named-chunks.ts";
import { findStaleCopies } from "./stale-copies.ts";
import type { NamedStore, Topology } from "./topology.ts";

/** Work per step: bounds transactions and memory. */
const BATCH = 500;

/** What {@link collect} takes. */
export interface CollectOptions extends CallOptions {
  readonly metadata: CollectionQueue &
    MetadataExamination &
    Pick<ChunkLocations, "settledLayouts"> &
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
  /** Files that no row knows and that were claimed lately: of running uploads, and of uploads that failed or were interrupted. */
  readonly orphansKept: number;
  /** Copies on nodes where no layout wants them any more. */
  readonly staleCopiesDeleted: number;
  /** Stores that deleted nothing, because they serve another metadata database or a newer state of it: see `ashlar fsck`. */
  readonly storesRefusing: number;
  /** Contradictions found in the metadata, such as a chunk that an object names and no row counts. The chunks were left alone: see `ashlar fsck`. */
  readonly damagesFound: number;
}

/** The options of one run, completed. */
interface Run extends CollectOptions {
  readonly graceMs: number;
  readonly claimTtlMs: number;
  readonly deletes: MarkedDeletes;
}

/**
 * Frees what nothing names any more. May run in any number of processes at once, and crash anywhere: the next run does the rest.
 *
 * A chunk goes in four steps. Its row is marked `collecting`. All manifests are searched for it, because a damaged row must not cost bytes. Each
 * store is asked for the conditional delete. The row goes if it is still `collecting` and every store said deleted or absent. A commit in between
 * sets the row live: the claims of that commit made a store refuse, or were made after the delete, and then the bytes are there again.
 */
export async function collect(options: CollectOptions): Promise<CollectReport> {
  const { metadata, topology, signal, clock = systemClock } = options;
  const call = { signal };
  const run: Run = {
    ...options,
    graceMs: options.graceMs ?? LIMITS.COLLECT_GRACE_MS,
    claimTtlMs: options.claimTtlMs ?? LIMITS.CLAIM_TTL_MS,
    deletes: await openMarkedDeletes({ ...options, clock }),
  };
  const { graceMs, deletes } = run;
  const olderThanMs = options.uploadTtlMs ?? LIMITS.UPLOAD_TTL_MS;
  await deletes.begin(await topology.allStores(call));
  const uploadsAborted = await drain(() => metadata.abortStaleUploads({ olderThanMs, limit: BATCH }, call));
  const manifestsDropped = await drain(() => metadata.dropReleasedManifests({ graceMs, limit: BATCH }, call));
  const { damagesFound: damagedRows, ...chunks } = await collectUnreferenced(run);
  const { damagesFound: damagedNames, ...orphans } = await sweepUnlessEmptied(run);
  return {
    ...{ manifestsDropped, uploadsAborted, ...chunks, ...orphans },
    storesRefusing: deletes.refusingCount,
    damagesFound: damagedRows + damagedNames,
  };
}

async function drain(step: () => Promise<number>): Promise<number> {
  let total = 0;
  for (;;) {
    const done = await step();
    total += done;
    if (done < BATCH) return total;
  }
}

async function collectUnreferenced(
  run: Run,
): Promise<Pick<CollectReport, "chunksDeleted" | "chunksKept" | "damagesFound">> {
  const total = { chunksDeleted: 0, chunksKept: 0, damagesFound: 0 };
  for (;;) {
    const marked = await markMany(run);
    const { chunksDeleted, damagesFound } = await collectMarked(run, marked);
    total.chunksDeleted += chunksDeleted;
    total.chunksKept += marked.length - chunksDeleted;
    total.damagesFound += damagesFound;
    // Nothing was deleted: the rest is still claimed, and would only be marked again.
    if (marked.length < BATCH || chunksDeleted === 0) return total;
  }
}

/** Marks rows in small transactions, each row once, up to the number that one walk over the manifests looks for. */
async function markMany({ metadata, graceMs, signal }: Run): Promise<readonly CollectingChunk[]> {
  const marked = new Map<string, CollectingChunk>();
  while (marked.size <= CANDIDATES_MAX - BATCH) {
    const before = marked.size;
    const batch = await metadata.markCollecting({ graceMs, limit: BATCH }, { signal });
    for (const chunk of batch) marked.set(encodeHex(chunk.chunkId), chunk);
    // Without a grace period the same rows come again.
    if (batch.length < BATCH || marked.size < before + batch.length) break;
  }
  return [...marked.values()];
}

/** Deletes what is marked and not named. */
async function collectMarked(
  run: Run,
  marked: readonly CollectingChunk[],
): Promise<Pick<CollectReport, "chunksDeleted" | "damagesFound">> {
  const { metadata, logger, signal } = run;
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
    const removed = await deleteEverywhere(run, unnamed);
    const outcomes = piece.map(({ chunkId }) => ({ chunkId, removed: removed.has(encodeHex(chunkId)) }));
    chunksDeleted += (await metadata.finishCollecting(outcomes, { signal })).length;
  }
  return { chunksDeleted, damagesFound };
}

/** Asks every store that may hold a chunk. @returns the ids, in hex, of which each store said deleted or absent. */
async function deleteEverywhere(run: Run, marked: readonly CollectingChunk[]): Promise<ReadonlySet<string>> {
  const removed = new Set(marked.map((chunk) => encodeHex(chunk.chunkId)));
  for (const [target, chunkIds] of await groupByStore(run.topology, marked)) {
    const outcomes = await tryDelete(run, target, chunkIds);
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
  const byNode = new Map<string, [NamedStore, Digest[]]>();
  for (const { chunkId } of marked) {
    for (const target of await topology.readCandidates(chunkId)) {
      const entry = byNode.get(target.nodeId) ?? [target, []];
      entry[1].push(chunkId);
      byNode.set(target.nodeId, entry);
    }
  }
  return new Map(byNode.values());
}

async function tryDelete(
  { deletes, claimTtlMs, logger, signal }: Run,
  target: NamedStore,
  chunkIds: readonly Digest[],
): Promise<readonly DeleteOutcome[] | undefined> {
  try {
    return await deletes.delete(target, chunkIds, claimTtlMs);
  } catch (thrown) {
    const error = AshlarError.from(thrown);
    if (signal?.aborted) throw error;
    if (error.code === "METADATA_CORRUPT") return undefined; // logged by the deletes
    logger[levelOfAnswer(error)](
      { err: error, nodeId: target.nodeId },
      "a store did not answer the collector; its chunks stay for the next run",
    );
    return undefined;
  }
}

/** What a sweep did, over all stores. */
interface SweepReport {
  readonly orphansDeleted: number;
  /** Chunks that no row knows and that were claimed too lately to go. */
  readonly orphansKept: number;
  readonly staleCopiesDeleted: number;
  /** Chunks that are named but whose row is lost, and segments that nobody can read; each is counted once per store. */
  readonly damagesFound: number;
}

/**
 * Sweeps orphans, unless the metadata has no bucket at all. That is a new, lost or emptied database: every chunk would look like an orphan, and an
 * operator who restores the database would find no chunks.
 */
async function sweepUnlessEmptied(run: Run): Promise<SweepReport> {
  const { metadata, topology, logger, signal } = run;
  if ((await metadata.listBuckets({ signal })).length > 0) return sweepOrphans(run);
  for (const { nodeId, store } of await topology.allStores({ signal })) {
    const chunkCount = await store.stats({ signal }).then(
      (stats) => stats.chunkCount,
      () => 0, // a store that is away is not swept either
    );
    if (chunkCount > 0) {
      logger.error(
        { nodeId, chunkCount },
        "the metadata has no bucket, yet a store holds chunks: a lost or emptied database? Its chunks are left alone",
      );
    }
  }
  return { orphansDeleted: 0, orphansKept: 0, staleCopiesDeleted: 0, damagesFound: 0 };
}

/**
 * Deletes chunks that no row knows and nothing names: what a crashed upload left. A chunk that a writer claims between the check and the delete is
 * kept, because the delete is conditional too. A store that does not answer is skipped.
 *
 * A missing row is not enough: before the first delete all manifests are searched. If one of them cannot be read, nothing is deleted, because nobody
 * knows what it names.
 */
async function sweepOrphans(run: Run): Promise<SweepReport> {
  const total = { orphansDeleted: 0, orphansKept: 0, staleCopiesDeleted: 0, damagesFound: 0 };
  for (const target of await run.topology.allStores({ signal: run.signal })) {
    // Whoever watches the cluster knows that it is away.
    if (!target.available) continue;
    try {
      for await (const report of sweepStore(run, target)) {
        total.orphansDeleted += report.orphansDeleted;
        total.orphansKept += report.orphansKept;
        total.staleCopiesDeleted += report.staleCopiesDeleted;
        total.damagesFound += report.damagesFound;
      }
    } catch (thrown) {
      const error = AshlarError.from(thrown);
      if (run.signal?.aborted || error.code === "METADATA_UNAVAILABLE") throw error;
      run.logger[levelOfAnswer(error)]({ err: error, nodeId: target.nodeId }, "orphan sweep skipped a store");
    }
  }
  return total;
}

async function* sweepStore(run: Run, target: NamedStore): AsyncGenerator<SweepReport> {
  const { metadata, claimTtlMs, signal } = run;
  let orphans: Digest[] = [];
  let youngCount = 0;
  let staleCopiesDeleted = 0;
  let cursor: string | undefined;
  do {
    const page = await target.store.listChunks({ cursor, signal });
    const ids = page.chunks.map((chunk) => chunk.chunkId);
    const known = ids.length === 0 ? [] : await metadata.knowsChunks(ids, { signal });
    const isOld = (chunk: ListedChunk): boolean => chunk.unclaimedForMs >= claimTtlMs;
    const unknown = page.chunks.filter((_, index) => known[index] === false);
    const old = unknown.filter(isOld);
    orphans.push(...old.map((chunk) => chunk.chunkId));
    youngCount += unknown.length - old.length;
    staleCopiesDeleted += await deleteStale(
      run,
      target,
      page.chunks.filter((chunk, index) => known[index] === true && isOld(chunk)),
    );
    cursor = page.nextCursor;
    if (orphans.length > CANDIDATES_MAX - BATCH || cursor === undefined) {
      const { orphansKept, ...report } = await deleteOrphans(run, target, orphans);
      yield { ...report, orphansKept: orphansKept + youngCount, staleCopiesDeleted };
      orphans = [];
      youngCount = 0;
      staleCopiesDeleted = 0;
    }
  } while (cursor !== undefined);
}

/** @returns how many were deleted: not those that were claimed meanwhile, by an upload or because a newer layout wants them there again. */
async function deleteStale(run: Run, target: NamedStore, listed: readonly ListedChunk[]): Promise<number> {
  let deleted = 0;
  for (let start = 0; start < listed.length; start += BATCH) {
    const stale = await findStaleCopies(run, target, listed.slice(start, start + BATCH));
    if (stale.length === 0) continue;
    const outcomes = await run.deletes.delete(target, stale, run.claimTtlMs);
    deleted += outcomes.filter((outcome) => outcome === "deleted").length;
  }
  return deleted;
}

async function deleteOrphans(
  run: Run,
  target: NamedStore,
  orphans: readonly Digest[],
): Promise<Omit<SweepReport, "staleCopiesDeleted">> {
  const { metadata, logger, deletes, claimTtlMs, signal } = run;
  const isDamaged = (count: number | undefined): boolean => count === undefined;
  const found = await findNamedChunks(metadata, orphans, { isDamaged, signal });
  const { free, damagedCount: lostRows, unreadableCount } = found;
  const { nodeId } = target;
  const code = "METADATA_CORRUPT";
  if (lostRows > 0) {
    logger.error(
      { code, nodeId, chunkCount: lostRows },
      "objects name chunks whose rows are lost or damaged: the chunks are left alone; see ashlar fsck",
    );
  }
  if (unreadableCount > 0) {
    logger.error(
      { code, nodeId, unreadableCount, chunkCount: orphans.length },
      "manifests cannot be read, so that chunks without a row may be theirs: none is deleted; see ashlar fsck",
    );
  }
  const damagesFound = lostRows + unreadableCount;
  if (unreadableCount > 0) return { orphansDeleted: 0, orphansKept: 0, damagesFound };
  let orphansDeleted = 0;
  let orphansKept = 0;
  for (let start = 0; start < free.length; start += BATCH) {
    const outcomes = await deletes.delete(target, free.slice(start, start + BATCH), claimTtlMs);
    orphansDeleted += outcomes.filter((outcome) => outcome === "deleted").length;
    orphansKept += outcomes.filter((outcome) => outcome === "claimed").length;
  }
  return { orphansDeleted, orphansKept, damagesFound };
}
