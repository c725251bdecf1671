/**
 * The part of the driver `pg` that is used, so that the app brings its own version: https://node-postgres.com/apis/pool.
 */

/** How one statement is sent. */
export interface PgQueryConfig {
  readonly text: string;
  // biome-ignore lint/suspicious/noExplicitAny: what the driver's own types say.
  values?: any[];
  /** A named statement is prepared once per connection. */
  readonly name?: string;
  readonly types?: PgTypes;
  /** Rejects if no answer has come after so many ms; the connection is useless then. */
  readonly query_timeout?: number;
}

/** Turns column values, which arrive as text, into JavaScript values. */
export interface PgTypes {
  // biome-ignore lint/suspicious/noExplicitAny: what the driver's own types say.
  getTypeParser(oid: number, format?: any): any;
}

/** Rows of one statement; several statements in one text give an array of these. */
export interface PgResult {
  // biome-ignore lint/suspicious/noExplicitAny: rows are typed by who wrote the statement.
  readonly rows: any[];
}

/** A connection that is checked out of the pool. */
export interface PgClient {
  /** Whether it sends a statement without waiting for the answer to the one before. https://node-postgres.com/features/pipelining */
  readonly pipeline?: boolean;
  query(config: PgQueryConfig): Promise<PgResult>;
  /** With an error the connection is closed instead of reused. */
  release(error?: Error | boolean): void;
  on(event: "error", listener: (error: Error) => void): unknown;
  removeListener(event: "error", listener: (error: Error) => void): unknown;
}

/** `pg.Pool` fits. It emits `connect` for each new connection before it hands it out, and `error` for a connection that breaks while idle. */
export interface PgPool {
  connect(): Promise<PgClient>;
  end(): Promise<void>;
  on(event: "error", listener: (error: Error) => void): unknown;
  on(event: "connect", listener: (client: PgClient) => void): unknown;
  removeListener(event: "error", listener: (error: Error) => void): unknown;
  removeListener(event: "connect", listener: (client: PgClient) => void): unknown;
}
