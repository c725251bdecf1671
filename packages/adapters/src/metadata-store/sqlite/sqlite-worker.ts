/**
 * The worker thread of the SQLite store: one for writes (with group commit), one for reads, so that a read never waits for an fsync and the
 * app's event loop for neither.
 */
import { closeSync, fsyncSync, openSync, statSync } from "node:fs";
import { dirname } from "node:path";
import { type MessagePort, parentPort } from "node:worker_threads";
import { AshlarError } from "@ashlar/sdk/errors";
import { migrate } from "../../internal/sql/migrate.ts";
import { runSql } from "../../internal/sql/operations.ts";
import { type DiskRoom, diskRoom } from "./disk-reserve.ts";
import { FileWatch } from "./file-watch.ts";
import { BATCHED_SYNC_MS, GroupCommit } from "./group-commit.ts";
import { SqliteConnection } from "./sqlite-connection.ts";
import { fromSqliteError } from "./sqlite-error.ts";
import { lostDatabase } from "./store-guard.ts";
import {
  encodeError,
  type FromWorker,
  type ToWorker,
  type WorkerAnswer,
  type WorkerInit,
  type WorkerRequest,
} from "./worker-protocol.ts";

/** Reads answered in one message: a message costs the app's thread more than an answer does, but the first answer waits for the last. */
const READ_GROUP = 16;

function post(port: MessagePort, message: FromWorker): void {
  port.postMessage(message);
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
    syncFolder(dirname(init.path));
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

/** Without this, a power loss could remove a new file with all that was synced into it. */
function syncFolder(path: string): void {
  const folder = openSync(path, "r");
  try {
    fsyncSync(folder);
  } finally {
    closeSync(folder);
  }
}

function serveWrites(port: MessagePort, init: WorkerInit, connection: SqliteConnection, room: DiskRoom): void {
  let timer: NodeJS.Timeout | undefined;
  const watch = new FileWatch(init.path);
  watch.remember();
  const answer = (answers: readonly WorkerAnswer[]): void => {
    post(port, { answers });
    if (group.unsynced && timer === undefined) timer = setTimeout(syncLater, BATCHED_SYNC_MS);
  };
  const group = new GroupCommit({ connection, room, watch, monotonicMs: () => performance.now(), answer });
  const syncLater = (): void => {
    timer = undefined;
    try {
      group.sync();
    } catch {
      // Another process holds the lock: try again. Never after a failed sync: the next write gets the error.
      if (!group.stopped) timer = setTimeout(syncLater, BATCHED_SYNC_MS);
    }
  };
  const receive = (message: ToWorker): void => {
    if ("requests" in message) group.push(message.requests);
    else if ("close" in message) void finish();
  };
  port.on("message", receive);
  const finish = async (): Promise<void> => {
    await group.idle();
    clearTimeout(timer);
    try {
      group.sync();
    } catch (error) {
      // The thread must not be used again: its end tells the client.
      port.close();
      throw error;
    } finally {
      connection.close();
    }
    endFile(port, receive);
  };
}

function serveReads(port: MessagePort, connection: SqliteConnection, room: DiskRoom): void {
  const read = async (request: WorkerRequest): Promise<WorkerAnswer> => {
    const { requestId, name, input } = request;
    try {
      return { requestId, output: await runSql(connection.session(request), name, input) };
    } catch (error) {
      return { requestId, error: encodeError(fromSqliteError(error, room.freeBytes)) };
    }
  };
  let last: Promise<void> = Promise.resolve();
  const receive = (message: ToWorker): void => {
    // One at a time: a session holds the time of one operation.
    last = last.then(async () => {
      if ("requests" in message) {
        for (let from = 0; from < message.requests.length; from += READ_GROUP) {
          const answers: WorkerAnswer[] = [];
          for (const request of message.requests.slice(from, from + READ_GROUP)) answers.push(await read(request));
          post(port, { answers });
        }
        return;
      }
      connection.close();
      endFile(port, receive);
    });
  };
  port.on("message", receive);
}

/** The file is closed; the thread, with its code loaded, waits for the next file. */
function endFile(port: MessagePort, receive: (message: ToWorker) => void): void {
  port.off("message", receive);
  awaitFile(port);
  post(port, { closed: true });
}

/** The thread loads its code before it is told to open a file, so that reader and writer can start at the same time. */
function awaitFile(port: MessagePort): void {
  port.once("message", (message: ToWorker) => {
    if ("open" in message) void main(port, message.open);
    else port.close();
  });
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

async function main(port: MessagePort, init: WorkerInit): Promise<void> {
  const room = diskRoom(dirname(init.path));
  try {
    if (init.role !== "reader") serveWrites(port, init, await openWriter(init, room), room);
    else {
      const connection = new SqliteConnection(init.path);
      connection.configure("reader", room.reserveBytes);
      serveReads(port, connection, room);
    }
    post(port, { ready: true });
  } catch (error) {
    post(port, { failed: encodeError(whileOpening(fromSqliteError(error, room.freeBytes))) });
    port.close();
  }
}

if (parentPort !== null) awaitFile(parentPort);
