import type { ObjectClient } from "@ashlar/sdk";

/** A seat with a transport, as the suite sees it: only a client, and what differs between seats and transports. */
export interface ConformanceSubject {
  /** `gateway over grpc`, for test names. */
  readonly name: string;
  start(): Promise<RunningSubject>;
}

/** A store that runs. */
export interface RunningSubject {
  /** A new client of the same store. The suite closes it. */
  openClient(): ObjectClient;
  /** Largest chunk that the store takes, in bytes. */
  readonly chunkMaxBytes: number;
  /** Whether an upload reports progress within a chunk. */
  readonly uploadProgress: boolean;
  /** A client of another store of the same kind, if the network between them can be slowed down: bytes a second, per connection. */
  readonly openThrottled?: (bytesPerSecond: number) => Promise<ThrottledClient>;
  close(): Promise<void>;
}

/** What each group of cases gets. */
export interface ConformanceContext {
  /** Shared by the cases of one subject. */
  readonly client: ObjectClient;
  readonly subject: RunningSubject;
  /** A bucket of the case's own. */
  bucket(): Promise<string>;
}

/** Gives the context, which exists only once the suite has started. */
export type UseContext = () => ConformanceContext;

/** A client whose connections are slow. */
export interface ThrottledClient {
  readonly client: ObjectClient;
  close(): Promise<void>;
}
