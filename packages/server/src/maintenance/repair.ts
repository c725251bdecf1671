import type { NamedStore, ReplicatedStore, Topology } from "@ashlar/sdk/engine";
import { AshlarError } from "@ashlar/sdk/errors";
import { encodeHex } from "@ashlar/sdk/hash";
import type { CallOptions, CollectionQueue, Logger, RepairEntry, RepairQueue } from "@ashlar/sdk/ports";

/** What {@link repair} takes. */
export interface RepairOptions extends CallOptions {
  readonly metadata: RepairQueue & Pick<CollectionQueue, "knowsChunks">;
  readonly topology: Pick<Topology, "allStores" | "invalidate" | "view" | "viewFailure">;
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
  /** Copies that were queued because their node lost its disk. */
  readonly copiesQueued: number;
}

/** Entries taken at once. */
const BATCH = 256;
/** Chunk rows of one step for a node that lost its disk: a transaction of tens of ms. */
const LOST_STEP_ROWS = 1000;
/** Steps of one round: after 100,000 rows, what is queued is restored before the walk goes on, so the queue stays short. */
const LOST_STEPS_MAX = 100;

type Outcome = "repaired" | "dropped" | "failed";
type Counts = Record<Outcome, number>;

/**
 * Queues what belongs on nodes that lost their disks, then restores the replicas of the repair queue: reads each chunk from a good replica, checked
 * against its digest, and puts it where it is missing.
 *
 * Node by node, so that what waits for a node that is away does not keep the others waiting. One chunk at a time, so that users' requests come first.
 * Puts are idempotent: several workers may take the same entry.
 */
export async function repair(options: RepairOptions): Promise<RepairReport> {
  const copiesQueued = await queueLostCopies(options);
  const counts: Counts = { repaired: 0, dropped: 0, failed: 0 };
  for (const { nodeId, count } of await options.metadata.countRepairs({ signal: options.signal })) {
    await repairNode(options, { nodeId, count, counts });
  }
  return {
    ...{ chunksRepaired: counts.repaired, repairsDropped: counts.dropped, repairsFailed: counts.failed },
    copiesQueued,
  };
}

async function queueLostCopies({ metadata, signal }: RepairOptions): Promise<number> {
  let copies = 0;
  for (let step = 0; step < LOST_STEPS_MAX; step++) {
    const { copiesQueued, isDone } = await metadata.queueLostCopies({ limit: LOST_STEP_ROWS }, { signal });
    copies += copiesQueued;
    if (isDone) break;
  }
  return copies;
}

/** Takes the entries of one node that were there when the round began; later ones are for the next round. */
async function repairNode(
  options: RepairOptions,
  { nodeId, count, counts }: { readonly nodeId: string; readonly count: number; readonly counts: Counts },
): Promise<void> {
  const { metadata, topology, signal } = options;
  let afterRepairId: string | undefined;
  for (let left = count; left > 0; ) {
    const target = await storeOf(topology, nodeId, signal);
    if (target === undefined ? await mayComeBack(topology, nodeId) : !target.available) {
      counts.failed += left;
      return;
    }
    const entries = await metadata.listRepairs({ limit: Math.min(BATCH, left), nodeId, afterRepairId }, { signal });
    if (entries.length === 0) return;
    const done: string[] = [];
    for (const entry of entries) {
      const outcome = await repairOne(options, entry, target);
      counts[outcome]++;
      if (outcome !== "failed") done.push(entry.repairId);
    }
    if (done.length > 0) await metadata.finishRepairs(done, { signal });
    left -= entries.length;
    afterRepairId = entries.at(-1)?.repairId;
  }
}

async function storeOf(
  topology: RepairOptions["topology"],
  nodeId: string,
  signal: AbortSignal | undefined,
): Promise<NamedStore | undefined> {
  const find = async (): Promise<NamedStore | undefined> =>
    (await topology.allStores({ signal })).find((store) => store.nodeId === nodeId);
  const known = await find();
  if (known !== undefined) return known;
  // The view may be some seconds old, and the node may have come since: its entries must not be dropped for that.
  topology.invalidate();
  return await find();
}

/** Whether a node may register (again): a layout in use names it, or the view is an old one, which may lack a node that came later. */
async function mayComeBack({ view, viewFailure }: RepairOptions["topology"], nodeId: string): Promise<boolean> {
  const layouts = (await view?.layoutsInUse()) ?? [];
  return viewFailure?.() !== undefined || layouts.some(({ nodes }) => nodes.some((node) => node.nodeId === nodeId));
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
    // Once: the entry stays in the queue, and the others must not wait for a source that is away.
    const bytes = await options.chunks.get(chunkId, { sizeBytes, signal, queuedNodeId: nodeId, attempts: 1 });
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
