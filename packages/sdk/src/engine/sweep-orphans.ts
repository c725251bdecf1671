import { AshlarError } from "../errors/index.ts";
import type { CallOptions, CollectionQueue, Logger } from "../ports/index.ts";
import type { MarkedDeletes } from "./marked-deletes.ts";
import type { NamedStore, Topology } from "./topology.ts";

/** What {@link sweepOrphans} takes. */
export interface SweepOptions extends CallOptions {
  readonly metadata: Pick<CollectionQueue, "knowsChunks">;
  readonly topology: Topology;
  readonly logger: Logger;
  readonly deletes: Pick<MarkedDeletes, "delete">;
  /** Only chunks unclaimed for at least this long, in ms. */
  readonly unclaimedForMs: number;
}

/**
 * Deletes chunks that no row knows: what a crashed upload left. A chunk that a writer claims between the look and the delete is kept, because the
 * delete is conditional too. A store that does not answer is skipped.
 *
 * @returns how many were deleted, over all stores.
 */
export async function sweepOrphans(options: SweepOptions): Promise<number> {
  let deleted = 0;
  for (const target of await options.topology.allStores({ signal: options.signal })) {
    try {
      deleted += await sweepStore(options, target);
    } catch (thrown) {
      const error = AshlarError.from(thrown);
      if (options.signal?.aborted || error.code === "METADATA_UNAVAILABLE") throw error;
      options.logger.warn({ err: error, serverId: target.serverId }, "orphan sweep skipped a store");
    }
  }
  return deleted;
}

async function sweepStore(options: SweepOptions, target: NamedStore): Promise<number> {
  const { metadata, unclaimedForMs, signal } = options;
  let deleted = 0;
  let cursor: string | undefined;
  do {
    const page = await target.store.listChunks({ cursor, signal });
    const old = page.chunks.filter((chunk) => chunk.unclaimedForMs >= unclaimedForMs).map((chunk) => chunk.chunkId);
    const known = old.length === 0 ? [] : await metadata.knowsChunks(old, { signal });
    const orphans = old.filter((_, index) => known[index] === false);
    if (orphans.length > 0) {
      const outcomes = await options.deletes.delete(target, orphans, unclaimedForMs);
      deleted += outcomes.filter((outcome) => outcome === "deleted").length;
    }
    cursor = page.nextCursor;
  } while (cursor !== undefined);
  return deleted;
}
