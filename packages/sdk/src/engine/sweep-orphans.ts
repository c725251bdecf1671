import { AshlarError } from "../errors/index.ts";
import type { Digest } from "../hash/digest.ts";
import type { CallOptions, CollectionQueue, Logger, MetadataExamination } from "../ports/index.ts";
import type { MarkedDeletes } from "./marked-deletes.ts";
import { CANDIDATES_MAX, findNamedChunks } from "./named-chunks.ts";
import type { NamedStore, Topology } from "./topology.ts";

/** What {@link sweepOrphans} takes. */
export interface SweepOptions extends CallOptions {
  readonly metadata: Pick<CollectionQueue, "knowsChunks"> & MetadataExamination;
  readonly topology: Topology;
  readonly logger: Logger;
  readonly deletes: Pick<MarkedDeletes, "delete">;
  /** Only chunks unclaimed for at least this long, in ms. */
  readonly unclaimedForMs: number;
}

/** What a sweep did, over all stores. */
export interface SweepReport {
  readonly orphansDeleted: number;
  /** Chunks that no row knows and that were claimed too lately to go. */
  readonly orphansKept: number;
  /** Chunks whose row is lost though something names them, and segments that nobody can read, each counted once a store. */
  readonly damagesFound: number;
}

/** Ids of one delete. */
const DELETE_BATCH = 500;

/**
 * Deletes chunks that no row knows and nothing names: what a crashed upload left. A chunk that a writer claims between the look and the delete is
 * kept, because the delete is conditional too. A store that does not answer is skipped.
 *
 * That a row is missing is not enough: before the first delete all manifests are walked over. While one of them cannot be read nothing is deleted,
 * for nobody knows what it names.
 */
export async function sweepOrphans(options: SweepOptions): Promise<SweepReport> {
  let orphansDeleted = 0;
  let orphansKept = 0;
  let damagesFound = 0;
  for (const target of await options.topology.allStores({ signal: options.signal })) {
    try {
      for await (const report of sweepStore(options, target)) {
        orphansDeleted += report.orphansDeleted;
        orphansKept += report.orphansKept;
        damagesFound += report.damagesFound;
      }
    } catch (thrown) {
      const error = AshlarError.from(thrown);
      if (options.signal?.aborted || error.code === "METADATA_UNAVAILABLE") throw error;
      options.logger.warn({ err: error, serverId: target.serverId }, "orphan sweep skipped a store");
    }
  }
  return { orphansDeleted, orphansKept, damagesFound };
}

async function* sweepStore(options: SweepOptions, target: NamedStore): AsyncGenerator<SweepReport> {
  const { metadata, unclaimedForMs, signal } = options;
  let orphans: Digest[] = [];
  let youngCount = 0;
  let cursor: string | undefined;
  do {
    const page = await target.store.listChunks({ cursor, signal });
    const ids = page.chunks.map((chunk) => chunk.chunkId);
    const known = ids.length === 0 ? [] : await metadata.knowsChunks(ids, { signal });
    const unknown = page.chunks.filter((_, index) => known[index] === false);
    const old = unknown.filter((chunk) => chunk.unclaimedForMs >= unclaimedForMs);
    orphans.push(...old.map((chunk) => chunk.chunkId));
    youngCount += unknown.length - old.length;
    cursor = page.nextCursor;
    if (orphans.length > CANDIDATES_MAX - DELETE_BATCH || cursor === undefined) {
      const { orphansKept, ...report } = await deleteOrphans(options, target, orphans);
      yield { ...report, orphansKept: orphansKept + youngCount };
      orphans = [];
      youngCount = 0;
    }
  } while (cursor !== undefined);
}

async function deleteOrphans(
  options: SweepOptions,
  target: NamedStore,
  orphans: readonly Digest[],
): Promise<SweepReport> {
  const { metadata, logger, deletes, unclaimedForMs, signal } = options;
  const isDamaged = (count: number | undefined): boolean => count === undefined;
  const found = await findNamedChunks(metadata, orphans, { isDamaged, signal });
  const { free, damagedCount: lostRows, unreadableCount } = found;
  const { serverId } = target;
  const code = "METADATA_CORRUPT";
  if (lostRows > 0) {
    logger.error(
      { code, serverId, chunkCount: lostRows },
      "objects name chunks whose rows are lost or damaged: the chunks are left alone; see ashlar fsck",
    );
  }
  if (unreadableCount > 0) {
    logger.error(
      { code, serverId, unreadableCount, chunkCount: orphans.length },
      "manifests cannot be read, so that chunks without a row may be theirs: none is deleted; see ashlar fsck",
    );
  }
  const damagesFound = lostRows + unreadableCount;
  if (unreadableCount > 0) return { orphansDeleted: 0, orphansKept: 0, damagesFound };
  let orphansDeleted = 0;
  let orphansKept = 0;
  for (let start = 0; start < free.length; start += DELETE_BATCH) {
    const outcomes = await deletes.delete(target, free.slice(start, start + DELETE_BATCH), unclaimedForMs);
    orphansDeleted += outcomes.filter((outcome) => outcome === "deleted").length;
    orphansKept += outcomes.filter((outcome) => outcome === "claimed").length;
  }
  return { orphansDeleted, orphansKept, damagesFound };
}
