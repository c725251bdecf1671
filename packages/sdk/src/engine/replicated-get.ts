import { AshlarError } from "../errors/index.ts";
import { bytesEqual, type Digest, encodeHex } from "../hash/digest.ts";
import { linkAbort } from "../internal/linked-abort.ts";
import type { GetChunkOptions } from "../ports/index.ts";
import type { ReplicationContext } from "./replication-context.ts";
import { withRetry } from "./retry.ts";
import type { NamedStore } from "./topology.ts";

/** Options of a replicated read. */
export interface ReplicatedGetOptions extends GetChunkOptions {
  /**
   * Length of the chunk in bytes as the manifest tells it: answers of another length are refused, and a whole chunk is checked against its
   * digest. Absent (a gateway that passes bytes on): nothing is checked here, the reader at the end does it.
   */
  readonly sizeBytes?: number | undefined;
}

/**
 * Reads one chunk, or a range of it, from the first store that answers with the right bytes.
 *
 * Asks the candidates in order; the next one is asked when one fails, and also when it is slow (hedging). A whole chunk is checked against its
 * SHA-256, end to end; a range is checked by whoever serves it (block checksums). That none has it is said only of the candidates of now: a view of
 * the cluster from before the chunk was written knows nothing of servers that came meanwhile.
 *
 * @throws {AshlarError} CHUNK_MISSING if every candidate says absent, CHUNK_CORRUPT if only wrong bytes are left, NODE_UNAVAILABLE.
 */
export function getReplicated(
  context: ReplicationContext,
  chunkId: Digest,
  options: ReplicatedGetOptions,
): Promise<Uint8Array> {
  return withRetry(
    async () => {
      const candidates = await context.topology.readCandidates(chunkId, { signal: options.signal });
      try {
        return await readFrom(context, candidates, chunkId, options);
      } catch (error) {
        if (!(AshlarError.is(error, "CHUNK_MISSING") || AshlarError.is(error, "CHUNK_CORRUPT"))) throw error;
        const asked = new Set(candidates.map(({ serverId }) => serverId));
        const ofNow = await context.topology.readCandidates(chunkId, { signal: options.signal });
        const unasked = ofNow.filter(({ serverId }) => !asked.has(serverId));
        if (unasked.length === 0) throw error;
        return await readFrom(context, unasked, chunkId, options);
      }
    },
    { ...context, signal: options.signal },
  );
}

function readFrom(
  context: ReplicationContext,
  candidates: readonly NamedStore[],
  chunkId: Digest,
  options: ReplicatedGetOptions,
): Promise<Uint8Array> {
  const ready = (each: NamedStore): number => (each.available && !context.suspects.has(each.serverId) ? 0 : 1);
  return new HedgedRead(
    context,
    candidates.toSorted((a, b) => ready(a) - ready(b)),
    chunkId,
    options,
  ).run();
}

class HedgedRead {
  readonly #context: ReplicationContext;
  readonly #candidates: readonly NamedStore[];
  readonly #chunkId: Digest;
  readonly #options: ReplicatedGetOptions;
  readonly #failures: AshlarError[] = [];
  #asked = 0;
  #absent = 0;
  #progress = 0;

  constructor(
    context: ReplicationContext,
    candidates: readonly NamedStore[],
    chunkId: Digest,
    options: ReplicatedGetOptions,
  ) {
    this.#context = context;
    this.#candidates = candidates;
    this.#chunkId = chunkId;
    this.#options = options;
  }

  run(): Promise<Uint8Array> {
    const link = linkAbort(this.#options.signal);
    return new Promise<Uint8Array>((resolve, reject) => {
      let open = 0;
      const askNext = (): void => {
        const target = this.#candidates[this.#asked];
        if (target === undefined) {
          if (open === 0) reject(this.#error());
          return;
        }
        this.#asked++;
        open++;
        const hedge = linkAbort(link.signal);
        if (this.#asked < this.#candidates.length) {
          this.#context.clock.sleep(this.#context.hedgeAfterMs, { signal: hedge.signal }).then(askNext, () => {});
        }
        this.#ask(target, link.signal).then(
          (bytes) => {
            hedge.abort(undefined);
            hedge.unlink();
            open--;
            if (bytes === undefined) askNext();
            else resolve(bytes);
          },
          (error: unknown) => {
            hedge.abort(undefined);
            hedge.unlink();
            open--;
            this.#failures.push(AshlarError.from(error));
            if (link.signal.aborted) reject(AshlarError.from(error));
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

  async #ask(target: NamedStore, signal: AbortSignal): Promise<Uint8Array | undefined> {
    const { offset, length, grant, onProgress } = this.#options;
    const report =
      onProgress &&
      ((transferred: number): void => {
        if (transferred <= this.#progress) return;
        this.#progress = transferred;
        onProgress(transferred);
      });
    try {
      const bytes = await target.store.getChunk(this.#chunkId, {
        offset,
        length,
        grant,
        signal,
        ...(report ? { onProgress: report } : {}),
      });
      if (bytes === undefined) {
        this.#absent++;
        this.#context.logger.warn(
          { serverId: target.serverId, chunkId: encodeHex(this.#chunkId) },
          "replica is absent",
        );
        return undefined;
      }
      await this.#verify(bytes, target);
      return bytes;
    } catch (thrown) {
      const error = AshlarError.from(thrown);
      if (error.code === "NODE_UNAVAILABLE") {
        this.#context.suspects.add(target.serverId);
        this.#context.topology.invalidate();
      }
      throw error;
    }
  }

  async #verify(bytes: Uint8Array, target: NamedStore): Promise<void> {
    const { offset = 0, length, sizeBytes } = this.#options;
    if (sizeBytes === undefined) return;
    const expectedBytes = Math.min(length ?? sizeBytes, sizeBytes - offset);
    const whole = expectedBytes === sizeBytes;
    if (
      bytes.byteLength === expectedBytes &&
      (!whole || bytesEqual(await this.#context.hasher.digest(bytes), this.#chunkId))
    )
      return;
    const details = { serverId: target.serverId, chunkId: encodeHex(this.#chunkId) };
    this.#context.logger.error(details, "replica is corrupt");
    throw new AshlarError("CHUNK_CORRUPT", "the bytes read are not those of the chunk", { details });
  }

  #error(): AshlarError {
    // Whoever asks for candidates next gets those of now.
    this.#context.topology.invalidate();
    const chunkId = encodeHex(this.#chunkId);
    const [first] = this.#failures;
    if (first === undefined) {
      return new AshlarError("CHUNK_MISSING", `no replica holds chunk ${chunkId}`, {
        details: { chunkId, asked: String(this.#absent) },
      });
    }
    // A replica that is away may hold what the others lack: that is worth another try.
    return this.#failures.find((failure) => failure.retryable) ?? first;
  }
}
