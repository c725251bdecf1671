/**
 * The worker thread of the SQLite store: one for writes (with group commit), one for reads, so that a read never waits for an fsync and the
 * app's event loop for neither.
 */
import { type MessagePort, parentPort } from "node:worker_threads";
import { systemClock } from "@ashlar/sdk/ports";
import { openSqliteFile, type SqliteFile } from "./sqlite-file.ts";
import { encodeError, type FromWorker, type ToWorker, type WorkerInit } from "./worker-protocol.ts";

function post(port: MessagePort, message: FromWorker): void {
  port.postMessage(message);
}

/** The thread loads its code before it is told to open a file, so that reader and writer can start at the same time. */
function awaitFile(port: MessagePort): void {
  port.once("message", (message: ToWorker) => {
    if ("open" in message) void main(port, message.open);
    else port.close();
  });
}

async function main(port: MessagePort, init: WorkerInit): Promise<void> {
  try {
    serve(port, await openSqliteFile({ init, clock: systemClock, answer: (answers) => post(port, { answers }) }));
    post(port, { ready: true });
  } catch (error) {
    post(port, { failed: encodeError(error) });
    port.close();
  }
}

function serve(port: MessagePort, file: SqliteFile): void {
  const receive = (message: ToWorker): void => {
    if ("requests" in message) file.push(message.requests);
    else if ("close" in message) void finish();
  };
  port.on("message", receive);
  const finish = async (): Promise<void> => {
    try {
      await file.close();
    } catch (error) {
      // The thread must not be used again: its end tells the client.
      port.close();
      throw error;
    }
    // The file is closed; the thread, with its code loaded, waits for the next file.
    port.off("message", receive);
    awaitFile(port);
    post(port, { closed: true });
  };
}

if (parentPort !== null) awaitFile(parentPort);
