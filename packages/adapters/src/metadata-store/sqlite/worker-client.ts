import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { Worker } from "node:worker_threads";
import { AshlarError } from "@ashlar/sdk/errors";
import { withUnknownOutcome } from "../../internal/sql/finished-operations.ts";
import { decodeError, type FromWorker, type ToWorker, type WorkerInit, type WorkerRequest } from "./worker-protocol.ts";

interface Pending {
  readonly resolve: (output: unknown) => void;
  readonly reject: (error: Error) => void;
}

/** A worker thread as seen from the app's thread. Requests made in one turn of the event loop travel in one message. */
export class WorkerClient {
  readonly #worker: Worker;
  readonly #pending = new Map<number, Pending>();
  readonly #exited: Promise<void>;
  readonly #ready: Promise<void>;
  #outgoing: WorkerRequest[] = [];
  #requestCount = 0;
  #failure: Error | undefined;

  /** Starts the thread; it loads its code, and waits. */
  constructor(init: WorkerInit, workerUrl?: URL) {
    const worker = startWorker(init, workerUrl);
    this.#worker = worker;
    this.#exited = new Promise((resolve) => worker.once("exit", () => resolve()));
    this.#ready = new Promise((resolve, reject) => {
      worker.on("message", (message: FromWorker) => {
        if ("ready" in message) resolve();
        else if ("failed" in message) reject(decodeError(message.failed));
        else this.#receive(message);
      });
      worker.on("error", (error) => {
        const failure = AshlarError.from(error, "METADATA_UNAVAILABLE");
        reject(failure);
        this.#fail(failure);
      });
      worker.on("exit", () => {
        const failure = new AshlarError("METADATA_UNAVAILABLE", "the worker thread of the metadata store has ended");
        reject(failure);
        this.#fail(failure);
      });
    });
    // A thread that fails before anybody waits for it is reported by open().
    this.#ready.catch(() => {});
  }

  /**
   * Lets the thread open the file.
   * @throws {AshlarError} STORE_INCOMPATIBLE, METADATA_UNAVAILABLE, DISK_FULL. The thread has ended then.
   */
  async open(): Promise<void> {
    this.#post({ open: true });
    await this.#ready;
    // From here on the thread keeps the process alive only while somebody waits for an answer.
    this.#worker.unref();
  }

  /** Ends a thread that was never told to open. */
  async stop(): Promise<void> {
    await this.#worker.terminate();
  }

  /** Runs an operation in the worker. Not cancellable: an abort is the caller's to race. */
  request(request: Omit<WorkerRequest, "requestId">): Promise<unknown> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    const requestId = ++this.#requestCount;
    return new Promise((resolve, reject) => {
      if (this.#pending.size === 0) this.#worker.ref();
      this.#pending.set(requestId, { resolve, reject });
      this.#outgoing.push({ ...request, requestId });
      if (this.#outgoing.length === 1) this.#flushSoon();
    });
  }

  /**
   * A request alone leaves at once. Among others it waits for the end of the turn: a request that leaves while answers are being handled
   * could be answered in the same turn, and the app's event loop would not turn before a thousand of them.
   */
  #flushSoon(): void {
    if (this.#pending.size === 1) queueMicrotask(() => this.#flush());
    else setImmediate(() => this.#flush());
  }

  #flush(): void {
    const requests = this.#outgoing;
    this.#outgoing = [];
    try {
      this.#post({ requests });
    } catch (error) {
      // Something in an input cannot be cloned.
      for (const { requestId } of requests) this.#take(requestId)?.reject(AshlarError.from(error, "INVALID_ARGUMENT"));
    }
  }

  #post(message: ToWorker): void {
    this.#worker.postMessage(message);
  }

  #receive(message: Extract<FromWorker, { answers: unknown }>): void {
    for (const answer of message.answers) {
      const pending = this.#take(answer.requestId);
      if ("error" in answer) pending?.reject(decodeError(answer.error));
      else pending?.resolve(answer.output);
    }
  }

  #take(requestId: number): Pending | undefined {
    const pending = this.#pending.get(requestId);
    this.#pending.delete(requestId);
    if (this.#pending.size === 0) this.#worker.unref();
    return pending;
  }

  #fail(failure: Error): void {
    this.#failure ??= failure;
    // What the thread had been given may be committed.
    const lost = withUnknownOutcome(failure);
    for (const pending of this.#pending.values()) pending.reject(lost);
    this.#pending.clear();
  }

  /** Lets the worker finish what it has, sync and close the file. */
  async close(): Promise<void> {
    this.#worker.ref();
    if (this.#failure === undefined) this.#post({ close: true });
    await this.#exited;
  }
}

const SOURCE_CONDITION = "--conditions=ashlar-source";

/**
 * From sources the worker is TypeScript too, and needs the condition under which packages resolve to sources. Built, this code lies in a chunk
 * at the top of dist or beside the worker, depending on who else shares it.
 */
function startWorker(init: WorkerInit, workerUrl: URL | undefined): Worker {
  const fromSource = import.meta.url.endsWith(".ts");
  const candidates = fromSource ? ["./worker.ts"] : ["./worker.js", "./metadata-store/sqlite/worker.js"];
  const url =
    workerUrl ??
    candidates.map((path) => new URL(path, import.meta.url)).find((candidate) => existsSync(fileURLToPath(candidate)));
  if (url === undefined) {
    throw new AshlarError(
      "INVALID_ARGUMENT",
      "the worker of the SQLite store was not found; bundlers need the option workerUrl",
    );
  }
  // A thread inherits its process's flags; `node --input-type=module -e …` would refuse to start it from a file (tests/package).
  const execArgv = fromSource
    ? [SOURCE_CONDITION]
    : process.execArgv.filter((flag) => !flag.startsWith("--input-type"));
  return new Worker(url, { workerData: init, execArgv });
}
