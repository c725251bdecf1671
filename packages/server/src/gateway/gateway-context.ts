import type { ReplicatedStore, Topology } from "@ashlar/sdk/engine";
import type {
  Clock,
  Durability,
  Hasher,
  Logger,
  MetadataStore,
  ObjectEngine,
  Random,
  RemainingWork,
} from "@ashlar/sdk/ports";
import type { GrantKeeper } from "../grants/index.ts";
import type { BufferPool } from "../http/buffer-pool.ts";
import type { Authenticator } from "./auth/authenticator.ts";
import type { BadCopies } from "./bad-copies.ts";
import type { ClockWatch } from "./clock-watch.ts";
import type { LayoutView } from "./commit/layout-view.ts";

/** Bounds, in bytes, that the gateway tells its clients and enforces. */
export interface GatewayLimits {
  readonly inlineMaxBytes: number;
  readonly chunkMaxBytes: number;
}

/** What the handlers of a gateway work with. */
export interface GatewayContext {
  /** The engine, for whole objects. */
  readonly engine: ObjectEngine;
  /** Catalog, registry and credentials. */
  readonly metadata: MetadataStore;
  readonly topology: Topology;
  readonly chunks: ReplicatedStore;
  /** Where readers tell copies that are missing or damaged. */
  readonly badCopies: BadCopies;
  readonly layouts: LayoutView;
  /** Absent on an insecure gateway without a cluster key: then nothing is signed and commits are checked by asking the stores. */
  readonly grants: GrantKeeper | undefined;
  readonly insecure: boolean;
  readonly authenticator: Authenticator;
  readonly hasher: Hasher;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly clocks: ClockWatch;
  /** Durability of writes that name none. */
  readonly durability: Durability;
  /** How long stores keep a claimed chunk, in ms; receipts are accepted a little shorter. */
  readonly claimTtlMs: number;
  readonly limits: GatewayLimits;
  /** Memory for pieces of chunks on their way to a socket. */
  readonly buffers: BufferPool;
  /** What background work has still to do in the cluster; `undefined` if nobody counts here, or before the first count. */
  readonly remainingWork: () => RemainingWork | undefined;
}
