import type { Digest } from "../hash/index.ts";
import { LIMITS } from "../limits.ts";
import type { PutChunkOptions } from "../ports/index.ts";
import { getReplicated, type ReplicatedGetOptions } from "./replicated-get.ts";
import { putReplicated } from "./replicated-put.ts";
import type { ReplicationContext, ReplicationOptions } from "./replication-context.ts";
import { createSuspects } from "./suspects.ts";
import type { ReplicatedPut } from "./topology.ts";

/** Chunks on as many stores as the topology wants. */
export interface ReplicatedStore {
  put(chunkId: Digest, bytes: Uint8Array, options?: PutChunkOptions): Promise<ReplicatedPut>;
  get(chunkId: Digest, options: ReplicatedGetOptions): Promise<Uint8Array>;
}

/** One store made of many: writes go to the placement of each chunk until its quorum holds it, reads to whichever replica answers. */
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
