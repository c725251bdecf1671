import type { NamedStore, ReplicatedStore, Topology } from "@ashlar/sdk/engine";
import { AshlarError } from "@ashlar/sdk/errors";
import { bytesEqual, encodeHex, type Hasher } from "@ashlar/sdk/hash";
import {
  type CallOptions,
  type ChunkPresence,
  type ChunkStore,
  type ChunkStoreStats,
  type CollectionQueue,
  checkedChunkStore,
  type Digest,
  DURABILITIES,
  type HasChunksOptions,
  isStreamingChunkStore,
  type PutChunkOptions,
  type PutChunkResult,
  type StreamingChunkStore,
} from "@ashlar/sdk/ports";
import { collectChunk } from "../chunk-api/index.ts";

/** What a {@link replicatedChunkStore} is made of. */
interface ReplicatedChunkStoreOptions {
  /** Tells a chunk that is lost from one that nobody knows. */
  readonly metadata: Pick<CollectionQueue, "knowsChunks">;
  readonly chunks: ReplicatedStore;
  readonly topology: Topology;
  readonly chunkMaxBytes: number;
  readonly hasher: Hasher;
}

type PutStreamOptions = PutChunkOptions & { readonly sizeBytes?: number | undefined };

/** The clients of the chunk API retry too: with all retries on both sides, each of their tries would become many. */
const ATTEMPTS = 2;

/**
 * All stores of a topology as one chunk store: what a gateway puts behind its chunk API. It says which nodes hold a chunk, for receipts.
 *
 * Each node deletes and lists its own chunks, so both are UNSUPPORTED here. `close()` leaves the topology open.
 */
export function replicatedChunkStore(options: ReplicatedChunkStoreOptions): StreamingChunkStore {
  const { chunks, topology, chunkMaxBytes } = options;
  return checkedChunkStore({
    capabilities: Object.freeze({ persistent: true, chunkMaxBytes, durabilities: DURABILITIES }),
    putChunk: (chunkId, bytes, put) => putChecked(options, chunkId, bytes, put ?? {}),
    putChunkStream: (chunkId, source, put) => putStream(options, chunkId, source, put ?? {}),
    async getChunk(chunkId, get) {
      try {
        // No size is known here. A whole chunk is checked all the same, because only this side can ask the next replica.
        return await chunks.get(chunkId, { ...get, grant: undefined, attempts: ATTEMPTS });
      } catch (error) {
        if (!AshlarError.is(error, "CHUNK_MISSING")) throw error;
        // If an object names it, it is lost: "absent" would be an ordinary answer (404), and nobody would be told. A database that is away cannot
        // tell.
        const [isKnown] = await options.metadata.knowsChunks([chunkId], { signal: get?.signal }).catch(() => [true]);
        if (isKnown) throw error;
        return undefined;
      }
    },
    hasChunks: (chunkIds, has) => hasChunks(topology, chunkIds, has),
    deleteChunks: unsupported,
    listChunks: unsupported,
    stats: (call) => sumStats(topology, call),
    close: async () => {},
  });
}

/**
 * Checks the digest of a chunk, then puts the chunk to its stores. Wrong bytes are the client's fault and go to no store. Otherwise they would be
 * sent to every store again, as if the network had damaged them. How soon they are refused also does not depend on what the stores hold.
 */
async function putChecked(
  { chunks, hasher }: ReplicatedChunkStoreOptions,
  chunkId: Digest,
  bytes: Uint8Array,
  options: PutChunkOptions,
): Promise<PutChunkResult> {
  if (options.digestVerified !== true && !bytesEqual(await hasher.digest(bytes), chunkId)) {
    throw new AshlarError("CHUNK_DIGEST_MISMATCH", "the bytes do not have the chunk id as their SHA-256", {
      details: { chunkId: encodeHex(chunkId) },
    });
  }
  // The client's write grant is not passed on: the nodes get the gateway's own.
  const trusted = { ...options, digestVerified: true, grant: undefined, attempts: ATTEMPTS };
  const { sizeBytes, alreadyPresent, replicas, ...put } = await chunks.put(chunkId, bytes, trusted);
  const { layoutVersion, nodeIds, missedNodeIds } = put;
  return { sizeBytes, alreadyPresent, replicas, holders: { layoutVersion, nodeIds, missedNodeIds } };
}

/**
 * Passes a stream on if the chunk has only one store and that store writes streams: it checks the digest on the way to the disk, and no chunk is held
 * here. For several stores the chunk is collected, because each of them may have to be tried again.
 */
async function putStream(
  options: ReplicatedChunkStoreOptions,
  chunkId: Digest,
  source: AsyncIterable<Uint8Array>,
  put: PutStreamOptions,
): Promise<PutChunkResult> {
  const { topology, chunkMaxBytes } = options;
  const { layoutVersion, stores } = await topology.writePlacement(chunkId, { signal: put.signal });
  const [only, second] = stores;
  if (only === undefined || second !== undefined || !isStreamingChunkStore(only.store)) {
    const bytes = await collectChunk(source, { sizeBytes: put.sizeBytes, chunkMaxBytes });
    return await putChecked(options, chunkId, bytes, put);
  }
  const result = await only.store.putChunkStream(chunkId, source, { ...put, grant: undefined });
  return { ...result, holders: { layoutVersion, nodeIds: [only.nodeId], missedNodeIds: [] } };
}

/**
 * With `claim`: a chunk is present if the write quorum of its placement holds it, and it is claimed there. Without: if any store holds it that a read
 * would ask, so that a chunk with few replicas left can still be read.
 */
async function hasChunks(
  topology: Topology,
  chunkIds: readonly Digest[],
  options: HasChunksOptions,
): Promise<ReadonlyArray<ChunkPresence | undefined>> {
  const wanted = await Promise.all(chunkIds.map((chunkId) => wantedOf(topology, chunkId, options)));
  const held = await askHolders(chunkIds, wanted, options);
  return wanted.map(({ layoutVersion, stores, enough }, index) => {
    const holders = held[index] ?? new Map<string, number>();
    const [sizeBytes] = holders.values();
    if (sizeBytes === undefined || holders.size < enough) return undefined;
    const missedNodeIds = stores.map((store) => store.nodeId).filter((nodeId) => !holders.has(nodeId));
    return { sizeBytes, holders: { layoutVersion, nodeIds: [...holders.keys()], missedNodeIds } };
  });
}

interface Wanted {
  readonly layoutVersion: number;
  readonly stores: readonly NamedStore[];
  /** How many holders make the chunk present. */
  readonly enough: number;
}

async function wantedOf(topology: Topology, chunkId: Digest, { claim, signal }: HasChunksOptions): Promise<Wanted> {
  if (!claim) return { layoutVersion: 0, stores: await topology.readCandidates(chunkId, { signal }), enough: 1 };
  const placement = await topology.writePlacement(chunkId, { signal });
  return { ...placement, enough: topology.writeQuorum(placement.stores.length) };
}

/** Asks each store once for all of its chunks. @returns for each chunk the sizes by node, as soon as every chunk has enough holders. */
function askHolders(
  chunkIds: readonly Digest[],
  wanted: readonly Wanted[],
  options: HasChunksOptions,
): Promise<ReadonlyArray<ReadonlyMap<string, number>>> {
  const held = chunkIds.map(() => new Map<string, number>());
  const asked = new Map<string, { readonly store: ChunkStore; readonly ids: Digest[]; readonly indexes: number[] }>();
  for (const [index, chunkId] of chunkIds.entries()) {
    for (const { nodeId, store } of wanted[index]?.stores ?? []) {
      const question = asked.get(nodeId) ?? { store, ids: [], indexes: [] };
      question.ids.push(chunkId);
      question.indexes.push(index);
      asked.set(nodeId, question);
    }
  }
  const answered = (): boolean => wanted.every(({ enough }, index) => (held[index]?.size ?? 0) >= enough);
  return new Promise((resolve) => {
    const questions = [...asked].map(async ([nodeId, { store, ids, indexes }]) => {
      // A store that does not answer counts as one that holds nothing.
      const answers = await store.hasChunks(ids, options).catch(() => []);
      for (const [position, index] of indexes.entries()) {
        const presence = answers[position];
        if (presence !== undefined) held[index]?.set(nodeId, presence.sizeBytes);
      }
      if (answered()) resolve(held);
    });
    void Promise.all(questions).then(() => resolve(held));
  });
}

/**
 * Adds up the chunks of all stores that answer, and gives the disk with the smallest free share. Disks are not added up: several stores may lie on
 * one disk, and a full disk stops writes whatever the others have.
 */
async function sumStats(topology: Topology, options: CallOptions | undefined): Promise<ChunkStoreStats> {
  const stores = await topology.allStores(options);
  const answers = await Promise.allSettled(stores.map(({ store }) => store.stats(options)));
  const all = answers.flatMap((answer) => (answer.status === "fulfilled" ? [answer.value] : []));
  const sum = (of: (stats: ChunkStoreStats) => number): number => all.reduce((total, stats) => total + of(stats), 0);
  const freeShare = ({ bytesFree = 0, bytesTotal = 0 }: ChunkStoreStats): number => bytesFree / bytesTotal;
  const [fullest] = all
    .filter(({ bytesTotal = 0 }) => bytesTotal > 0)
    .sort((left, right) => freeShare(left) - freeShare(right));
  return {
    chunkCount: sum((stats) => stats.chunkCount),
    bytesUsed: sum((stats) => stats.bytesUsed),
    bytesFree: fullest?.bytesFree,
    bytesTotal: fullest?.bytesTotal,
  };
}

async function unsupported(): Promise<never> {
  throw new AshlarError("UNSUPPORTED", "a gateway stores no chunks of its own; ask the nodes");
}
