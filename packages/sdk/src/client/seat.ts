import type { CollectReport } from "../engine/index.ts";
import type { CallOptions, Clock, ClusterSnapshot, ObjectBackend } from "../ports/index.ts";

/** A seat that was opened. */
export interface OpenedSeat {
  readonly backend: ObjectBackend;
  /** Time, for timeouts. */
  readonly clock: Clock;
  /** Frees what nothing names any more; only where the seat owns its stores (embedded). */
  readonly collect?: ((options?: CallOptions) => Promise<CollectReport>) | undefined;
  /** Servers and layouts; only where there is a cluster behind the seat. */
  readonly cluster?: ((options?: CallOptions) => Promise<ClusterSnapshot>) | undefined;
  /** Closes the backend and all that the seat opened. */
  close(): Promise<void>;
}

/** Where the engine finds metadata and chunks: `embedded(...)`, `gateway(...)` or `direct(...)`. */
export interface Seat {
  /** `embedded`, `gateway` or `direct`, for messages. */
  readonly name: string;
  /** Called once, before the first call; again if it failed. */
  open(): Promise<OpenedSeat>;
}
