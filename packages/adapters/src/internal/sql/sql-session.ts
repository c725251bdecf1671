import type { SqlDialect } from "./sql-dialect.ts";

/** What a column or parameter may be. Keys are bytes, so that their order is that of the bytes and NUL is allowed. */
export type SqlValue = string | number | boolean | Uint8Array | null;

/** One of the statements that end a write. */
export interface SqlStatement {
  readonly sql: string;
  readonly params?: readonly SqlValue[];
  /** For a statement with RETURNING: how many rows it must return, and the error of the operation if it returns another number. */
  readonly mustReturn?: { readonly rowCount: number; readonly otherwise: () => Error };
}

/**
 * One connection on behalf of one operation; inside a transaction for writes.
 *
 * Statements run in the order of the calls, and after one that failed no other runs. Send statements together (`Promise.all`) if they do not
 * depend on an answer: each wait for an answer is a round trip to a database that is not in the process.
 *
 * Statements use `$1`, `$2`, … Integers come back as numbers, bytes as Uint8Array views that are good until the operation ends (copy what
 * you keep), booleans as `true`/`false` or `1`/`0` (use Boolean()).
 */
export interface SqlSession {
  readonly dialect: SqlDialect;
  /** Rows of one statement, typed by the caller who wrote it. */
  query<Row extends object = object>(sql: string, params?: readonly SqlValue[]): Promise<readonly Row[]>;
  /**
   * Runs the last statements of a write, in their order. No statement follows them: a session may keep them until the operation has returned, and
   * send them with the COMMIT. So their errors may come later than this call, and `mustReturn` says what they must have done.
   */
  finish(statements: readonly SqlStatement[]): Promise<void>;
  /** The time of this operation on the database's clock (embedded: the injected clock), fixed for the operation. */
  nowMs(): Promise<number>;
  /** A new id; a repeated attempt of the same operation gets the same ids in the same order. */
  newId(): string;
  /** Serializes writers of the same objects until the transaction ends, for statements from now on. Keys are byte texts. */
  lockObjects(names: ReadonlyArray<{ readonly bucket: string; readonly key: string }>): Promise<void>;
  /** Keeps a bucket from being deleted (`shared`, for writers into it) or keeps writers out of it (`exclusive`) until the transaction ends. */
  lockBucket(bucket: string, mode: "shared" | "exclusive"): Promise<void>;
  /** Serializes registrations and layout changes until the transaction ends. */
  lockLayouts(): Promise<void>;
}
