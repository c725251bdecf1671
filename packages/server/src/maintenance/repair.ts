import { levelOfAnswer, type NamedStore, type ReplicatedStore, type Topology } from "@ashlar/sdk/engine";
import { AshlarError } from "@ashlar/sdk/errors";
import { encodeHex } from "@ashlar/sdk/hash";
import type {
  CallOptions,
  Clock,
  CollectionQueue,
  Logger,
  NodeRepairs,
  Random,
  RepairEntry,
  RepairOutcome,
  RepairQueue,
} from "@ashlar/sdk/ports";
import { inLanes } from "./in-lanes.ts";
import { createPacer, type Pacer } from "./pacer.ts";

/** What {@link repair} takes. */
export interface RepairOptions extends CallOptions {
  readonly metadata: RepairQueue & Pick<CollectionQueue, "knowsChunks">;
  readonly topology: Pick<Topology, "allStores" | "invalidate" | "view" | "viewFailure">;
  readonly chunks: Pick<ReplicatedStore, "get">;
  readonly clock: Clock;
  readonly random: Pick<Random, "fraction">;
  readonly logger: Logger;
  /** Most bytes that repair writes to one node in a second; default REPAIR_BYTES_PER_SECOND. */
  readonly repairBytesPerSecond?: number | undefined;
}

/** What a repair pass did. */
export interface RepairReport {
  readonly chunksRepaired: number;
  readonly bytesRepaired: number;
  /** Entries that need nothing any more: the chunk is collected, or the node left the cluster. */
  readonly repairsDropped: number;
  /** Tries that failed: they are repeated later. */
  readonly repairsFailed: number;
  /** Copies that were queued because their node lost its disk. */
  readonly copiesQueued: number;
  /** What waits for each node after the pass. */
  readonly waiting: readonly NodeRepairs[];
}

/** Nodes that are repaired side by side. */
const NODES_AT_ONCE = 4;
/** Chunks of one node in flight: one is read while another is written. */
const CHUNKS_AT_ONCE = 2;
/** Entries that are claimed at once. */
const BATCH = 64;
/** What a gateway claimed that was killed waits for so long. Three times as long as a batch takes at 64 MiB/s with chunks of 4 MiB; the rest is given back. */
const LEASE_MS = 45_000;
/** No entry is begun when less than this is left of the lease: a call to a node that hangs ends after 15 s. */
const LEASE_MARGIN_MS = 30_000;
/** A try that failed is repeated after this time, then after twice as long, and so on. */
const RETRY_MS = 30_000;
const RETRY_MAX_MS = 10 * 60_000;
/** Time to give claimed entries back when the server stops. */
const GIVE_BACK_MS = 2000;
/** Chunk rows of one step for a node that lost its disk: a transaction of tens of ms. */
const LOST_STEP_ROWS = 1000;
/** Steps of one round: after 100,000 rows, what is queued is restored before the walk goes on, so the queue stays short. */
const LOST_STEPS_MAX = 100;

/** One pass, and what all its steps need. */
interface Pass extends RepairOptions {
  readonly pacer: Pacer;
  readonly counts: { repaired: number; bytes: number; dropped: number; failed: number };
}

/**
 * `away`: the node itself does not answer, so its other entries need not be tried now. `waits`: the nodes that have the other copies do not answer;
 * the entry is tried in each pass, because it can be restored as soon as one is back.
 */
type Tried = "repaired" | "dropped" | "away" | "waits" | { readonly error: string };

/**
 * Queues what belongs on nodes that lost their disks, then restores what the repair queue names: reads each chunk from a good replica, checked against
 * its digest, and puts it where it is missing.
 *
 * Entries are claimed node by node, so that no other worker takes them meanwhile, and what waits for a node that is away keeps no other waiting. A
 * worker that dies keeps its entries until the lease ends. Puts are idempotent: an entry whose worker was too slow may be restored twice.
 */
export async function repair(options: RepairOptions): Promise<RepairReport> {
  const { metadata, signal } = options;
  const copiesQueued = await queueLostCopies(options);
  const pass: Pass = {
    ...options,
    pacer: createPacer(options),
    counts: { repaired: 0, bytes: 0, dropped: 0, failed: 0 },
  };
  const nodes = await metadata.countRepairs({ signal });
  await inLanes(nodes, NODES_AT_ONCE, ({ nodeId, count }) => repairNode(pass, nodeId, count));
  const { repaired, bytes, dropped, failed } = pass.counts;
  return {
    ...{ chunksRepaired: repaired, bytesRepaired: bytes, repairsDropped: dropped, repairsFailed: failed },
    copiesQueued,
    waiting: nodes.length === 0 ? [] : await metadata.countRepairs({ signal }),
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

/** Takes as many entries of a node as there were when the pass began; later ones are for the next pass. */
async function repairNode(pass: Pass, nodeId: string, count: number): Promise<void> {
  const { metadata, topology, clock, signal } = pass;
  for (let left = count; left > 0; ) {
    const target = await storeOf(topology, nodeId, signal);
    if (target === undefined ? await mayComeBack(topology, nodeId) : !target.available) return;
    const stopAtMs = clock.monotonicMs() + LEASE_MS - LEASE_MARGIN_MS;
    const { leaseToken, entries } = await metadata.claimRepairs(
      { nodeId, limit: Math.min(BATCH, left), leaseMs: LEASE_MS },
      { signal },
    );
    if (entries.length === 0) return;
    const outcomes = new Map<string, RepairOutcome>();
    let isAway = false;
    try {
      await inLanes(entries, CHUNKS_AT_ONCE, async (entry) => {
        if (isAway || clock.monotonicMs() > stopAtMs) return;
        const tried = await repairOne(pass, entry, target);
        if (tried === "away") isAway = true;
        else outcomes.set(entry.repairId, noted(pass, entry, tried));
      });
    } finally {
      // What was not tried is given back at once, also when the server stops.
      const all = entries.map(({ repairId }) => outcomes.get(repairId) ?? { repairId, retryInMs: 0 });
      const giveBack = signal?.aborted === true ? AbortSignal.timeout(GIVE_BACK_MS) : signal;
      await metadata.finishRepairs({ leaseToken, outcomes: all }, { signal: giveBack });
    }
    if (isAway) return;
    left -= entries.length;
  }
}

/** Counts a try, and says when the next one is due. */
function noted({ counts, random }: Pass, { repairId, attempts, sizeBytes }: RepairEntry, tried: Tried): RepairOutcome {
  if (typeof tried === "object") {
    counts.failed++;
    const waitMs = Math.min(RETRY_MS * 2 ** attempts, RETRY_MAX_MS);
    return { repairId, retryInMs: Math.round(waitMs * (0.75 + random.fraction() / 2)), error: tried.error };
  }
  if (tried === "waits") {
    counts.failed++;
    return { repairId, retryInMs: 0 };
  }
  if (tried === "repaired") {
    counts.repaired++;
    counts.bytes += sizeBytes;
  } else counts.dropped++;
  return { repairId };
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

async function repairOne(pass: Pass, entry: RepairEntry, target: NamedStore | undefined): Promise<Tried> {
  const { logger, pacer, signal } = pass;
  const { chunkId, nodeId, sizeBytes } = entry;
  if (target === undefined) {
    logger.info({ nodeId }, "a repair is dropped: the node is not part of the cluster any more");
    return "dropped";
  }
  const fields = { nodeId, chunkId: encodeHex(chunkId) };
  let bytes: Uint8Array;
  try {
    // Once: the entry comes back later, and the others must not wait for a source that is away.
    bytes = await pass.chunks.get(chunkId, { sizeBytes, signal, queuedNodeId: nodeId, attempts: 1, askAll: true });
  } catch (thrown) {
    const error = AshlarError.from(thrown);
    if (signal?.aborted) throw error;
    if (error.code === "CHUNK_MISSING" && (await isForgotten(pass, entry))) return "dropped";
    if (error.code === "CHUNK_MISSING")
      logger.error({ ...fields, err: error }, "no replica of a chunk is left to repair from");
    else
      logger[levelOfAnswer(error)](
        { ...fields, err: error },
        "a replica could not be read for repair; it is tried again later",
      );
    return error.code === "NODE_UNAVAILABLE" ? "waits" : { error: error.message };
  }
  try {
    // Only now: a copy whose sources are away takes no room from the others.
    await pacer.take(nodeId, sizeBytes, signal);
    await target.store.putChunk(chunkId, bytes, { durability: "strict", signal });
    return "repaired";
  } catch (thrown) {
    const error = AshlarError.from(thrown);
    if (signal?.aborted) throw error;
    logger[levelOfAnswer(error)]({ ...fields, err: error }, "a replica could not be restored; it is tried again later");
    if (error.code !== "NODE_UNAVAILABLE") return { error: error.message };
    pass.topology.invalidate();
    return "away";
  }
}

async function isForgotten({ metadata, signal }: RepairOptions, { chunkId }: RepairEntry): Promise<boolean> {
  const [known] = await metadata.knowsChunks([chunkId], { signal });
  return known === false;
}
