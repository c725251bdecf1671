import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { Worker } from "node:worker_threads";
import { AshlarError } from "@ashlar/sdk/errors";
import type { ToWorker } from "./worker-protocol.ts";

/** Most threads that wait for another file: those of the writers and readers of two stores. */
const IDLE_THREADS_MAX = 4;
/** How long a thread waits. A thread takes some 80 ms of CPU to start and to load its code: an app that opens store after store pays once. */
const IDLE_MS = 2000;
const SOURCE_CONDITION = "--conditions=ashlar-source";

interface IdleThread {
  readonly worker: Worker;
  /** The option it was started with. */
  readonly workerUrl: string | undefined;
  readonly timer: NodeJS.Timeout;
}

/** The longest-waiting first. None keeps the process alive. */
const idle: IdleThread[] = [];

/** A thread that has loaded, or loads, the worker's code and waits for a file to open. If another store has given one back, it is that one. */
export function takeThread(workerUrl: URL | undefined): Worker {
  const thread = idle.findLast((each) => each.workerUrl === workerUrl?.href);
  if (thread === undefined) return startWorker(workerUrl);
  leave(thread);
  dropListeners(thread.worker);
  thread.worker.ref();
  return thread.worker;
}

/** Takes back a thread that has closed its file, for the next store or its end. */
export function giveBackThread(worker: Worker, workerUrl: URL | undefined): void {
  const timer = setTimeout(() => end(thread), IDLE_MS).unref();
  const thread: IdleThread = { worker, workerUrl: workerUrl?.href, timer };
  dropListeners(worker);
  worker.once("exit", () => leave(thread));
  // A thread that fails while it waits is no loss: it exits next.
  worker.on("error", () => leave(thread));
  worker.unref();
  idle.push(thread);
  const [oldest] = idle;
  if (idle.length > IDLE_THREADS_MAX && oldest !== undefined) end(oldest);
}

/** Removes all our listeners, by name: without names, Node's own would be removed too, and no message would arrive any more. */
function dropListeners(worker: Worker): void {
  for (const event of ["message", "error", "exit"]) worker.removeAllListeners(event);
}

/** Takes a thread out of the waiting ones. */
function leave(thread: IdleThread): void {
  clearTimeout(thread.timer);
  const index = idle.indexOf(thread);
  if (index !== -1) idle.splice(index, 1);
}

function end(thread: IdleThread): void {
  leave(thread);
  thread.worker.postMessage({ end: true } satisfies ToWorker);
}

/** Refuses a URL that no thread can be started from, before anything is opened. @throws {AshlarError} INVALID_ARGUMENT */
export function assertWorkerUrl(workerUrl: URL | undefined): void {
  if (workerUrl === undefined || (workerUrl as URL | null)?.protocol === "file:") return;
  throw new AshlarError(
    "INVALID_ARGUMENT",
    'workerUrl is a file: URL, such as new URL("./sqlite-worker.js", import.meta.url)',
  );
}

/**
 * Finds the worker's code. After the build, this module lies in a chunk at the top of dist or next to the worker, depending on which modules share
 * it; in an app's bundle it lies anywhere, and in a CommonJS bundle it does not know where. The worker's file has a special name, because `worker.js`
 * next to a bundle is the app's.
 */
function findWorker(ownUrl: string | undefined): URL {
  const candidates = ownUrl?.endsWith(".ts")
    ? ["./sqlite-worker.ts"]
    : ["./sqlite-worker.js", "./metadata-store/sqlite/sqlite-worker.js"];
  // A bundler may leave something that is no file's address.
  const urls = ownUrl?.startsWith("file:") ? candidates.map((path) => new URL(path, ownUrl)) : [];
  const found = urls.find((url) => existsSync(fileURLToPath(url)));
  if (found !== undefined) return found;
  throw new AshlarError(
    "INVALID_ARGUMENT",
    "the worker of the SQLite store was not found, which happens in bundles: leave @ashlar/adapters out of the bundle (external), or bundle @ashlar/adapters/sqlite-worker as a file of its own and name that with the option workerUrl",
  );
}

/** From sources the worker is TypeScript too, and needs the condition under which packages resolve to sources. */
function startWorker(workerUrl: URL | undefined): Worker {
  // `undefined` in a bundle of CommonJS.
  const ownUrl = import.meta.url as string | undefined;
  const url = workerUrl ?? findWorker(ownUrl);
  // A thread inherits its process's flags; `node --input-type=module -e …` would refuse to start it from a file (tests/package).
  const execArgv = ownUrl?.endsWith(".ts")
    ? [SOURCE_CONDITION]
    : process.execArgv.filter((flag) => !flag.startsWith("--input-type"));
  return new Worker(url, { execArgv });
}
