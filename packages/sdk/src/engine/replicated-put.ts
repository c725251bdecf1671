import { AshlarError } from "../errors/index.ts";
import type { Digest } from "../hash/index.ts";
import { linkCall } from "../internal/failure-notes.ts";
import type { PutChunkOptions, PutChunkResult } from "../ports/index.ts";
import type { ReplicationContext } from "./replication-context.ts";
import { withRetry } from "./retry.ts";
import type { ChunkPlacement, NamedStore, ReplicatedPut } from "./topology.ts";

/** How long the replicas beyond the quorum may take longer than the quorum itself took, at least, in ms. */
const STRAGGLER_GRACE_MS = 100;

interface Ack {
  readonly serverId: string;
  readonly result: PutChunkResult;
}

/**
 * Writes one chunk to every store of its placement and answers when the write quorum holds it.
 *
 * The other replicas get a short grace, so that a healthy cluster has all copies and no repairs; then they are given up (their calls are
 * aborted, because the caller takes its buffer back) and reported as missed. Each store is tried with backoff by itself.
 *
 * @throws {AshlarError} the stores' own error where they agree on its code and it is not NODE_UNAVAILABLE, else QUORUM_NOT_REACHED with the causes.
 */
export async function putReplicated(
  context: ReplicationContext,
  chunkId: Digest,
  bytes: Uint8Array,
  options: PutChunkOptions,
): Promise<ReplicatedPut> {
  const { signal } = options;
  const placement = await withRetry(() => context.topology.writePlacement(chunkId, { signal }), { ...context, signal });
  if (placement.stores.length === 1) return putToOne(context, placement, chunkId, bytes, options);
  return new QuorumWrite(context, placement, chunkId, bytes, options).run();
}

async function putToOne(
  context: ReplicationContext,
  placement: ChunkPlacement,
  chunkId: Digest,
  bytes: Uint8Array,
  options: PutChunkOptions,
): Promise<ReplicatedPut> {
  const target = placement.stores[0] as NamedStore;
  const result = await putWithRetry(context, target, chunkId, bytes, options);
  return summarize(placement, [{ serverId: target.serverId, result }]);
}

function putWithRetry(
  context: ReplicationContext,
  target: NamedStore,
  chunkId: Digest,
  bytes: Uint8Array,
  options: PutChunkOptions,
): Promise<PutChunkResult> {
  return withRetry(() => target.store.putChunk(chunkId, bytes, options), {
    ...context,
    signal: options.signal,
    onRetry: (error, attempt) => {
      if (error.code === "NODE_UNAVAILABLE") context.suspects.add(target.serverId);
      context.logger.debug({ err: error, attempt, serverId: target.serverId }, "chunk write is tried again");
    },
  });
}

class QuorumWrite {
  readonly #context: ReplicationContext;
  readonly #placement: ChunkPlacement;
  readonly #chunkId: Digest;
  readonly #bytes: Uint8Array;
  readonly #options: PutChunkOptions;
  readonly #quorum: number;
  readonly #acks: Ack[] = [];
  readonly #failures: AshlarError[] = [];
  readonly #progress: number[];

  constructor(
    context: ReplicationContext,
    placement: ChunkPlacement,
    chunkId: Digest,
    bytes: Uint8Array,
    options: PutChunkOptions,
  ) {
    this.#context = context;
    this.#placement = placement;
    this.#chunkId = chunkId;
    this.#bytes = bytes;
    this.#options = options;
    this.#quorum = context.topology.writeQuorum(placement.stores.length);
    this.#progress = placement.stores.map(() => 0);
  }

  async run(): Promise<ReplicatedPut> {
    const startedAtMs = this.#context.clock.monotonicMs();
    const link = linkCall(this.#options.signal);
    try {
      let quorumReached = (): void => {};
      const quorum = new Promise<void>((resolve) => {
        quorumReached = resolve;
      });
      const writes = this.#placement.stores.map((target, index) =>
        this.#write(target, index, link.signal, quorumReached),
      );
      await quorum;
      if (this.#acks.length < this.#quorum) throw this.#error(link.signal);
      await this.#waitForStragglers(writes, startedAtMs);
      return summarize(this.#placement, this.#acks);
    } finally {
      link.abort(new AshlarError("CANCELED", "the write quorum was reached without this replica"));
      link.unlink();
    }
  }

  /** Never rejects: the outcome is kept in acks and failures; `decided` is called once more of either settles the quorum. */
  async #write(target: NamedStore, index: number, signal: AbortSignal, decided: () => void): Promise<void> {
    const onProgress = (transferred: number): void => {
      this.#progress[index] = transferred;
      const total = this.#progress.reduce((sum, each) => sum + each, 0);
      this.#options.onProgress?.(Math.floor(total / this.#progress.length));
    };
    try {
      const options = { ...this.#options, signal, ...(this.#options.onProgress ? { onProgress } : {}) };
      const result = await putWithRetry(this.#context, target, this.#chunkId, this.#bytes, options);
      this.#acks.push({ serverId: target.serverId, result });
      this.#context.suspects.delete(target.serverId);
    } catch (error) {
      this.#failures.push(AshlarError.from(error));
    }
    if (this.#acks.length >= this.#quorum) decided();
    if (this.#placement.stores.length - this.#failures.length < this.#quorum) decided();
  }

  async #waitForStragglers(writes: readonly Promise<void>[], startedAtMs: number): Promise<void> {
    const missing = (): readonly NamedStore[] =>
      this.#placement.stores.filter(
        (target) =>
          target.available &&
          !this.#context.suspects.has(target.serverId) &&
          !this.#acks.some((ack) => ack.serverId === target.serverId),
      );
    const awaited = missing();
    if (awaited.length === 0) return;
    const graceMs = Math.max(STRAGGLER_GRACE_MS, this.#context.clock.monotonicMs() - startedAtMs);
    const timer = new AbortController();
    const grace = this.#context.clock.sleep(graceMs, { signal: timer.signal }).catch(() => {});
    await Promise.race([
      Promise.all(writes.filter((_, index) => awaited.includes(this.#placement.stores[index] as NamedStore))),
      grace,
    ]);
    timer.abort();
    for (const target of missing()) this.#context.suspects.add(target.serverId);
  }

  #error(signal: AbortSignal): AshlarError {
    const [first] = this.#failures;
    if (this.#options.signal?.aborted) return AshlarError.from(first ?? signal.reason);
    this.#context.topology.invalidate();
    // What all stores say (a full disk, a denied grant) is the reason; that some cannot be reached is exactly what a missed quorum means.
    const agreed = this.#failures.every((failure) => failure.code === first?.code);
    if (first !== undefined && agreed && first.code !== "NODE_UNAVAILABLE") return first;
    const servers = this.#placement.stores.map((target) => target.serverId).join(",");
    return new AshlarError(
      "QUORUM_NOT_REACHED",
      `${this.#acks.length} of ${this.#quorum} acknowledgements needed for a chunk${first ? `; ${first.message}` : ""}`,
      {
        cause: new AggregateError(this.#failures),
        details: {
          servers,
          quorum: String(this.#quorum),
          codes: this.#failures.map((failure) => failure.code).join(","),
        },
      },
    );
  }
}

function summarize(placement: ChunkPlacement, acks: readonly Ack[]): ReplicatedPut {
  const serverIds = acks.map((ack) => ack.serverId);
  const held = new Set(serverIds);
  const [first] = acks as readonly [Ack, ...Ack[]];
  return {
    sizeBytes: first.result.sizeBytes,
    alreadyPresent: acks.every((ack) => ack.result.alreadyPresent),
    layoutVersion: placement.layoutVersion,
    serverIds,
    replicas: acks.reduce((sum, ack) => sum + (ack.result.replicas ?? 1), 0),
    missedServerIds: placement.stores.map((target) => target.serverId).filter((serverId) => !held.has(serverId)),
    receipts: acks.flatMap((ack) => (ack.result.receipt === undefined ? [] : [ack.result.receipt])),
  };
}
