import { statSync } from "node:fs";
import * as fileSystem from "node:fs/promises";
import { dirname } from "node:path";
import { AshlarError } from "@ashlar/sdk/errors";
import type { Clock } from "@ashlar/sdk/ports";
import { syncFolder } from "../../internal/durable-file.ts";
import { migrate } from "../../internal/sql/migrate.ts";
import { runSql } from "../../internal/sql/operations.ts";
import { type DiskRoom, diskRoom } from "./disk-reserve.ts";
import { FileWatch } from "./file-watch.ts";
import { BATCHED_SYNC_MS, GroupCommit } from "./group-commit.ts";
import { SqliteConnection } from "./sqlite-connection.ts";
import { fromSqliteError } from "./sqlite-error.ts";
import { lostDatabase } from "./store-guard.ts";
import { encodeError, type WorkerAnswer, type WorkerInit, type WorkerRequest } from "./worker-protocol.ts";

/** Reads answered together: a message to another thread costs more than an answer does, but the first answer waits for the last. */
const READ_GROUP = 16;

/** One connection to the file: operations go in, answers come out, in groups. All of it runs in the thread that opened it. */
export interface SqliteFile {
  push(requests: readonly WorkerRequest[]): void;
  /** Finishes what was pushed, syncs what `batched` writes left behind, and closes the file. @throws {AshlarError} if that sync fails; the file is closed then too. */
  close(): Promise<void>;
}

/** What a {@link SqliteFile} works with. */
export interface SqliteFileParts {
  readonly init: WorkerInit;
  readonly answer: (answers: readonly WorkerAnswer[]) => void;
  /** Says when `batched` writes are synced, and what time it is for a request that does not say it. */
  readonly clock: Clock;
}

/** @throws {AshlarError} STORE_INCOMPATIBLE, METADATA_CORRUPT, METADATA_UNAVAILABLE, DISK_FULL. */
export async function openSqliteFile(parts: SqliteFileParts): Promise<SqliteFile> {
  const { init } = parts;
  const room = diskRoom(dirname(init.path));
  try {
    if (init.role !== "reader") return writing(parts, await openWriter(init, room), room);
    const connection = new SqliteConnection(init.path);
    connection.configure("reader", room.reserveBytes);
    return reading(parts, connection, room);
  } catch (error) {
    throw whileOpening(fromSqliteError(error, room.freeBytes));
  }
}

async function openWriter(init: WorkerInit, room: DiskRoom): Promise<SqliteConnection> {
  const isUnclean = logBytes(init.path) > 0;
  const connection = new SqliteConnection(init.path);
  try {
    connection.configure(init.role, room.reserveBytes);
    if (isUnclean) connection.assertSound(statSync(init.path).size);
    connection.beginWrite();
    const session = connection.session({ nowMs: init.nowMs, operationId: "" });
    const hasTable = async (name: string): Promise<boolean> =>
      connection.all("SELECT 1 AS present FROM sqlite_schema WHERE type = 'table' AND name = $1", [name]).length > 0;
    if (init.mustExist && !(await hasTable("schema_migrations"))) throw lostDatabase(init.path);
    await migrate(session, hasTable);
    // Writes nothing that is there already: a full disk may have no room for it.
    if (!(await hasTable("sync_marks"))) {
      connection.exec("CREATE TABLE sync_marks (id INTEGER PRIMARY KEY, mark INTEGER NOT NULL)");
      connection.exec("INSERT INTO sync_marks (id, mark) VALUES (1, 0)");
      connection.mark();
    }
    connection.exec("COMMIT");
    // Without this, a power loss could remove a new file with all that was synced into it.
    await syncFolder(fileSystem, dirname(init.path));
    return connection;
  } catch (error) {
    connection.close();
    throw error;
  }
}

/** Bytes in the log. If there are any, the process that had the file open last did not close it, or still has it open. */
function logBytes(path: string): number {
  return statSync(`${path}-wal`, { throwIfNoEntry: false })?.size ?? 0;
}

function writing({ init, answer, clock }: SqliteFileParts, connection: SqliteConnection, room: DiskRoom): SqliteFile {
  const watch = new FileWatch(init.path);
  watch.remember();
  const closing = new AbortController();
  let syncing: Promise<void> | undefined;
  const group = new GroupCommit({
    ...{ connection, room, watch, clock },
    answer(answers) {
      answer(answers);
      if (group.unsynced) syncing ??= syncLater();
    },
  });
  const syncLater = async (): Promise<void> => {
    while (group.unsynced && !group.stopped && !closing.signal.aborted) {
      await clock.sleep(BATCHED_SYNC_MS, { signal: closing.signal }).catch(() => {});
      try {
        if (!closing.signal.aborted) group.sync();
      } catch {
        // Another process holds the lock: try again. Never after a failed sync: the next write gets the error.
      }
    }
    syncing = undefined;
  };
  return {
    push: (requests) => group.push(requests),
    async close() {
      await group.idle();
      closing.abort();
      await syncing;
      try {
        group.sync();
      } finally {
        connection.close();
      }
    },
  };
}

function reading({ answer, clock }: SqliteFileParts, connection: SqliteConnection, room: DiskRoom): SqliteFile {
  const read = async (request: WorkerRequest): Promise<WorkerAnswer> => {
    const { requestId, operationId, name, input, nowMs = clock.nowMs() } = request;
    try {
      return { requestId, output: await runSql(connection.session({ nowMs, operationId }), name, input) };
    } catch (error) {
      return { requestId, error: encodeError(fromSqliteError(error, room.freeBytes)) };
    }
  };
  const readAll = async (requests: readonly WorkerRequest[]): Promise<void> => {
    for (let from = 0; from < requests.length; from += READ_GROUP) {
      const answers: WorkerAnswer[] = [];
      for (const request of requests.slice(from, from + READ_GROUP)) answers.push(await read(request));
      answer(answers);
    }
  };
  // One at a time: a session holds the time of one operation.
  let last: Promise<void> = Promise.resolve();
  return {
    push(requests) {
      last = last.then(() => readAll(requests));
    },
    async close() {
      await last;
      connection.close();
    },
  };
}

/** Explains that even a store that is only read may need room. */
function whileOpening(error: AshlarError): AshlarError {
  if (error.code !== "DISK_FULL") return error;
  return new AshlarError(
    "DISK_FULL",
    "the disk is full: SQLite cannot open the metadata without room for its log beside it. Nothing is lost: free some 64 KiB and open the store again",
    { cause: error.cause ?? error, details: error.details },
  );
}
