import type { CollectReport } from "../engine/index.ts";
import type {
  AccessTokenSource,
  CallOptions,
  Clock,
  ClusterSnapshot,
  ObjectEngine,
  Tracer,
  Transport,
} from "../ports/index.ts";

/** A seat that was opened. */
export interface OpenedSeat {
  readonly engine: ObjectEngine;
  /** Time, for timeouts. */
  readonly clock: Clock;
  /** Frees what nothing names any more; only where the seat owns its stores (embedded). */
  readonly collect?: ((options?: CallOptions) => Promise<CollectReport>) | undefined;
  /** Nodes and layouts; only where there is a cluster behind the seat. */
  readonly cluster?: ((options?: CallOptions) => Promise<ClusterSnapshot>) | undefined;
  /** Only where a gateway checks API keys. */
  readonly createAccessToken?: AccessTokenSource["createAccessToken"] | undefined;
  /** Closes the engine and all that the seat opened. */
  close(): Promise<void>;
}

/** What a program that watches a seat puts into it: see `traced` of `@ashlar/sdk/tracing`. */
export interface SeatInstruments {
  /** For stores that make spans of their own. */
  readonly tracer: Tracer;
  /** Wraps the seat's transport. */
  readonly wrapTransport: (transport: Transport) => Transport;
}

/** Where the engine finds metadata and chunks: `embedded(...)`, `gateway(...)` or `direct(...)`. */
export interface Seat {
  /** `embedded`, `gateway` or `direct`, for messages. */
  readonly name: string;
  /** Base URL of the gateway, for messages; only where there is one. */
  readonly url?: string | undefined;
  /** Called once, before the first call; again if it failed. */
  open(instruments?: SeatInstruments): Promise<OpenedSeat>;
}
