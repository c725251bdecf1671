import { DatabaseSync, type StatementSync } from "node:sqlite";
import { AshlarError } from "@ashlar/sdk/errors";
import { closePath, makePrivateFile } from "../../internal/private-files.ts";
import { SQLITE_DIALECT } from "../../internal/sql/sql-dialect.ts";
import type { SqlSession, SqlValue } from "../../internal/sql/sql-session.ts";
import { DAMAGED_REMEDY, isBusy } from "./sqlite-error.ts";

/** "ASHL" in the file header marks the file as ours. */
const APPLICATION_ID = 0x4153484c;
/** How long SQLite itself waits for a lock of another process, in ms; the callers wait in a loop beyond that. */
const BUSY_TIMEOUT_MS = 2000;
const BUSY_ATTEMPTS = 8;
/** Bytes in the write-ahead log before it is copied back: 16 MiB, so that copying is rare and its fsync shared by many commits. */
const LOG_MAX_BYTES = 16 * 1024 * 1024;
/** Up to this size a file is examined fully after a crash: some 0.3 s. Up to the next, without comparing indexes with tables: some 0.5 s. */
const FULL_CHECK_MAX_BYTES = 64 * 1024 * 1024;
const QUICK_CHECK_MAX_BYTES = 256 * 1024 * 1024;
const PAGE_BYTES = 4096;
const CACHE_KIB = 16 * 1024;

/** The time and ids of the operation that a connection works on. */
export interface OperationContext {
  readonly nowMs: number;
  readonly operationId: string;
}

/** One connection to the file, with its prepared statements. Synchronous: lives in a worker thread. */
export class SqliteConnection {
  readonly database: DatabaseSync;
  readonly #statements = new Map<string, StatementSync>();
  #nowMs = 0;

  /** @param path of the file; made if it is missing. @throws errors of node:sqlite. */
  constructor(path: string) {
    // SQLite would make it with the mode of the umask; its log and its shared memory take the mode of the file.
    makePrivateFile(path);
    for (const suffix of ["", "-wal", "-shm"]) closePath(`${path}${suffix}`);
    this.database = new DatabaseSync(path, { timeout: BUSY_TIMEOUT_MS, enableForeignKeyConstraints: true });
    this.database.function("ashlar_now_ms", { deterministic: false }, () => this.#nowMs);
  }

  /**
   * Prepares the connection. A file that is not ours is left as it is.
   *
   * @param reserveBytes of the disk: the log is kept below it, so that there is always room to copy it back.
   * @throws {AshlarError} STORE_INCOMPATIBLE.
   */
  configure(role: "writer" | "reader" | "alone", reserveBytes: number): void {
    // Before the first look at the file: the index of the log is in memory then. https://sqlite.org/wal.html#use_of_wal_without_shared_memory
    if (role === "alone") this.exec("PRAGMA locking_mode = EXCLUSIVE");
    this.#assertOurs();
    // Two processes that make the file at once: one of them finds it busy.
    retryWhileBusy(() => this.exec("PRAGMA journal_mode = WAL"));
    const logBytes = Math.max(PAGE_BYTES, Math.min(LOG_MAX_BYTES, reserveBytes));
    this.exec(`PRAGMA wal_autocheckpoint = ${Math.floor(logBytes / PAGE_BYTES)}`);
    this.exec(`PRAGMA journal_size_limit = ${logBytes}`);
    this.exec(`PRAGMA cache_size = -${CACHE_KIB}`);
    this.exec("PRAGMA temp_store = MEMORY");
    this.exec("PRAGMA synchronous = FULL");
    if (role === "reader") this.exec("PRAGMA query_only = ON");
  }

  #assertOurs(): void {
    // The tables first: a process that makes the file meanwhile makes them and the mark in one transaction, so the mark is there if they are.
    const [tables] = this.all<{ count: number }>("SELECT count(*) AS count FROM sqlite_schema");
    if (tables?.count === 0) return;
    const [header] = this.all<{ application_id: number }>("PRAGMA application_id");
    if (header?.application_id === APPLICATION_ID) return;
    throw new AshlarError("STORE_INCOMPATIBLE", "the file is an SQLite database of another application");
  }

  /**
   * Examines the file after a crash, as deeply as its size allows at a start; a file that is too large is left to the scheduled examination.
   * @throws {AshlarError} METADATA_CORRUPT.
   */
  assertSound(sizeBytes: number): void {
    if (sizeBytes > QUICK_CHECK_MAX_BYTES) return;
    const pragma = sizeBytes > FULL_CHECK_MAX_BYTES ? "quick_check" : "integrity_check";
    const rows = this.all<Record<string, string>>(`PRAGMA ${pragma}(10)`);
    const problems = rows.map((row) => row[pragma]).filter((text) => text !== "ok");
    if (problems.length === 0) return;
    throw new AshlarError(
      "METADATA_CORRUPT",
      `the metadata file is damaged: ${DAMAGED_REMEDY}, or see what \`sqlite3 metadata.sqlite .recover\` saves`,
      { details: { problem: problems.join("; ") } },
    );
  }

  /** Marks the file as ours; part of the migration's transaction. */
  mark(): void {
    this.exec(`PRAGMA application_id = ${APPLICATION_ID}`);
  }

  exec(sql: string): void {
    this.database.exec(sql);
  }

  /** Runs one statement, prepared once. Statements use `$1`, `$2`, … */
  all<Row extends object = object>(sql: string, params: readonly SqlValue[] = []): Row[] {
    let statement = this.#statements.get(sql);
    if (statement === undefined) {
      statement = this.database.prepare(sql.replace(/\$(\d+)/g, "?$1"));
      this.#statements.set(sql, statement);
    }
    return statement.all(...(params as ReadonlyArray<string | number | Uint8Array | null>)) as Row[];
  }

  /** A session for one operation. Only one operation is under way on a connection at a time. */
  session(context: OperationContext): SqlSession {
    this.#nowMs = context.nowMs;
    let idCount = 0;
    let failure: unknown;
    // Synchronous below; a promise because operations are shared with PostgreSQL. Throws become rejections.
    const query = async <Row extends object>(sql: string, params?: readonly SqlValue[]): Promise<readonly Row[]> => {
      // A full disk ends the transaction: statements that were called together with the failed one must not run outside of it.
      if (failure !== undefined) throw failure;
      try {
        return this.all<Row>(sql, params);
      } catch (error) {
        failure = error;
        throw error;
      }
    };
    return {
      dialect: SQLITE_DIALECT,
      query,
      async finish(statements) {
        for (const { sql, params, mustReturn } of statements) {
          const rows = await query(sql, params);
          if (mustReturn !== undefined && rows.length !== mustReturn.rowCount) throw mustReturn.otherwise();
        }
      },
      nowMs: async () => context.nowMs,
      newId: () => (idCount++ === 0 ? context.operationId : `${context.operationId}.${idCount - 1}`),
      // One writer at a time: the transaction is the lock.
      lockObjects: async () => {},
      lockBucket: async () => {},
      lockLayouts: async () => {},
    };
  }

  /** Begins a write transaction, waiting for other processes. @throws the driver's busy error after some 16 s. */
  beginWrite(): void {
    retryWhileBusy(() => this.exec("BEGIN IMMEDIATE"));
  }

  /** Copies the log back and cuts it to nothing, as far as other connections and the disk allow it. */
  truncateLog(): void {
    try {
      this.exec("PRAGMA wal_checkpoint(TRUNCATE)");
    } catch {
      // A full disk: what the log holds stays in it, and the caller looks at the room that there is.
    }
  }

  close(): void {
    this.database.close();
  }
}

/** SQLite does not call its busy handler in every case (it gives up at once where waiting could deadlock), so a busy file is tried again here. */
function retryWhileBusy(run: () => void): void {
  const pause = new Int32Array(new SharedArrayBuffer(4));
  for (let attempt = 1; ; attempt++) {
    try {
      run();
      return;
    } catch (error) {
      if (!isBusy(error) || attempt === BUSY_ATTEMPTS) throw error;
      Atomics.wait(pause, 0, 0, 10 * attempt);
    }
  }
}
