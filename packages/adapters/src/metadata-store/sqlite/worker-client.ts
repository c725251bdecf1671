import type { Worker } from "node:worker_threads";
import { AshlarError } from "@ashlar/sdk/errors";
import { withUnknownOutcome } from "../../internal/sql/finished-operations.ts";
import { decodeError, type FromWorker, type ToWorker, type WorkerInit, type WorkerRequest } from "./worker-protocol.ts";
import { giveBackThread, takeThread } from "./worker-thread.ts";

interface Pending {
  readonly resolve: (output: unknown) => void;
  readonly reject: (error: Error) => void;
}

/** One connection to the file of a store, wherever it runs. */
export interface SqliteClient {
  /** @throws {AshlarError} STORE_INCOMPATIBLE, METADATA_CORRUPT, METADATA_UNAVAILABLE, DISK_FULL. */
  open(): Promise<void>;
  /** Ends one that could not be opened, or was never told to. */
  stop(): Promise<void>;
  /** Runs an operation. Not cancellable: an abort is the caller's to race. */
  request(request: Omit<WorkerRequest, "requestId">): Promise<unknown>;
  /** Finishes what was asked, syncs and closes the file. */
  close(): Promise<void>;
}

/** A worker thread as seen from the app's thread. Requests made in one turn of the event loop travel in one message. */
export class WorkerClient implements SqliteClient {
  readonly #worker: Worker;
  readonly #init: WorkerInit;
  readonly #workerUrl: URL | undefined;
  readonly #pending = new Map<number, Pending>();
  /** Resolves when the file is closed: by the thread, which lives on, or because the thread exited. */
  readonly #ended: Promise<"closed" | "exited">;
  readonly #ready: Promise<void>;
  #outgoing: WorkerRequest[] = [];
  #requestCount = 0;
  #failure: Error | undefined;
  #closing: Promise<void> | undefined;

  /** Takes a thread, or starts one; it loads its code, and waits. */
  constructor(init: WorkerInit, workerUrl?: URL) {
    const worker = takeThread(workerUrl);
    this.#worker = worker;
    this.#init = init;
    this.#workerUrl = workerUrl;
    this.#ended = new Promise((resolve) => {
      worker.once("exit", () => resolve("exited"));
      worker.on("message", (message: FromWorker) => "closed" in message && resolve("closed"));
    });
    this.#ready = new Promise((resolve, reject) => {
      worker.on("message", (message: FromWorker) => {
        if ("ready" in message) resolve();
        else if ("failed" in message) reject(decodeError(message.failed));
        else if ("answers" in message) this.#receive(message);
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
    this.#post({ open: this.#init });
    await this.#ready;
    // From here on the thread keeps the process alive only while somebody waits for an answer.
    this.#worker.unref();
  }

  /** Ends a thread that was never told to open. */
  async stop(): Promise<void> {
    await this.#worker.terminate();
  }

  /** Runs an operation in the worker. Not cancellable: the caller races it against an abort. */
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
   * A single request is sent at once. If others are pending, it waits for the end of the turn: a request that is sent while answers are being
   * handled could be answered in the same turn, and the app's event loop would not turn before a thousand of them.
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
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    this.#worker.ref();
    if (this.#failure === undefined) this.#post({ close: true });
    if ((await this.#ended) === "exited" || this.#failure !== undefined) return;
    this.#failure = new AshlarError("STORE_CLOSED", "the metadata store is closed");
    giveBackThread(this.#worker, this.#workerUrl);
  }
}
