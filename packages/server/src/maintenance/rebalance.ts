import { levelOfAnswer, type NamedStore, type Topology } from "@ashlar/sdk/engine";
import { AshlarError } from "@ashlar/sdk/errors";
import { LIMITS } from "@ashlar/sdk/limits";
import type {
  CallOptions,
  ChunkLocations,
  Layout,
  Logger,
  MissedCopy,
  OutdatedChunk,
  RepairQueue,
} from "@ashlar/sdk/ports";
import type { Placement } from "@ashlar/sdk/ring";

/** What {@link rebalance} takes. */
export interface RebalanceOptions extends CallOptions {
  readonly metadata: ChunkLocations & Pick<RepairQueue, "queueRepairs">;
  readonly topology: Pick<Topology, "allStores" | "view">;
  readonly logger: Logger;
}

/** What a pass over the chunks of older layouts did. */
export interface RebalanceReport {
  /** Chunks whose copies lie where the newest layout wants them: their rows follow it now. */
  readonly chunksMoved: number;
  /** Chunks that nothing names any more: their rows follow the newest layout without copies, which is no progress of the copies. */
  readonly chunksReleased: number;
  /** Copies that were queued to be made on nodes that lack them. */
  readonly moveCopiesQueued: number;
  /** Chunks of older layouts that wait: for copies, or for a node that is away or has enough to do. */
  readonly chunksBehind: number;
}

/** Chunk rows of one page: a read of tens of ms. */
const PAGE_ROWS = 20_000;
/** Copies that may wait for one node: each pass asks about all of them again, and the repair queue must not be the whole cluster. */
const WAITING_MAX = 50_000;
/** Chunks of one step: as many as one question to a node, and one statement, may name. */
const STEP = LIMITS.LIST_LIMIT_MAX;

/** The newest layout, and what a pass over older ones needs. */
interface Pass extends RebalanceOptions {
  readonly newest: Layout;
  readonly placement: Placement;
  /** By version. Layouts that came after the view are not in it: their chunks wait for the next pass. */
  readonly older: ReadonlyMap<number, Placement>;
  readonly stores: ReadonlyMap<string, NamedStore>;
  /** Copies that each node was found to lack in this pass. */
  readonly lacking: Map<string, number>;
}

const NOTHING: RebalanceReport = Object.freeze({
  chunksMoved: 0,
  chunksReleased: 0,
  moveCopiesQueued: 0,
  chunksBehind: 0,
});

/**
 * Lets chunks follow the newest layout. Rows whose copies lie where it wants them move forward; copies that are not there yet are queued like
 * copies that are missing, and repair makes them from the others. A copy that no layout wants any more stays until the next collections find that its
 * chunk has all of its copies.
 *
 * A copy on a node that only the newest layout names counts if the node says that it has it, and claims it: so it is one, whatever became of the repair
 * that made it, and no collector deletes it before the row has moved. On the other nodes nothing changes.
 *
 * Any number of workers may do this at once; one is enough. A pass changes nothing but rows, so it may end anywhere.
 */
export async function rebalance(options: RebalanceOptions): Promise<RebalanceReport> {
  const { metadata, topology, signal } = options;
  const { view } = topology;
  const [newest, ...older] = (await view?.layoutsInUse()) ?? [];
  if (view === undefined || newest === undefined || older.length === 0) return NOTHING;
  const stores = await topology.allStores({ signal });
  const pass: Pass = {
    ...options,
    newest,
    placement: view.placementOf(newest),
    older: new Map(older.map((layout) => [layout.layoutVersion, view.placementOf(layout)])),
    stores: new Map(stores.map((store) => [store.nodeId, store])),
    lacking: new Map(),
  };
  const total = { ...NOTHING };
  let cursor: string | undefined;
  do {
    const page = await metadata.listOutdatedChunks({ cursor, limit: PAGE_ROWS }, { signal });
    for (let start = 0; start < page.chunks.length; start += STEP) {
      const did = await moveChunks(pass, page.chunks.slice(start, start + STEP));
      total.chunksMoved += did.chunksMoved;
      total.chunksReleased += did.chunksReleased;
      total.moveCopiesQueued += did.moveCopiesQueued;
      total.chunksBehind += did.chunksBehind;
    }
    cursor = page.nextCursor;
  } while (cursor !== undefined);
  return total;
}

async function moveChunks(pass: Pass, chunks: readonly OutdatedChunk[]): Promise<RebalanceReport> {
  const { metadata, newest, signal } = pass;
  const arriving = chunks.flatMap((chunk) => arrivingOf(pass, chunk));
  const found = await findCopies(pass, arriving);
  const waiting = new Set(arriving.filter((each) => found.get(each) !== true).map(({ chunk }) => chunk));
  const here = chunks.filter((chunk) => pass.older.has(chunk.layoutVersion) && !waiting.has(chunk));
  const missed = arriving.filter((each) => found.get(each) === false).map(missedCopy);
  let moveCopiesQueued = 0;
  for (let start = 0; start < missed.length; start += STEP)
    moveCopiesQueued += await metadata.queueRepairs(missed.slice(start, start + STEP), { signal });
  const advance = async (rows: readonly OutdatedChunk[]): Promise<number> => {
    const moving = rows.map(({ sizeBytes: _sizeBytes, ...chunk }) => chunk);
    if (moving.length === 0) return 0;
    return await metadata.advanceLayouts({ layoutVersion: newest.layoutVersion, chunks: moving }, { signal });
  };
  const chunksMoved = await advance(here.filter(({ isNamed = true }) => isNamed));
  const chunksReleased = await advance(here.filter(({ isNamed }) => isNamed === false));
  return { chunksMoved, chunksReleased, moveCopiesQueued, chunksBehind: chunks.length - chunksMoved - chunksReleased };
}

/** A copy on a node that the newest layout names for a chunk, and the layout of its row does not. */
interface Arrival {
  readonly chunk: OutdatedChunk;
  readonly nodeId: string;
}

function arrivingOf({ placement, older }: Pass, chunk: OutdatedChunk): readonly Arrival[] {
  // It waits to be collected, and follows without copies.
  if (chunk.isNamed === false) return [];
  const before = older.get(chunk.layoutVersion)?.nodesOf(chunk.chunkId) ?? [];
  return placement
    .nodesOf(chunk.chunkId)
    .filter((nodeId) => !before.includes(nodeId))
    .map((nodeId) => ({ chunk, nodeId }));
}

const missedCopy = ({ chunk, nodeId }: Arrival): MissedCopy => ({
  ...{ chunkId: chunk.chunkId, nodeId },
  layoutVersions: [chunk.layoutVersion],
});

/** Asks nodes which copies they have, and claims these. @returns nothing of a copy whose node does not answer, or lacks many already. */
async function findCopies(pass: Pass, arrivals: readonly Arrival[]): Promise<ReadonlyMap<Arrival, boolean>> {
  const { stores, lacking, logger, signal } = pass;
  const found = new Map<Arrival, boolean>();
  const askNode = async (nodeId: string): Promise<void> => {
    const target = stores.get(nodeId);
    const wanted = arrivals.filter((arrival) => arrival.nodeId === nodeId);
    if (target?.available !== true || (lacking.get(nodeId) ?? 0) >= WAITING_MAX) return;
    const ids = wanted.map(({ chunk }) => chunk.chunkId);
    try {
      const present = await target.store.hasChunks(ids, { claim: true, signal });
      wanted.forEach((arrival, index) => {
        found.set(arrival, present[index]?.sizeBytes === arrival.chunk.sizeBytes);
      });
      const absent = wanted.filter((arrival) => found.get(arrival) === false);
      lacking.set(nodeId, (lacking.get(nodeId) ?? 0) + absent.length);
    } catch (thrown) {
      const error = AshlarError.from(thrown);
      if (signal?.aborted) throw error;
      logger[levelOfAnswer(error)](
        { err: error, nodeId },
        "a node did not say which copies it has; its chunks stay where they are",
      );
    }
  };
  await Promise.all([...new Set(arrivals.map(({ nodeId }) => nodeId))].map(askNode));
  return found;
}
