/** Where the two databases differ. Everything else is the same SQL. */
export interface SqlDialect {
  readonly name: "sqlite" | "postgres";
  /** Column types. Text compares by bytes in both. */
  readonly types: {
    readonly text: string;
    readonly bytes: string;
    readonly integer: string;
    readonly real: string;
    readonly boolean: string;
  };
  /** Row locks; SQLite has one writer at a time and needs none. */
  readonly forUpdate: string;
  readonly forUpdateSkipLocked: string;
  readonly forKeyShare: string;
  /** The database's clock in ms, as an expression; for statements that run without `nowMs()` of the session. */
  readonly nowMs: string;
  /** 32 characters of lower-case hex, at random, as an expression. */
  readonly randomId: string;
  /** Most rows or values that one statement takes, largest first; fixed sizes keep the number of prepared statements small. */
  readonly blockSizes: readonly number[];
  /** Whether a block may have any size up to the largest. */
  readonly anyBlockSize: boolean;
  /** 1-based position of bytes `needle` in bytes `haystack`, 0 if absent. */
  position(haystack: string, needle: string): string;
  /** Bytes of `value` from the 1-based `start` on. */
  tail(value: string, start: string): string;
  /** The first `length` bytes of `value`. */
  head(value: string, length: string): string;
  /** Concatenated bytes. */
  concat(left: string, right: string): string;
  /** Marks a parameter as bytes, or as an integer, where the context does not show it. */
  asBytes(parameter: string): string;
  asInteger(parameter: string): string;
}

/** SQLite ≥ 3.39, as node:sqlite brings it. */
export const SQLITE_DIALECT: SqlDialect = Object.freeze({
  name: "sqlite",
  types: Object.freeze({ text: "TEXT", bytes: "BLOB", integer: "INTEGER", real: "REAL", boolean: "INTEGER" }),
  forUpdate: "",
  forUpdateSkipLocked: "",
  forKeyShare: "",
  // A function that the worker registers: the time that came with the operation.
  nowMs: "ashlar_now_ms()",
  randomId: "lower(hex(randomblob(16)))",
  blockSizes: Object.freeze([256, 64, 16, 4, 1]),
  anyBlockSize: false,
  position: (haystack: string, needle: string): string => `instr(${haystack}, ${needle})`,
  tail: (value: string, start: string): string => `substr(${value}, ${start})`,
  head: (value: string, length: string): string => `substr(${value}, 1, ${length})`,
  // `||` gives text; the bytes are UTF-8 already, so the cast only restores the type (and with it the order).
  concat: (left: string, right: string): string => `CAST(${left} || ${right} AS BLOB)`,
  asBytes: (parameter: string): string => parameter,
  asInteger: (parameter: string): string => parameter,
});

/** PostgreSQL ≥ 13 and databases that speak its wire protocol and dialect. */
export const POSTGRES_DIALECT: SqlDialect = Object.freeze({
  name: "postgres",
  types: Object.freeze({
    text: 'TEXT COLLATE "C"',
    bytes: "BYTEA",
    integer: "BIGINT",
    real: "DOUBLE PRECISION",
    boolean: "BOOLEAN",
  }),
  forUpdate: "FOR UPDATE",
  forUpdateSkipLocked: "FOR UPDATE SKIP LOCKED",
  forKeyShare: "FOR KEY SHARE",
  nowMs: "(extract(epoch FROM clock_timestamp()) * 1000)::bigint",
  // From the server's strong source of randomness; a version 4 UUID fixes 6 of the 128 bits.
  randomId: "replace(gen_random_uuid()::text, '-', '')",
  blockSizes: Object.freeze([1024]),
  anyBlockSize: true,
  position: (haystack: string, needle: string): string => `position(${needle} IN ${haystack})`,
  tail: (value: string, start: string): string => `substring(${value} FROM ${start})`,
  head: (value: string, length: string): string => `substring(${value} FROM 1 FOR ${length})`,
  concat: (left: string, right: string): string => `(${left} || ${right})`,
  asBytes: (parameter: string): string => `${parameter}::bytea`,
  asInteger: (parameter: string): string => `${parameter}::bigint`,
});
