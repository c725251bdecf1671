import type { Digest } from "../hash/index.ts";
import { LIMITS } from "../limits.ts";
import type { Clock, Hasher, Logger, PutChunkOptions, Random } from "../ports/index.ts";
import { getReplicated, type ReplicatedGetOptions } from "./replicated-get.ts";
import { putReplicated } from "./replicated-put.ts";
import { createSuspects, type Suspects } from "./suspects.ts";
import type { ReplicatedPut, Topology } from "./topology.ts";

/** What replication needs of its surroundings. */
export interface ReplicationOptions {
  readonly topology: Topology;
  readonly hasher: Hasher;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  /** A read slower than this also asks the next replica; default HEDGE_AFTER_MS. */
  readonly hedgeAfterMs?: number | undefined;
}

/** The options, completed; shared by all reads and writes. */
export interface ReplicationContext extends ReplicationOptions {
  readonly hedgeAfterMs: number;
  readonly suspects: Suspects;
}

/** Chunks on as many stores as the topology wants. */
export interface ReplicatedStore {
  put(chunkId: Digest, bytes: Uint8Array, options?: PutChunkOptions): Promise<ReplicatedPut>;
  get(chunkId: Digest, options: ReplicatedGetOptions): Promise<Uint8Array>;
}

export function createReplicatedStore(options: ReplicationOptions): ReplicatedStore {
  const context: ReplicationContext = {
    ...options,
    hedgeAfterMs: options.hedgeAfterMs ?? LIMITS.HEDGE_AFTER_MS.value,
    suspects: createSuspects(options.clock),
  };
  return {
    put: (chunkId, bytes, putOptions) => putReplicated(context, chunkId, bytes, putOptions ?? {}),
    get: (chunkId, getOptions) => getReplicated(context, chunkId, getOptions),
  };
}
