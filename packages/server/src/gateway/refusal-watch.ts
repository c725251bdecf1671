import type { NamedStore, Topology } from "@ashlar/sdk/engine";
import { AshlarError } from "@ashlar/sdk/errors";
import { DIGEST_BYTES, digestFromBytes } from "@ashlar/sdk/hash";
import type { ChunkStore, Clock, Logger } from "@ashlar/sdk/ports";
import { answersInTime } from "../http/answers-in-time.ts";
import { type ClockWatch, clockText } from "./clock-watch.ts";

/** Nodes that refuse a gateway's own grant, as nodes with another cluster key do. Those whose clocks differ are in the {@link ClockWatch} instead. */
export interface Refusals {
  readonly nodeIds: readonly string[];
  /** No node that is up lets this gateway in: the fault is the gateway's. */
  readonly isByAll: boolean;
}

/** Sees which nodes do not let this gateway in. */
export interface RefusalWatch {
  /**
   * The inner topology, with its stores watched. The grant that a node refuses is the gateway's own, so no client is told that its credentials are
   * wrong: the call fails with NODE_UNAVAILABLE instead.
   */
  readonly topology: Topology;
  /** Tells what is known. Asks the nodes first if it did so last {@link ASK_INTERVAL_MS} ago or earlier. Never rejects. */
  refusals(): Promise<Refusals>;
}

/** Any caller may ask for readiness without a key, and each load balancer does. Such a request must not become a call to every node each time. */
const ASK_INTERVAL_MS = 10_000;

/** Calls that need a grant; nodes answer `stats` without one. */
const GRANTED: ReadonlySet<PropertyKey> = new Set([
  "putChunk",
  "putChunkStream",
  "getChunk",
  "hasChunks",
  "deleteChunks",
  "listChunks",
]);

/** No bytes with this SHA-256 are known. Asking for it tells only whether the node lets the gateway in. */
const NO_CHUNK = digestFromBytes(new Uint8Array(DIGEST_BYTES));

export function createRefusalWatch(
  inner: Topology,
  { clock, logger, clocks }: { clock: Clock; logger: Logger; clocks: ClockWatch },
): RefusalWatch {
  const refusing = new Set<string>();
  let upCount = 0;
  let askedAtMs = Number.NEGATIVE_INFINITY;

  const judge = async (nodeId: string, call: () => unknown): Promise<unknown> => {
    try {
      const answer = await call();
      refusing.delete(nodeId);
      clocks.agrees(nodeId, "ahead");
      return answer;
    } catch (error) {
      if (!AshlarError.is(error, "UNAUTHENTICATED") && !AshlarError.is(error, "PERMISSION_DENIED")) throw error;
      // The transport has renewed a grant that was refused: this one was made for the call.
      const ageMs = Number(error.details.grantAgeMs);
      if (ageMs > 0) {
        refusing.delete(nodeId);
        clocks.differs(nodeId, ageMs);
        const text = `${nodeId} takes this gateway's grants for old ones: ${clockText(nodeId, ageMs)}; set both right (NTP)`;
        const details = { nodeId, clockAheadMs: String(ageMs) };
        throw new AshlarError("NODE_UNAVAILABLE", text, { cause: error, details });
      }
      const message = `${nodeId} does not let this gateway in (${error.message}); give all servers of the cluster the same CLUSTER_KEY, and clocks that agree within a minute`;
      if (!refusing.has(nodeId)) logger.error({ err: error, nodeId }, message);
      refusing.add(nodeId);
      throw new AshlarError("NODE_UNAVAILABLE", message, { cause: error, details: { nodeId } });
    }
  };
  const watch = ({ nodeId, store }: NamedStore): ChunkStore =>
    // The target has no properties of its own: a proxy of a frozen store would have to return the store's own methods.
    new Proxy<ChunkStore>(Object.create(store) as ChunkStore, {
      get(_, name) {
        const value: unknown = Reflect.get(store, name, store);
        if (typeof value !== "function") return value;
        const call = (args: unknown[]): unknown => Reflect.apply(value, store, args);
        return (...args: unknown[]) => (GRANTED.has(name) ? judge(nodeId, () => call(args)) : call(args));
      },
    });
  /** The watched store for each store of the inner topology, because every placement names these again. Each belongs to one node while it is open. */
  const stores = new WeakMap<ChunkStore, ChunkStore>();
  const watched = (target: NamedStore): NamedStore => {
    const store = stores.get(target.store) ?? watch(target);
    stores.set(target.store, store);
    return { ...target, store };
  };
  const topology: Topology = {
    async writePlacement(chunkId, options) {
      const placement = await inner.writePlacement(chunkId, options);
      return { ...placement, stores: placement.stores.map(watched) };
    },
    readCandidates: async (chunkId, options) => (await inner.readCandidates(chunkId, options)).map(watched),
    allStores: async (options) => (await inner.allStores(options)).map(watched),
    writeQuorum: (placedCount) => inner.writeQuorum(placedCount),
    invalidate: () => inner.invalidate(),
    view: inner.view,
    viewFailure: () => inner.viewFailure?.(),
    close: () => inner.close(),
  };

  const ask = async (signal: AbortSignal): Promise<void> => {
    const up = (await topology.allStores({ signal })).filter(({ available }) => available);
    const ids = new Set(up.map(({ nodeId }) => nodeId));
    upCount = ids.size;
    for (const nodeId of refusing) if (!ids.has(nodeId)) refusing.delete(nodeId);
    clocks.keepOnly(ids);
    // A node that is away, or fails in another way, is reported elsewhere.
    await Promise.allSettled(up.map(({ store }) => store.hasChunks([NO_CHUNK], { claim: false, signal })));
  };
  return {
    topology,
    async refusals() {
      if (clock.monotonicMs() - askedAtMs >= ASK_INTERVAL_MS) {
        askedAtMs = clock.monotonicMs();
        clocks.ownStepMs();
        await answersInTime(clock, ask).catch(() => {});
      }
      const aheadCount = [...clocks.differing().values()].filter((aheadMs) => aheadMs > 0).length;
      return { nodeIds: [...refusing].sort(), isByAll: upCount > 0 && refusing.size + aheadCount >= upCount };
    },
  };
}
