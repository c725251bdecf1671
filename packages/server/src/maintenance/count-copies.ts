import type { Topology } from "@ashlar/sdk/engine";
import { LIMITS } from "@ashlar/sdk/limits";
import type { CallOptions, Clock, MetadataExamination } from "@ashlar/sdk/ports";

/** Counting reads every chunk row, which takes seconds for a million of them (`npm run bench:copies`): too long for each call of `health`. */
const COPIES_INTERVAL_MS = 5 * 60_000;
/** After other nodes are up than at the last count, it is repeated after thirty times as long as that took. */
const CHANGED_PAUSE_SHARE = 30;

/** Chunk rows of one page: a read of tens to hundreds of ms, on which nobody waits. */
const PAGE_ROWS = 20_000;

/** Chunks by their copies, over all chunk rows. */
export interface CopiesReport {
  /** The index is the number of copies on nodes that are up. */
  readonly byCopies: readonly number[];
  /** Chunks that have no copy, not even on a node that is away. */
  readonly lost: number;
  /** Chunks that have fewer copies on nodes that are up than their layout asks for. */
  readonly short: number;
}

/** Counts, unless the last count is new enough and the same nodes are up. */
export function copiesCounter(
  options: {
    readonly metadata: Pick<MetadataExamination, "countCopies">;
    readonly topology: Pick<Topology, "allStores">;
    readonly clock: Clock;
  },
  record: { copies(work: () => Promise<CopiesReport>): Promise<void> },
): (call: CallOptions) => Promise<void> {
  const { metadata, topology, clock } = options;
  let last: { readonly atMs: number; readonly tookMs: number; readonly nodesUp: string } | undefined;
  return async (call) => {
    const stores = await topology.allStores(call);
    const upIds = stores.filter(({ available }) => available).map(({ nodeId }) => nodeId);
    const nodesUp = JSON.stringify(upIds.sort());
    const startedAtMs = clock.monotonicMs();
    const pauseMs =
      last === undefined
        ? 0
        : nodesUp === last.nodesUp
          ? COPIES_INTERVAL_MS
          : Math.min(COPIES_INTERVAL_MS, last.tookMs * CHANGED_PAUSE_SHARE);
    if (last !== undefined && startedAtMs - last.atMs < pauseMs) return;
    await record.copies(() => countCopies(metadata, call));
    last = { atMs: clock.monotonicMs(), tookMs: clock.monotonicMs() - startedAtMs, nodesUp };
  };
}

/** Counts all chunks, page by page. Rows that change meanwhile are counted as they were or as they are. */
async function countCopies(
  metadata: Pick<MetadataExamination, "countCopies">,
  { signal }: CallOptions,
): Promise<CopiesReport> {
  const byCopies = Array.from({ length: LIMITS.REPLICATION_FACTOR_MAX + 1 }, () => 0);
  let [lost, short] = [0, 0];
  let cursor: string | undefined;
  do {
    const page = await metadata.countCopies({ cursor, limit: PAGE_ROWS }, { signal });
    for (const [copies, count] of page.reachable.entries()) byCopies[copies] = (byCopies[copies] ?? 0) + count;
    lost += page.held[0] ?? 0;
    short += page.shortCount;
    cursor = page.nextCursor;
  } while (cursor !== undefined);
  return { byCopies, lost, short };
}
