import type { BadCopy, Topology } from "@ashlar/sdk/engine";
import { AshlarError } from "@ashlar/sdk/errors";
import { encodeHex } from "@ashlar/sdk/hash";
import type { ChunkReader, Clock, Logger, MissedCopy, OpeningChunkStore, RepairQueue } from "@ashlar/sdk/ports";
import { HTTP_LIMITS } from "../http/bounds/http-limits.ts";
import type { Metrics } from "../observability/metrics.ts";

/** What {@link createBadCopies} takes. */
export interface BadCopiesOptions {
  readonly metadata: Pick<RepairQueue, "queueRepairs">;
  readonly topology: Pick<Topology, "view">;
  readonly clock: Pick<Clock, "monotonicMs">;
  readonly logger: Logger;
  readonly metrics: Metrics;
}

/** The copies that the readers of a gateway found missing or damaged. */
export interface BadCopies {
  /** Counts a damaged copy, and queues the repair of every bad copy in the background. Never throws; a reader does not wait. */
  readonly note: (copy: BadCopy) => void;
  /** The store, whose damaged chunks are counted. For a store of this process: it has no other copy to repair from. */
  readonly watched: (store: OpeningChunkStore) => OpeningChunkStore;
  /** Waits for what runs. Copies that are not queued by then are met again by the next reader. Idempotent. */
  close(): Promise<void>;
}

/** Copies of one call to the database. */
const BATCH = 256;
/** Copies of a batch that a line names: enough to begin with. */
const LOGGED = 5;

/**
 * Read repair: the copies that readers miss go to the repair queue, each once, and maintenance restores them.
 *
 * A reader asks the nodes of newer layouts first, so a node without a copy need not have lost one. The queue takes a copy only if the chunk's row has
 * a layout that places it on this node.
 *
 * Memory: READ_REPAIRS_MAX copies that wait for the database, and as many again that were told to it less than READ_REPAIR_AGAIN_MS ago.
 */
export function createBadCopies({ metadata, topology, clock, logger, metrics }: BadCopiesOptions): BadCopies {
  const max = HTTP_LIMITS.READ_REPAIRS_MAX.value;
  const damaged = metrics.counter({
    name: "ashlar_chunks_damaged_total",
    help: "Copies of chunks that were found damaged: on a node by its store, on a gateway by its readers",
  });
  const repairs = metrics.counter({
    name: "ashlar_read_repairs_total",
    help: "Missing and damaged copies that readers met: queued for repair; left out, because too many waited; or failed, because the database was away",
    labelNames: ["outcome"],
  });
  // From the start, because Prometheus sees no increase in a counter that begins with 1.
  damaged.add(0);
  for (const outcome of ["queued", "left out", "failed"]) repairs.add(0, { outcome });

  const waiting = new Map<string, BadCopy>();
  /** When each copy may be told to the database again, by chunk and node; the oldest first. */
  const againAtMs = new Map<string, number>();
  const stopping = new AbortController();
  const { signal } = stopping;
  let running: Promise<void> | undefined;

  const isKnown = (name: string): boolean => (againAtMs.get(name) ?? 0) > clock.monotonicMs();
  const remember = (name: string): void => {
    againAtMs.delete(name);
    againAtMs.set(name, clock.monotonicMs() + HTTP_LIMITS.READ_REPAIR_AGAIN_MS.value);
    for (const oldest of againAtMs.keys()) {
      if (againAtMs.size <= max) break;
      againAtMs.delete(oldest);
    }
  };
  /** Those that the queue knows already are no news: they were missed by a write, or their node lost its disk. */
  const queueThose = async (copies: readonly BadCopy[]): Promise<void> => {
    const placed = await placedCopies(topology, copies);
    const queued = placed.length === 0 ? 0 : await metadata.queueRepairs(placed, { signal });
    repairs.add(queued, { outcome: "queued" });
    if (queued === 0) return;
    const isMoving = copies[0]?.mayLack === true;
    const some = placed.slice(0, LOGGED).map(({ chunkId, nodeId }) => ({ chunkId: encodeHex(chunkId), nodeId }));
    if (isMoving) logger.info({ queued }, "copies that move, and that readers missed, are queued for repair");
    else logger.warn({ queued, copies: some }, "copies that readers missed are queued for repair");
  };
  const queue = async (): Promise<void> => {
    while (waiting.size > 0 && !signal.aborted) {
      const batch = [...waiting].slice(0, BATCH);
      try {
        const copies = batch.map(([, copy]) => copy);
        await queueThose(copies.filter(({ mayLack }) => mayLack !== true));
        await queueThose(copies.filter(({ mayLack }) => mayLack === true));
        for (const [name] of batch) waiting.delete(name);
      } catch (error) {
        repairs.add(waiting.size, { outcome: "failed" });
        // The next reader that meets one of them tells it again.
        for (const name of waiting.keys()) againAtMs.delete(name);
        waiting.clear();
        if (!signal.aborted) logger.warn({ err: error }, "copies that readers missed could not be queued for repair");
      }
    }
  };
  const start = (): void => {
    running ??= queue().finally(() => {
      running = undefined;
      // Noted after the last look at what waits.
      if (waiting.size > 0 && !signal.aborted) start();
    });
  };
  const note = (copy: BadCopy): void => {
    if (copy.fault === "corrupt") damaged.add(1);
    const name = `${encodeHex(copy.chunkId)} ${copy.nodeId}`;
    if (topology.view === undefined || signal.aborted || isKnown(name)) return;
    if (waiting.size >= max) {
      repairs.add(1, { outcome: "left out" });
      return;
    }
    remember(name);
    waiting.set(name, copy);
    start();
  };
  return {
    note,
    watched: (store) => watchedStore(store, note),
    async close() {
      stopping.abort(new AshlarError("STORE_CLOSED", "the gateway closes"));
      await running;
    },
  };
}

/** The copies that belong where they were looked for, by at least one layout in use. */
async function placedCopies(
  { view }: Pick<Topology, "view">,
  copies: readonly BadCopy[],
): Promise<readonly MissedCopy[]> {
  const layouts = (await view?.layoutsInUse()) ?? [];
  return copies.flatMap(({ chunkId, nodeId }) => {
    const placing = layouts.filter((layout) => view?.placementOf(layout).nodesOf(chunkId).includes(nodeId));
    if (placing.length === 0) return [];
    return [{ chunkId, nodeId, layoutVersions: placing.map(({ layoutVersion }) => layoutVersion) }];
  });
}

function watchedStore(store: OpeningChunkStore, note: (copy: BadCopy) => void): OpeningChunkStore {
  const noting = async <Answer>(chunkId: BadCopy["chunkId"], work: Promise<Answer>): Promise<Answer> => {
    try {
      return await work;
    } catch (error) {
      if (AshlarError.is(error, "CHUNK_CORRUPT")) note({ chunkId, nodeId: "local", fault: "corrupt" });
      throw error;
    }
  };
  // The target has no properties of its own: a proxy of a frozen store would have to return the store's own methods.
  return new Proxy<OpeningChunkStore>(Object.create(store) as OpeningChunkStore, {
    get(_, name) {
      if (name === "openChunk") {
        return async (...[chunkId, options]: Parameters<OpeningChunkStore["openChunk"]>) => {
          const reader = await noting(chunkId, store.openChunk(chunkId, options));
          const read: ChunkReader["read"] = (...args) => noting(chunkId, (reader as ChunkReader).read(...args));
          return reader && { sizeBytes: reader.sizeBytes, read, close: () => reader.close() };
        };
      }
      const member: unknown = Reflect.get(store, name, store);
      return typeof member === "function" ? member.bind(store) : member;
    },
  });
}
