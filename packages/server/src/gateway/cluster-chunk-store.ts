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
import { gatherChunk } from "../chunk-api/index.ts";

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
    hasChunks: (chunkIds, has) => (has.claim ? claimChunks : findChunks)(topology, chunkIds, has),
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
  const { layoutVersion, nodeIds, missedNodeIds, standInNodeIds } = put;
  return { sizeBytes, alreadyPresent, replicas, holders: { layoutVersion, nodeIds, missedNodeIds, standInNodeIds } };
}

/**
 * Passes a stream on if the chunk has only one store and that store writes streams: it checks the digest on the way to the disk, and no chunk is held
 * here. For several stores the chunk is gathered in memory, because each of them may have to be tried again.
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
    const bytes = await gatherChunk(source, { sizeBytes: put.sizeBytes, chunkMaxBytes });
    return await putChecked(options, chunkId, bytes, put);
  }
  const result = await only.store.putChunkStream(chunkId, source, { ...put, grant: undefined });
  return { ...result, holders: { layoutVersion, nodeIds: [only.nodeId], missedNodeIds: [] } };
}

/** With `claim`: a chunk is present if the write quorum of its placement holds it, and it is claimed there. */
async function claimChunks(
  topology: Topology,
  chunkIds: readonly Digest[],
  options: HasChunksOptions,
): Promise<ReadonlyArray<ChunkPresence | undefined>> {
  const { signal } = options;
  const placements = await Promise.all(chunkIds.map((chunkId) => topology.writePlacement(chunkId, { signal })));
  const wanted = placements.map(({ stores }) => ({ stores, enough: topology.writeQuorum(stores.length) }));
  // A store that does not answer counts as one that holds nothing: then the chunk is sent again.
  const { held } = await askHolders(chunkIds, wanted, options);
  return placements.map(({ layoutVersion, stores }, index) => {
    const holders = held[index] ?? new Map<string, number>();
    const [sizeBytes] = holders.values();
    if (sizeBytes === undefined || holders.size < (wanted[index]?.enough ?? 1)) return undefined;
    const missedNodeIds = stores.map((store) => store.nodeId).filter((nodeId) => !holders.has(nodeId));
    return { sizeBytes, holders: { layoutVersion, nodeIds: [...holders.keys()], missedNodeIds } };
  });
}

/**
 * Without `claim`: a chunk is present if any store holds it that a read would ask, so that a chunk with few replicas left can still be read. As with a
 * read, a chunk is absent only if all stores of a renewed view said so.
 *
 * @throws {AshlarError} NODE_UNAVAILABLE if a chunk was not found, and a store that may hold it did not answer.
 */
async function findChunks(
  topology: Topology,
  chunkIds: readonly Digest[],
  options: HasChunksOptions,
): Promise<ReadonlyArray<ChunkPresence | undefined>> {
  const { signal } = options;
  const candidatesOf = (ids: readonly Digest[]): Promise<Wanted[]> =>
    Promise.all(ids.map(async (id) => ({ stores: await topology.readCandidates(id, { signal }), enough: 1 })));
  const wanted = await candidatesOf(chunkIds);
  const first = await askHolders(chunkIds, wanted, options);
  const found = first.held.map((holders) => presenceAt(holders));
  const open = chunkIds.flatMap((chunkId, index) => (found[index] === undefined ? [{ chunkId, index }] : []));
  if (open.length === 0) return found;
  topology.invalidate();
  const openIds = open.map(({ chunkId }) => chunkId);
  const renewed = await candidatesOf(openIds);
  const others = renewed.map(({ stores, enough }, position) => {
    const asked = new Set(wanted[open[position]?.index ?? 0]?.stores.map(({ store }) => store));
    return { stores: stores.filter(({ store }) => !asked.has(store)), enough };
  });
  const second = await askHolders(openIds, others, options);
  for (const [position, { index }] of open.entries()) found[index] = presenceAt(second.held[position]);
  const failure = first.failures[0] ?? second.failures[0] ?? topology.viewFailure?.();
  if (failure !== undefined && open.some(({ index }) => found[index] === undefined)) {
    if (signal?.aborted) throw failure;
    const message = `chunks were not found, and not every node could be asked: ${failure.message}`;
    throw new AshlarError("NODE_UNAVAILABLE", message, { cause: failure });
  }
  return found;
}

function presenceAt(holders: ReadonlyMap<string, number> | undefined): ChunkPresence | undefined {
  const [sizeBytes] = holders?.values() ?? [];
  if (holders === undefined || sizeBytes === undefined) return undefined;
  return { sizeBytes, holders: { layoutVersion: 0, nodeIds: [...holders.keys()], missedNodeIds: [] } };
}

interface Wanted {
  readonly stores: readonly NamedStore[];
  /** How many holders make the chunk present. */
  readonly enough: number;
}

interface Asked {
  /** For each chunk its sizes by node. */
  readonly held: ReadonlyArray<ReadonlyMap<string, number>>;
  /** Of stores that did not answer. */
  readonly failures: readonly AshlarError[];
}

/** Asks each store once for all of its chunks. Answers as soon as every chunk has enough holders. */
function askHolders(chunkIds: readonly Digest[], wanted: readonly Wanted[], options: HasChunksOptions): Promise<Asked> {
  const held = chunkIds.map(() => new Map<string, number>());
  const failures: AshlarError[] = [];
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
      try {
        const answers = await store.hasChunks(ids, options);
        for (const [position, index] of indexes.entries()) {
          const presence = answers[position];
          if (presence !== undefined) held[index]?.set(nodeId, presence.sizeBytes);
        }
      } catch (error) {
        failures.push(AshlarError.from(error));
      }
      if (answered()) resolve({ held, failures });
    });
    void Promise.all(questions).then(() => resolve({ held, failures }));
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
