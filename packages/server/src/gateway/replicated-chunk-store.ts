import type { ReplicatedPut, ReplicatedStore, Topology } from "@ashlar/sdk/engine";
import { AshlarError } from "@ashlar/sdk/errors";
import {
  type CallOptions,
  type ChunkPresence,
  type ChunkStore,
  type ChunkStoreStats,
  checkedChunkStore,
  type Digest,
  DURABILITIES,
  type HasChunksOptions,
} from "@ashlar/sdk/ports";

/** What a gateway's chunk store answers to a put, and for each chunk that it has: enough for a receipt. */
export type ReplicatedPresence = ChunkPresence & Pick<ReplicatedPut, "layoutVersion" | "serverIds" | "missedServerIds">;

/** Never the length of a read, so that the replicated store leaves the digest to the client, who checks it end to end anyway. */
const UNKNOWN_SIZE = -1;

/**
 * All stores of a topology as one chunk store: what a gateway puts behind its chunk face.
 *
 * A chunk is there if the write quorum of its placement holds it. Deleting and listing are each node's own affair, so they are UNSUPPORTED. `close()`
 * leaves the topology open.
 */
export function replicatedChunkStore(options: {
  readonly chunks: ReplicatedStore;
  readonly topology: Topology;
  readonly chunkMaxBytes: number;
}): ChunkStore {
  const { chunks, topology, chunkMaxBytes } = options;
  return checkedChunkStore({
    capabilities: Object.freeze({ persistent: true, chunkMaxBytes, rangedReads: true, durabilities: DURABILITIES }),
    // A client's write grant stays here: the nodes trust the gateway's own.
    putChunk: (chunkId, bytes, put): Promise<ReplicatedPut> => chunks.put(chunkId, bytes, { ...put, grant: undefined }),
    async getChunk(chunkId, get) {
      try {
        return await chunks.get(chunkId, { ...get, grant: undefined, sizeBytes: UNKNOWN_SIZE });
      } catch (error) {
        if (AshlarError.is(error, "CHUNK_MISSING")) return undefined;
        throw error;
      }
    },
    hasChunks: (chunkIds, has) => hasChunks(topology, chunkIds, has),
    deleteChunks: unsupported,
    listChunks: unsupported,
    stats: (call) => sumStats(topology, call),
    close: async () => {},
  });
}

async function hasChunks(
  topology: Topology,
  chunkIds: readonly Digest[],
  options: HasChunksOptions,
): Promise<ReadonlyArray<ReplicatedPresence | undefined>> {
  const { claim, signal } = options;
  const placements = await Promise.all(chunkIds.map((chunkId) => topology.writePlacement(chunkId, { signal })));
  const asked = new Map<string, { readonly ask: Ask; readonly indexes: number[] }>();
  for (const [index, { stores }] of placements.entries()) {
    for (const { serverId, store } of stores) {
      const entry = asked.get(serverId) ?? {
        ask: (ids) => store.hasChunks(ids, { claim, signal }),
        indexes: [],
      };
      entry.indexes.push(index);
      asked.set(serverId, entry);
    }
  }
  const held = chunkIds.map(() => new Map<string, number>());
  await Promise.all(
    [...asked].map(async ([serverId, { ask, indexes }]) => {
      // A store that does not answer holds nothing that could be counted on.
      const answers = await ask(indexes.map((index) => chunkIds[index] as Digest)).catch(() => []);
      for (const [position, index] of indexes.entries()) {
        const presence = answers[position];
        if (presence !== undefined) held[index]?.set(serverId, presence.sizeBytes);
      }
    }),
  );
  return placements.map(({ layoutVersion, stores }, index) => {
    const holders = held[index] ?? new Map<string, number>();
    const [sizeBytes] = holders.values();
    if (sizeBytes === undefined || holders.size < topology.writeQuorum(stores.length)) return undefined;
    const missedServerIds = stores.map((store) => store.serverId).filter((serverId) => !holders.has(serverId));
    return { sizeBytes, layoutVersion, serverIds: [...holders.keys()], missedServerIds };
  });
}

type Ask = (chunkIds: readonly Digest[]) => Promise<ReadonlyArray<ChunkPresence | undefined>>;

/** Figures of all stores that answer. */
async function sumStats(topology: Topology, options: CallOptions | undefined): Promise<ChunkStoreStats> {
  const stores = await topology.allStores(options);
  const answers = await Promise.allSettled(stores.map(({ store }) => store.stats(options)));
  const all = answers.flatMap((answer) => (answer.status === "fulfilled" ? [answer.value] : []));
  const sum = (of: (stats: ChunkStoreStats) => number | undefined): number =>
    all.reduce((total, stats) => total + (of(stats) ?? 0), 0);
  return {
    chunkCount: sum((stats) => stats.chunkCount),
    bytesUsed: sum((stats) => stats.bytesUsed),
    bytesFree: sum((stats) => stats.bytesFree),
    bytesTotal: sum((stats) => stats.bytesTotal),
  };
}

async function unsupported(): Promise<never> {
  throw new AshlarError("UNSUPPORTED", "a gateway stores no chunks of its own; ask the nodes");
}
