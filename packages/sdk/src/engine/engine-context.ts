import type { Chunker } from "../chunking/chunker.ts";
import { fixed } from "../chunking/fixed.ts";
import { createSemaphore, type Semaphore } from "../internal/semaphore.ts";
import * as LIMITS from "../limit-values.ts";
import type { Catalog, Clock, Durability, GrantSource, Hasher, Logger, Random } from "../ports/index.ts";
import { createTicketCache, type TicketCache } from "./claims-and-tickets.ts";
import { createReplicatedStore, type ReplicatedStore } from "./replicated-store.ts";
import { type RetryPolicy, retrying } from "./retry.ts";
import type { Topology } from "./topology.ts";

/** What {@link createEngine} takes. */
export interface EngineOptions {
  readonly catalog: Catalog;
  /** Closed with the engine. */
  readonly topology: Topology;
  readonly hasher: Hasher;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  /** Where tickets come from, in seats that need them (gateway, direct). */
  readonly grants?: GrantSource | undefined;
  /** Objects up to this many bytes live in their metadata row; default INLINE_MAX_BYTES, 0 turns it off. */
  readonly inlineMaxBytes?: number | undefined;
  /** Default `fixed(CHUNK_DEFAULT_BYTES)`. */
  readonly chunker?: Chunker | undefined;
  /** Default `strict`. */
  readonly durability?: Durability | undefined;
  /** How long the stores keep a claimed chunk; default CLAIM_TTL_MS. A commit that comes in the last 24th of it, or later, is refused. */
  readonly claimTtlMs?: number | undefined;
  readonly hedgeAfterMs?: number | undefined;
  /** Chunks that all writes together store side by side, however many writes there are; default: each write has its own concurrency. */
  readonly chunkWritesMax?: number | undefined;
  /** How long calls of the catalog, the grants and the chunk stores are tried again; default RETRY_FOR_MS for all. */
  readonly retry?: RetryPolicy | undefined;
  /** The same for calls of the chunk stores only; default `retry`. */
  readonly chunkRetry?: RetryPolicy | undefined;
  /** A replicated store over the same topology, if the process has one already; default: the engine makes its own, with `hedgeAfterMs`. */
  readonly chunks?: ReplicatedStore | undefined;
}

/** The options, completed; what every operation of the engine works with. */
export interface EngineContext {
  /** Tries its calls again by itself. */
  readonly catalog: Catalog;
  readonly chunks: ReplicatedStore;
  /** For calls of `chunks`. */
  readonly chunkRetry: RetryPolicy | undefined;
  readonly tickets: TicketCache | undefined;
  readonly hasher: Hasher;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly inlineMaxBytes: number;
  readonly chunker: Chunker;
  readonly durability: Durability;
  readonly claimTtlMs: number;
  /** A permit for each chunk that is being stored, if all writes share the permits. */
  readonly chunkWrites: Semaphore | undefined;
  /** Aborted with STORE_CLOSED when the engine closes; every transfer follows it. */
  readonly closing: AbortSignal;
}

/** @param closing becomes the context's. */
export function createEngineContext(options: EngineOptions, closing: AbortSignal): EngineContext {
  const { catalog, topology, hasher, clock, random, logger, grants, hedgeAfterMs, retry, chunkRetry = retry } = options;
  const patience = { clock, random, retry };
  return Object.freeze({
    catalog: retrying(catalog, patience),
    chunks: options.chunks ?? createReplicatedStore({ topology, hasher, clock, random, logger, hedgeAfterMs }),
    chunkRetry,
    tickets: grants && createTicketCache(retrying(grants, patience), clock, closing),
    hasher,
    clock,
    random,
    logger,
    inlineMaxBytes: options.inlineMaxBytes ?? LIMITS.INLINE_MAX_BYTES,
    chunker: options.chunker ?? fixed(LIMITS.CHUNK_DEFAULT_BYTES),
    durability: options.durability ?? "strict",
    chunkWrites: options.chunkWritesMax === undefined ? undefined : createSemaphore(options.chunkWritesMax),
    claimTtlMs: options.claimTtlMs ?? LIMITS.CLAIM_TTL_MS,
    closing,
  });
}
