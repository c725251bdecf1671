import { AshlarError, type ErrorCode } from "../errors/index.ts";
import { bytesEqual, type Digest, encodeHex } from "../hash/digest.ts";
import { linkCall } from "../internal/failure-notes.ts";
import { linkAbort } from "../internal/linked-abort.ts";
import * as LIMITS from "../limit-values.ts";
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
import { isRefusal } from "./claims-and-tickets.ts";
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
   * SHA-256, end to end; a range is checked by the store that serves it (block checksums). Before it fails, it renews its view of the cluster and asks
   * the nodes that it did not know: a view from before the chunk was written lacks nodes that came later.
   *
   * @throws {AshlarError} CHUNK_MISSING if every candidate of a renewed view says absent, CHUNK_CORRUPT if only wrong bytes are left, NODE_UNAVAILABLE
   *   if a candidate is away, or if the view cannot be renewed.
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
  /** Called for each copy that a read finds missing or damaged, for repair and metrics. Must not throw. */
  readonly onBadCopy?: ((copy: BadCopy) => void) | undefined;
}

/** A copy that a read could not use. A node that did not answer is none: it may hold the chunk. */
export interface BadCopy {
  readonly chunkId: Digest;
  readonly nodeId: string;
  /** `absent` may be right: the node may belong to a newer layout than the chunk. */
  readonly fault: "absent" | "corrupt";
  /** Not every layout in use places the chunk there: while copies move, the node need not have it yet. */
  readonly mayLack?: boolean | undefined;
}

/** The object for which a chunk is read. */
export interface ReadFor {
  readonly bucket: string;
  readonly key: string;
}

/** How long and how often a call is tried. */
export interface Patience {
  /** For each of the chunk's stores; default: as {@link RetryPolicy}. */
  readonly retry?: RetryPolicy | undefined;
  /** Tries per replica, ≥ 1; default: as many as the time allows. */
  readonly attempts?: number | undefined;
}

/** A grant that can be renewed. */
export interface RenewableGrant {
  /**
   * Gets another grant, once for each store that refuses the first: it may have ended by that store's clock.
   *
   * @returns `refused` again, or `undefined`, if there is no other.
   */
  readonly renewGrant?: ((refused: string) => Promise<string | undefined>) | undefined;
}

/** Options of a replicated write. */
export interface ReplicatedPutOptions extends PutChunkOptions, Patience, RenewableGrant {}

/** What a replicated write did. */
export interface ReplicatedPut extends Omit<PutChunkResult, "holders">, ChunkHolders {
  readonly replicas: number;
  /** Receipts of the nodes, if they gave any. */
  readonly receipts: readonly string[];
}

/** Options of a replicated read. */
export interface ReplicatedGetOptions extends GetChunkOptions, Patience, RenewableGrant {
  /**
   * Length of the chunk in bytes, from the manifest: answers of another length are refused, and a whole chunk is checked against its
   * digest. Absent (a gateway that passes bytes on): answers that are the whole chunk by the node's own word are checked against the digest.
   */
  readonly sizeBytes?: number | undefined;
  /** For log lines. */
  readonly readFor?: ReadFor | undefined;
  /** A node whose copy is being repaired: it is not told again to `onBadCopy`. */
  readonly queuedNodeId?: string | undefined;
  /** Whether nodes are asked, too, that no layout in use names for the chunk, when the others have it not: copies of older layouts may still be there. */
  readonly askAll?: boolean | undefined;
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
    away: createSuspects(options.clock),
    refusing: createSuspects(options.clock),
  };
  return {
    put: (chunkId, bytes, { retry, attempts, renewGrant, ...putOptions } = {}) =>
      putChunk(context, { chunkId, bytes, options: putOptions, patience: { retry, attempts }, renewGrant }),
    get: (chunkId, getOptions) => getChunk(context, { chunkId, options: getOptions }),
  };
}

/** The options, completed; shared by all reads and writes. */
interface ReplicationContext extends ReplicationOptions {
  readonly hedgeAfterMs: number;
  readonly suspects: Suspects;
  /** Of the suspects, those that did not answer at all. One that is only slow needs nobody to stand in for it: under load that would double the load. */
  readonly away: Suspects;
  /** Nodes that lately refused a grant that was new: for these no grant is renewed again. */
  readonly refusing: Suspects;
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

function noteAway({ suspects, away }: ReplicationContext, nodeId: string): void {
  suspects.add(nodeId);
  away.add(nodeId);
}

interface Put extends RenewableGrant {
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

/** @param onAway called when the store did not answer, and is tried again. */
function putToStore(
  context: ReplicationContext,
  target: NamedStore,
  put: Put,
  onAway: () => void = () => {},
): Promise<PutChunkResult> {
  const { chunkId, bytes, options } = put;
  const write = renewing(context, target, { ...options, renewGrant: put.renewGrant });
  return withRetry(() => write((grant) => target.store.putChunk(chunkId, bytes, { ...options, grant })), {
    ...context,
    ...put.patience,
    signal: options.signal,
    onRetry: (error, attempt) => {
      if (error.code === "NODE_UNAVAILABLE") {
        noteAway(context, target.nodeId);
        onAway();
      }
      context.logger.debug({ err: error, attempt, nodeId: target.nodeId }, "chunk write is tried again");
    },
  });
}

/**
 * Runs a call of a store with a grant. If the store refuses the grant, renews it and runs the call once more; later calls take the new one.
 *
 * @throws {AshlarError} NODE_UNAVAILABLE if the store does not take a grant that was given just now either: that is the fault of the cluster, and
 *   not of the caller. Errors of `renewGrant`.
 */
function renewing(
  { refusing }: ReplicationContext,
  { nodeId }: Pick<NamedStore, "nodeId">,
  { grant: given, renewGrant }: RenewableGrant & { readonly grant?: string | undefined },
): <T>(call: (grant: string | undefined) => Promise<T>) => Promise<T> {
  let grant = given;
  let isNew = false;
  return async (call) => {
    for (;;) {
      try {
        return await call(grant);
      } catch (error) {
        if (grant === undefined || renewGrant === undefined) throw error;
        if (!isRefusal(error)) {
          // A later try may come when this grant has ended.
          isNew = false;
          throw error;
        }
        if (isNew || refusing.has(nodeId)) {
          if (error.code !== "UNAUTHENTICATED") throw error;
          if (isNew) refusing.add(nodeId);
          throw refusedAnew(nodeId, error);
        }
        const renewed = await renewGrant(grant);
        if (renewed === undefined || renewed === grant) throw error;
        grant = renewed;
        isNew = true;
      }
    }
  };
}

/** The error for a node that refuses what its gateway has just signed. If it takes that for old, its clock is ahead by as much. */
function refusedAnew(nodeId: string, cause: AshlarError): AshlarError {
  const ageMs = Number(cause.details.grantAgeMs);
  const why =
    ageMs > 0
      ? `the clock of ${nodeId} is ${roughly(ageMs)} ahead of the gateway's: set both right (NTP)`
      : "give all servers of the cluster the same CLUSTER_KEY, and clocks that agree within a minute";
  return new AshlarError(
    "NODE_UNAVAILABLE",
    `${nodeId} refuses a grant that the gateway has just given (${cause.message}); ${why}`,
    { cause, details: { nodeId, ...(ageMs > 0 && { clockAheadMs: String(ageMs) }) } },
  );
}

const roughly = (ms: number): string =>
  ms < 5_400_000 ? `${Math.round(ms / 60_000)} min` : `${Math.round(ms / 3_600_000)} h`;

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
  const targets: NamedStore[] = [];
  const writes: Promise<void>[] = [];
  /** Of the targets, those without an outcome yet. */
  const pending = new Set<NamedStore>();
  /** Never rejects: keeps the outcome in `acks` or `failures`, and ends the wait once these settle the quorum. */
  const write = async (target: NamedStore, meter: BytesProgress | undefined): Promise<void> => {
    try {
      const options = { ...put.options, signal: link.signal, ...(meter && { onProgress: meter }) };
      const result = await putToStore(context, target, { ...put, options }, handOff);
      acks.push({ nodeId: target.nodeId, result });
      context.suspects.delete(target.nodeId);
      context.away.delete(target.nodeId);
    } catch (error) {
      failures.push(AshlarError.from(error));
      if (AshlarError.is(error, "NODE_UNAVAILABLE")) noteAway(context, target.nodeId);
    }
    pending.delete(target);
    handOff();
    if (acks.length >= quorum || acks.length + pending.size < quorum) decide();
  };
  const begin = (target: NamedStore): void => {
    const meter = meters?.[targets.length % stores.length];
    targets.push(target);
    pending.add(target);
    writes.push(write(target, meter));
  };
  let standIns: NamedStore[] | undefined;
  /** Begins to write to stand-ins, while fewer stores than the quorum have the chunk or are likely to take it. */
  const handOff = (): void => {
    const isLikely = ({ nodeId, available }: NamedStore): boolean => available && !context.away.has(nodeId);
    const likely = [...pending].filter(isLikely).length;
    // Every other refusal would be the same elsewhere. Full disks alone are told: the other nodes must not fill unseen.
    const isAway = likely < pending.size || failures.some(({ code }) => code === "NODE_UNAVAILABLE");
    if (!isAway || !failures.every(({ code }) => code === "NODE_UNAVAILABLE" || code === "DISK_FULL")) return;
    while (acks.length + [...pending].filter(isLikely).length < quorum) {
      standIns ??= (placement.standIns?.() ?? []).filter(isLikely);
      const next = standIns.shift();
      if (next === undefined || link.signal.aborted) return;
      context.logger.debug({ nodeId: next.nodeId }, "a chunk goes to a node that stands in for others");
      begin(next);
    }
  };
  try {
    for (const target of stores) begin(target);
    handOff();
    await decided;
    if (acks.length < quorum) {
      if (signal?.aborted) throw AshlarError.from(failures[0] ?? link.signal.reason);
      context.topology.invalidate();
      throw quorumError(targets, { quorum, ackCount: acks.length, failures });
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
    // A stand-in counts for the replica in whose place it is.
    reached[index] = Math.max(reached[index] ?? 0, transferredBytes);
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

function summarize({ stores, layoutVersion }: ChunkPlacement, { bytes }: Put, all: readonly Ack[]): ReplicatedPut {
  const placed = stores.map((target) => target.nodeId);
  const own = all.filter((ack) => placed.includes(ack.nodeId));
  const missedNodeIds = placed.filter((nodeId) => !own.some((ack) => ack.nodeId === nodeId));
  // A copy too many, of a stand-in that was not needed in the end, is collected like others that no layout wants.
  const standIns = all.filter((ack) => !own.includes(ack)).slice(0, missedNodeIds.length);
  const acks = [...own, ...standIns];
  return {
    sizeBytes: bytes.byteLength,
    alreadyPresent: acks.every((ack) => ack.result.alreadyPresent),
    layoutVersion,
    nodeIds: acks.map((ack) => ack.nodeId),
    replicas: acks.reduce((sum, ack) => sum + (ack.result.replicas ?? 1), 0),
    missedNodeIds,
    ...(standIns.length > 0 && { standInNodeIds: standIns.map((ack) => ack.nodeId) }),
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
        if (signal?.aborted || !ABOUT_REPLICAS.some((code) => AshlarError.is(error, code))) throw error;
        // The view is renewed now. A node that moved has another store.
        const asked = new Set(candidates.map(({ store }) => store));
        const { askAll = false } = wanted.options;
        const { topology } = context;
        const others = await topology.readCandidates(wanted.chunkId, { signal, standIns: true });
        const all = askAll ? await topology.allStores({ signal }) : [];
        const strangers = all.filter(({ nodeId }) => !others.some((other) => other.nodeId === nodeId));
        const unasked = [...others, ...strangers.map((store) => ({ ...store, isStandIn: true }))].filter(
          ({ store }) => !asked.has(store),
        );
        try {
          if (unasked.length === 0) throw error;
          return await readFromOthers(context, unasked, { ...wanted, error });
        } catch (last) {
          throw viewProblem(context, wanted, last) ?? last;
        }
      }
    },
    { ...context, retry, attempts, signal },
  );
}

/** With these a read ends that other nodes might still answer. */
const ABOUT_REPLICAS: readonly ErrorCode[] = ["CHUNK_MISSING", "CHUNK_CORRUPT", "NODE_UNAVAILABLE"];

/** Reads from nodes that were not asked yet. If these have nothing either, the `error` of the others says more. */
async function readFromOthers(
  context: ReplicationContext,
  unasked: readonly NamedStore[],
  { error, ...wanted }: Get & { readonly error: unknown },
): Promise<Uint8Array> {
  try {
    return await readFrom(context, unasked, wanted);
  } catch (second) {
    throw AshlarError.is(second, "CHUNK_MISSING") ? error : second;
  }
}

/** An error to try again with, if the nodes of an old view do not have a chunk and there is no newer view: nodes that came later may have it. */
function viewProblem({ topology }: ReplicationContext, { chunkId }: Get, cause: unknown): AshlarError | undefined {
  const failure = topology.viewFailure?.();
  if (failure === undefined || !(AshlarError.is(cause, "CHUNK_MISSING") || AshlarError.is(cause, "CHUNK_CORRUPT")))
    return undefined;
  const id = encodeHex(chunkId);
  return new AshlarError(
    "NODE_UNAVAILABLE",
    `no node that is known here has chunk ${id}, and the view of the cluster cannot be renewed: ${failure.message}`,
    { cause, details: { chunkId: id } },
  );
}

/** The first good answer of the candidates; those that are up are asked first. */
function readFrom(context: ReplicationContext, candidates: readonly NamedStore[], wanted: Get): Promise<Uint8Array> {
  const { chunkId, options } = wanted;
  const rank = (each: NamedStore): number =>
    each.available && !context.suspects.has(each.nodeId) && !context.refusing.has(each.nodeId) ? 0 : 1;
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
  { nodeId, store, mayLack, isStandIn }: NamedStore,
  read: Get,
): Promise<Uint8Array | undefined> {
  const { chunkId, options } = read;
  const { offset, length, signal, onProgress, onSize } = options;
  let toldBytes: number | undefined;
  try {
    const bytes = await renewing(
      context,
      { nodeId },
      options,
    )((grant) =>
      store.getChunk(chunkId, {
        ...{ offset, length, grant, signal },
        onSize: (sizeBytes) => {
          toldBytes = sizeBytes;
        },
        ...(onProgress && { onProgress }),
      }),
    );
    if (bytes === undefined) {
      if (isStandIn !== true) noteBadCopy(context, read, { nodeId, fault: "absent", mayLack });
      return undefined;
    }
    if (!(await isWanted(context, bytes, { ...read, toldBytes }))) {
      const details = { nodeId, chunkId: encodeHex(chunkId) };
      throw new AshlarError("CHUNK_CORRUPT", "the bytes read are not those of the chunk", { details });
    }
    // Only now: a store that sends wrong bytes may tell a wrong size.
    if (toldBytes !== undefined) onSize?.(toldBytes);
    return bytes;
  } catch (thrown) {
    const error = AshlarError.from(thrown);
    if (error.code === "CHUNK_CORRUPT") noteBadCopy(context, read, { nodeId, fault: "corrupt", error });
    if (error.code === "NODE_UNAVAILABLE") {
      noteAway(context, nodeId);
      context.topology.invalidate();
    }
    throw error;
  }
}

/** Logs a copy that is missing or damaged, and tells `onBadCopy`, who knows whether it is known to be missing, and logs it if not. */
function noteBadCopy(
  { logger, onBadCopy }: ReplicationContext,
  { chunkId, options: { readFor, queuedNodeId } }: Get,
  {
    nodeId,
    fault,
    mayLack,
    error,
  }: Pick<BadCopy, "nodeId" | "fault"> & Pick<NamedStore, "mayLack"> & { readonly error?: AshlarError },
): void {
  const fields = { nodeId, chunkId: encodeHex(chunkId), ...readFor };
  if (fault === "absent") logger[mayLack === true || onBadCopy ? "debug" : "warn"](fields, "replica is absent");
  else logger.error({ ...fields, problem: error?.details.problem ?? error?.message }, "replica is corrupt");
  if (nodeId !== queuedNodeId) onBadCopy?.({ chunkId, nodeId, fault, mayLack });
}

/** Whether an answer has the right length, and the right digest if it is a whole chunk. @param read.toldBytes size of the chunk by its store. */
async function isWanted(
  { hasher }: ReplicationContext,
  bytes: Uint8Array,
  { chunkId, toldBytes, options }: Get & { readonly toldBytes: number | undefined },
): Promise<boolean> {
  const { offset = 0, length, sizeBytes = toldBytes } = options;
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
