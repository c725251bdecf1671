import type { Hasher } from "@ashlar/sdk/hash";
import type { CallOptions, ChunkStore } from "@ashlar/sdk/ports";
import type { GrantKeeper } from "../grants/index.ts";
import type { BufferPool } from "../http/buffer-pool.ts";
import type { ChunkAccess } from "./chunk-access.ts";
import type { ChunkApiOptions, ReceiptFacts } from "./chunk-api-options.ts";
import type { ChunkWriter } from "./chunk-writer.ts";

/** What the handlers of RPC and plain HTTP share: options with their defaults filled in, and the parts made of them. */
export interface ChunkApiContext
  extends Pick<ChunkApiOptions, "status" | "uptimeMs" | "softwareVersion" | "nodeId" | "onAbsent"> {
  readonly store: ChunkStore;
  readonly grants: GrantKeeper | undefined;
  readonly hasher: Hasher;
  readonly access: ChunkAccess;
  readonly writer: ChunkWriter;
  readonly issueReceipt: (facts: ReceiptFacts) => Promise<string>;
  readonly chunkMaxBytes: number;
  /** The most bytes of an incoming chunk that are held at once. */
  readonly heldMaxBytes: number;
  readonly readFrom: (options: CallOptions) => Promise<ChunkStore>;
  readonly wholeInOneCall: boolean;
  readonly buffers: BufferPool;
  readonly maintenance: boolean;
  readonly proofsOfPossession: boolean;
}
