import type { NamedStore, ReplicatedStore, Topology } from "@ashlar/sdk/engine";
import { AshlarError } from "@ashlar/sdk/errors";
import { encodeHex } from "@ashlar/sdk/hash";
import type { CallOptions, CollectionQueue, Logger, RepairEntry, RepairQueue } from "@ashlar/sdk/ports";

/** What {@link repair} takes. */
export interface RepairOptions extends CallOptions {
  readonly metadata: RepairQueue & Pick<CollectionQueue, "knowsChunks">;
  readonly topology: Pick<Topology, "allStores" | "view" | "viewFailure">;
  readonly chunks: Pick<ReplicatedStore, "get">;
  readonly logger: Logger;
}

/** What a repair pass did. */
export interface RepairReport {
  readonly chunksRepaired: number;
  /** Entries that need nothing any more: the chunk is collected, or the node left the cluster. */
  readonly repairsDropped: number;
  /** Entries that stay: the node or every other replica was away. */
  readonly repairsFailed: number;
}

/** Entries taken at once. */
const BATCH = 256;

type Outcome = "repaired" | "dropped" | "failed";

/**
 * Restores the replicas of the repair queue: reads each chunk from a good replica, checked against its digest, and puts it where it is missing.
 *
 * One chunk at a time, so that users' requests come first. Puts are idempotent: several workers may take the same entry. A pass goes through the whole
 * queue, page by page: entries of a node that is away do not hide those behind them.
 */
export async function repair(options: RepairOptions): Promise<RepairReport> {
  const { metadata, topology, signal } = options;
  const counts = { repaired: 0, dropped: 0, failed: 0 };
  let after: string | undefined;
  for (;;) {
    const entries = await metadata.listRepairs({ limit: BATCH, after }, { signal });
    if (entries.length === 0) break;
    after = entries.at(-1)?.repairId;
    const stores = new Map((await topology.allStores({ signal })).map((store) => [store.nodeId, store]));
    const expected = await expectedNodeIds(topology);
    const done: string[] = [];
    for (const entry of entries) {
      const target = stores.get(entry.nodeId);
      const mayComeBack = expected === "any" || expected.has(entry.nodeId);
      const outcome = target === undefined && mayComeBack ? "failed" : await repairOne(options, entry, target);
      counts[outcome]++;
      if (outcome !== "failed") done.push(entry.repairId);
    }
    if (done.length > 0) await metadata.finishRepairs(done, { signal });
    if (entries.length < BATCH) break;
  }
  return { chunksRepaired: counts.repaired, repairsDropped: counts.dropped, repairsFailed: counts.failed };
}

/** Nodes that may register (again): those that a layout in use names. Any node, if the view is an old one: it may lack a node that came later. */
async function expectedNodeIds({ view, viewFailure }: RepairOptions["topology"]): Promise<ReadonlySet<string> | "any"> {
  const layouts = (await view?.layoutsInUse()) ?? [];
  if (viewFailure?.() !== undefined) return "any";
  return new Set(layouts.flatMap(({ nodes }) => nodes.map(({ nodeId }) => nodeId)));
}

async function repairOne(options: RepairOptions, entry: RepairEntry, target: NamedStore | undefined): Promise<Outcome> {
  const { logger, signal } = options;
  const { chunkId, nodeId, sizeBytes } = entry;
  if (target === undefined) {
    logger.info({ nodeId }, "a repair is dropped: the node is not part of the cluster any more");
    return "dropped";
  }
  if (!target.available) return "failed";
  try {
    const bytes = await options.chunks.get(chunkId, { sizeBytes, signal, queuedNodeId: nodeId });
    await target.store.putChunk(chunkId, bytes, { durability: "strict", signal });
    return "repaired";
  } catch (thrown) {
    const error = AshlarError.from(thrown);
    if (signal?.aborted) throw error;
    if (error.code === "CHUNK_MISSING" && (await isForgotten(options, entry))) return "dropped";
    const fields = { err: error, nodeId, chunkId: encodeHex(chunkId) };
    if (error.code === "CHUNK_MISSING") logger.error(fields, "no replica of a chunk is left to repair from");
    else logger.warn(fields, "a replica could not be repaired; it stays in the queue");
    return "failed";
  }
}

async function isForgotten({ metadata, signal }: RepairOptions, { chunkId }: RepairEntry): Promise<boolean> {
  const [known] = await metadata.knowsChunks([chunkId], { signal });
  return known === false;
}
