import { AshlarError } from "../errors/index.ts";
import { bytesEqual, type Digest, encodeHex } from "../hash/digest.ts";
import { linkCall } from "../internal/failure-notes.ts";
import { linkAbort } from "../internal/linked-abort.ts";
import { LIMITS } from "../limits.ts";
import type {
  BytesProgress,
  ChunkHolders,
  Clock,
  GetChunkOptions,
  Hasher,
  Logger,
  PutChunkOptions,
  PutChunkResult,
  Random,
} from "../ports/index.ts";
import { type RetryPolicy, withRetry } from "./retry.ts";
import type { ChunkPlacement, NamedStore, Topology } from "./topology.ts";

/** Chunks on as many stores as the topology wants. */
export interface ReplicatedStore {
  /**
   * Writes one chunk to every store of its placement and answers when the write quorum holds it.
   *
   * The other replicas get a short grace, so that a healthy cluster has all copies and no repairs. Then they are reported as missed, and their calls
   * are aborted, because the caller takes its buffer back. Each store is tried again with a backoff of its own.
   *
   * @throws {AshlarError} the stores' own error if they agree on its code and it is not NODE_UNAVAILABLE, else QUORUM_NOT_REACHED with the causes.
   */
  put(chunkId: Digest, bytes: Uint8Array, options?: ReplicatedPutOptions): Promise<ReplicatedPut>;
  /**
   * Reads one chunk, or a range of it, from the first store that answers with the right bytes.
   *
   * Asks the candidates in order; the next one is asked when one fails, and also when it is slow (hedging). A whole chunk is checked against its
   * SHA-256, end to end; a range is checked by the store that serves it (block checksums). Before it says that no store has the chunk, it renews its
   * view of the cluster: a view from before the chunk was written lacks nodes that came later.
   *
   * @throws {AshlarError} CHUNK_MISSING if every candidate says absent, CHUNK_CORRUPT if only wrong bytes are left, NODE_UNAVAILABLE.
   */
  get(chunkId: Digest, options: ReplicatedGetOptions): Promise<Uint8Array>;
}

/** What {@link createReplicatedStore} takes. */
export interface ReplicationOptions {
  readonly topology: Topology;
  readonly hasher: Hasher;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  /** A read slower than this also asks the next replica; default HEDGE_AFTER_MS. */
  readonly hedgeAfterMs?: number | undefined;
}

/** How long and how often a call is tried. */
export interface Patience {
  /** For each of the chunk's stores; default: as {@link RetryPolicy}. */
  readonly retry?: RetryPolicy | undefined;
  /** Tries per replica, ≥ 1; default: as many as the time allows. */
  readonly attempts?: number | undefined;
}

/** Options of a replicated write. */
export interface ReplicatedPutOptions extends PutChunkOptions, Patience {}

/** What a replicated write did. */
export interface ReplicatedPut extends Omit<PutChunkResult, "holders">, ChunkHolders {
  readonly replicas: number;
  /** Receipts of the nodes, if they gave any. */
  readonly receipts: readonly string[];
}

/** Options of a replicated read. */
export interface ReplicatedGetOptions extends GetChunkOptions, Patience {
  /**
   * Length of the chunk in bytes, from the manifest: answers of another length are refused, and a whole chunk is checked against its
   * digest. Absent (a gateway that passes bytes on): nothing is checked here, the reader at the end checks.
   */
  readonly sizeBytes?: number | undefined;
}

/** Least extra time for the replicas beyond the quorum, in ms. If the quorum itself took longer than this, they get as long as it took. */
const STRAGGLER_GRACE_MS = 100;

/** How long a node that did not answer is asked last and not waited for, in ms. */
const SUSPECT_MS = 5000;

/** Makes one store of many: a write goes to the placement of each chunk until its quorum holds it, a read to a replica that answers. */
export function createReplicatedStore(options: ReplicationOptions): ReplicatedStore {
  const context: ReplicationContext = {
    ...options,
    hedgeAfterMs: options.hedgeAfterMs ?? LIMITS.HEDGE_AFTER_MS,
    suspects: createSuspects(options.clock),
  };
  return {
    put: (chunkId, bytes, { retry, attempts, ...putOptions } = {}) =>
      putChunk(context, { chunkId, bytes, options: putOptions, patience: { retry, attempts } }),
    get: (chunkId, getOptions) => getChunk(context, { chunkId, options: getOptions }),
  };
}

/** The options, completed; shared by all reads and writes. */
interface ReplicationContext extends ReplicationOptions {
  readonly hedgeAfterMs: number;
  readonly suspects: Suspects;
}

/** Nodes that failed lately. Only a hint about whom to ask first and how long to wait: a suspect is still asked. */
export interface Suspects {
  add(nodeId: string): void;
  has(nodeId: string): boolean;
  delete(nodeId: string): void;
}

export function createSuspects(clock: Clock): Suspects {
  const untilMs = new Map<string, number>();
  return {
    add: (nodeId) => void untilMs.set(nodeId, clock.monotonicMs() + SUSPECT_MS),
    has: (nodeId) => (untilMs.get(nodeId) ?? 0) > clock.monotonicMs(),
    delete: (nodeId) => void untilMs.delete(nodeId),
  };
}

interface Put {
  readonly chunkId: Digest;
  readonly bytes: Uint8Array;
  readonly options: PutChunkOptions;
  readonly patience: Patience;
}

interface Ack {
  readonly nodeId: string;
  readonly result: PutChunkResult;
}

async function putChunk(context: ReplicationContext, put: Put): Promise<ReplicatedPut> {
  const { signal } = put.options;
  const find = (): Promise<ChunkPlacement> => context.topology.writePlacement(put.chunkId, { signal });
  const placement = await withRetry(find, { ...context, ...put.patience, signal });
  const [only, second] = placement.stores;
  if (only === undefined || second !== undefined) return putToQuorum(context, placement, put);
  const result = await putToStore(context, only, put);
  return summarize(placement, put, [{ nodeId: only.nodeId, result }]);
}

function putToStore(context: ReplicationContext, target: NamedStore, put: Put): Promise<PutChunkResult> {
  const { chunkId, bytes, options } = put;
  return withRetry(() => target.store.putChunk(chunkId, bytes, options), {
    ...context,
    ...put.patience,
    signal: options.signal,
    onRetry: (error, attempt) => {
      if (error.code === "NODE_UNAVAILABLE") context.suspects.add(target.nodeId);
      context.logger.debug({ err: error, attempt, nodeId: target.nodeId }, "chunk write is tried again");
    },
  });
}

async function putToQuorum(context: ReplicationContext, placement: ChunkPlacement, put: Put): Promise<ReplicatedPut> {
  const { stores } = placement;
  const { signal, onProgress } = put.options;
  const quorum = context.topology.writeQuorum(stores.length);
  const acks: Ack[] = [];
  const failures: AshlarError[] = [];
  const startedAtMs = context.clock.monotonicMs();
  const meters = onProgress && meanProgress(stores.length, onProgress);
  const link = linkCall(signal);
  let decide = (): void => {};
  const decided = new Promise<void>((resolve) => {
    decide = resolve;
  });
  /** Never rejects: keeps the outcome in `acks` or `failures`, and ends the wait once these settle the quorum. */
  const write = async (target: NamedStore, index: number): Promise<void> => {
    try {
      const options = { ...put.options, signal: link.signal, ...(meters && { onProgress: meters[index] }) };
      const result = await putToStore(context, target, { ...put, options });
      acks.push({ nodeId: target.nodeId, result });
      context.suspects.delete(target.nodeId);
    } catch (error) {
      failures.push(AshlarError.from(error));
    }
    if (acks.length >= quorum || stores.length - failures.length < quorum) decide();
  };
  try {
    const writes = stores.map(write);
    await decided;
    if (acks.length < quorum) {
      if (signal?.aborted) throw AshlarError.from(failures[0] ?? link.signal.reason);
      context.topology.invalidate();
      throw quorumError(stores, { quorum, ackCount: acks.length, failures });
    }
    await waitForStragglers(context, stores, { acks, writes, startedAtMs });
    return summarize(placement, put, acks);
  } finally {
    link.abort(new AshlarError("CANCELED", "the write quorum was reached without this replica"));
    link.unlink();
  }
}

/** A meter for each of `count` replicas; reports how far they are on average. */
function meanProgress(count: number, onProgress: BytesProgress): readonly BytesProgress[] {
  const reached = new Array<number>(count).fill(0);
  return reached.map((_, index) => (transferredBytes) => {
    reached[index] = transferredBytes;
    onProgress(Math.floor(reached.reduce((sum, each) => sum + each, 0) / count));
  });
}

interface RunningWrites {
  readonly acks: readonly Ack[];
  /** One for each store, in order. */
  readonly writes: readonly Promise<void>[];
  readonly startedAtMs: number;
}

async function waitForStragglers(
  { clock, suspects }: ReplicationContext,
  stores: readonly NamedStore[],
  { acks, writes, startedAtMs }: RunningWrites,
): Promise<void> {
  const isMissing = ({ nodeId, available }: NamedStore): boolean =>
    available && !suspects.has(nodeId) && !acks.some((ack) => ack.nodeId === nodeId);
  const missing = stores.map(isMissing);
  const awaited = writes.filter((_, index) => missing[index]);
  if (awaited.length === 0) return;
  const graceMs = Math.max(STRAGGLER_GRACE_MS, clock.monotonicMs() - startedAtMs);
  const timer = new AbortController();
  const grace = clock.sleep(graceMs, { signal: timer.signal }).catch(() => {});
  await Promise.race([Promise.all(awaited), grace]);
  timer.abort();
  for (const target of stores.filter(isMissing)) suspects.add(target.nodeId);
}

interface MissedQuorum {
  readonly quorum: number;
  readonly ackCount: number;
  readonly failures: readonly AshlarError[];
}

function quorumError(stores: readonly NamedStore[], { quorum, ackCount, failures }: MissedQuorum): AshlarError {
  const [first] = failures;
  // An error that all stores give (a full disk, a denied grant) is the reason. NODE_UNAVAILABLE is not: it is what a missed quorum means.
  const agreed = failures.every((failure) => failure.code === first?.code);
  if (first !== undefined && agreed && first.code !== "NODE_UNAVAILABLE") return first;
  // The longest that a node was waited for in vain: who tries again counts it.
  const silentMs = Math.max(0, ...failures.map(({ details }) => Number(details.silentMs ?? 0) || 0));
  return new AshlarError(
    "QUORUM_NOT_REACHED",
    `${ackCount} of ${quorum} acknowledgements needed for a chunk${first ? `; ${first.message}` : ""}`,
    {
      cause: new AggregateError(failures),
      details: {
        nodes: stores.map((target) => target.nodeId).join(","),
        quorum: String(quorum),
        codes: failures.map((failure) => failure.code).join(","),
        ...(silentMs > 0 && { silentMs: String(silentMs) }),
      },
    },
  );
}

function summarize({ stores, layoutVersion }: ChunkPlacement, { bytes }: Put, acks: readonly Ack[]): ReplicatedPut {
  const nodeIds = acks.map((ack) => ack.nodeId);
  const held = new Set(nodeIds);
  return {
    sizeBytes: bytes.byteLength,
    alreadyPresent: acks.every((ack) => ack.result.alreadyPresent),
    layoutVersion,
    nodeIds,
    replicas: acks.reduce((sum, ack) => sum + (ack.result.replicas ?? 1), 0),
    missedNodeIds: stores.map((target) => target.nodeId).filter((nodeId) => !held.has(nodeId)),
    receipts: acks.flatMap((ack) => (ack.result.receipt === undefined ? [] : [ack.result.receipt])),
  };
}

interface Get {
  readonly chunkId: Digest;
  readonly options: ReplicatedGetOptions;
}

function getChunk(context: ReplicationContext, wanted: Get): Promise<Uint8Array> {
  const { signal, retry, attempts } = wanted.options;
  const find = (): Promise<readonly NamedStore[]> => context.topology.readCandidates(wanted.chunkId, { signal });
  return withRetry(
    async () => {
      const candidates = await find();
      try {
        return await readFrom(context, candidates, wanted);
      } catch (error) {
        if (!(AshlarError.is(error, "CHUNK_MISSING") || AshlarError.is(error, "CHUNK_CORRUPT"))) throw error;
        const asked = new Set(candidates.map(({ nodeId }) => nodeId));
        const unasked = (await find()).filter(({ nodeId }) => !asked.has(nodeId));
        if (unasked.length === 0) throw underOldView(context, error);
        return await readFrom(context, unasked, wanted);
      }
    },
    { ...context, retry, attempts, signal },
  );
}

/** Under a view that could not be renewed nobody knows that a chunk is missing: it may lie on nodes that came later. */
function underOldView({ topology }: ReplicationContext, error: AshlarError): AshlarError {
  const failure = topology.viewFailure?.();
  if (failure === undefined || error.code !== "CHUNK_MISSING") return error;
  const message = `${error.message} that the last view of the cluster has, and the view cannot be renewed`;
  return new AshlarError("NODE_UNAVAILABLE", message, { cause: failure, details: error.details });
}

/** The first good answer of the candidates; those that are up are asked first. */
function readFrom(context: ReplicationContext, candidates: readonly NamedStore[], wanted: Get): Promise<Uint8Array> {
  const { chunkId, options } = wanted;
  const rank = (each: NamedStore): number => (each.available && !context.suspects.has(each.nodeId) ? 0 : 1);
  const queue = candidates.toSorted((a, b) => rank(a) - rank(b));
  const failures: AshlarError[] = [];
  const link = linkAbort(options.signal);
  const onProgress = options.onProgress && furthest(options.onProgress);
  const read = { chunkId, options: { ...options, onProgress, signal: link.signal } };
  let asked = 0;
  /** In the order in which they were asked. */
  const running = new Set<NamedStore>();
  return new Promise<Uint8Array>((resolve, reject) => {
    const askNext = (): void => {
      const target = queue[asked];
      if (target === undefined) {
        if (running.size === 0) reject(noneAnswered(context, chunkId, { failures, asked }));
        return;
      }
      asked++;
      running.add(target);
      const hedge = linkAbort(link.signal);
      if (asked < queue.length) {
        context.clock.sleep(context.hedgeAfterMs, { signal: hedge.signal }).then(askNext, () => {});
      }
      const settled = (): void => {
        hedge.abort(undefined);
        hedge.unlink();
        running.delete(target);
      };
      askStore(context, target, read).then(
        (bytes) => {
          const slower = [...running].slice(0, [...running].indexOf(target));
          settled();
          if (bytes === undefined) return askNext();
          // Asked earlier, and still without an answer: the next chunks should not wait for them first.
          for (const { nodeId } of slower) context.suspects.add(nodeId);
          resolve(bytes);
        },
        (thrown: unknown) => {
          settled();
          const error = AshlarError.from(thrown);
          failures.push(error);
          if (link.signal.aborted) reject(error);
          else askNext();
        },
      );
    };
    askNext();
  }).finally(() => {
    link.abort(new AshlarError("CANCELED", "another replica answered first"));
    link.unlink();
  });
}

/** Reports the progress of the furthest of the replicas that are read side by side. */
function furthest(onProgress: BytesProgress): BytesProgress {
  let reached = 0;
  return (transferredBytes) => {
    if (transferredBytes <= reached) return;
    reached = transferredBytes;
    onProgress(transferredBytes);
  };
}

/** @returns `undefined` if the store does not have the chunk. */
async function askStore(
  context: ReplicationContext,
  { nodeId, store }: NamedStore,
  { chunkId, options }: Get,
): Promise<Uint8Array | undefined> {
  const { offset, length, grant, signal, onProgress, onSize } = options;
  try {
    const bytes = await store.getChunk(chunkId, {
      // A store gives a size only for a chunk whose file it has checked, so all replicas give the same size.
      ...{ offset, length, grant, signal, onSize },
      ...(onProgress && { onProgress }),
    });
    if (bytes !== undefined && (await isWanted(context, bytes, { chunkId, options }))) return bytes;
    const details = { nodeId, chunkId: encodeHex(chunkId) };
    if (bytes === undefined) {
      context.logger.warn(details, "replica is absent");
      return undefined;
    }
    context.logger.error(details, "replica is corrupt");
    throw new AshlarError("CHUNK_CORRUPT", "the bytes read are not those of the chunk", { details });
  } catch (thrown) {
    const error = AshlarError.from(thrown);
    if (error.code === "NODE_UNAVAILABLE") {
      context.suspects.add(nodeId);
      context.topology.invalidate();
    }
    throw error;
  }
}

async function isWanted(
  { hasher }: ReplicationContext,
  bytes: Uint8Array,
  { chunkId, options: { offset = 0, length, sizeBytes } }: Get,
): Promise<boolean> {
  if (sizeBytes === undefined) return true;
  const expectedBytes = Math.min(length ?? sizeBytes, sizeBytes - offset);
  if (bytes.byteLength !== expectedBytes) return false;
  return expectedBytes < sizeBytes || bytesEqual(await hasher.digest(bytes), chunkId);
}

function noneAnswered(
  { topology }: ReplicationContext,
  chunkId: Digest,
  { failures, asked }: { readonly failures: readonly AshlarError[]; readonly asked: number },
): AshlarError {
  // The next call for candidates gets a fresh view.
  topology.invalidate();
  const [first] = failures;
  // A replica that is away may hold what the others lack: that is worth another try.
  if (first !== undefined) return failures.find((failure) => failure.retryable) ?? first;
  const id = encodeHex(chunkId);
  return new AshlarError("CHUNK_MISSING", `no replica holds chunk ${id}`, {
    details: { chunkId: id, asked: String(asked) },
  });
}
