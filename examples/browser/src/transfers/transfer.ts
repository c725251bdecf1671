/** `checking`: comparing a file with what the store has. `finishing`: all bytes are there, the object is being made. */
export type TransferState = "waiting" | "checking" | "moving" | "finishing" | "paused" | "done" | "failed" | "canceled";

/** The state of a transfer. */
export interface TransferStatus {
  readonly state: TransferState;
  readonly totalBytes: number;
  /** Bytes that were in the store before this page sent any. */
  readonly presentBytes: number;
  /** Bytes that moved. Together with `presentBytes` at most `totalBytes`. */
  readonly movedBytes: number;
  /** Of a failed one. */
  readonly error?: unknown;
}

/** One file that is uploaded or downloaded. */
export interface Transfer {
  readonly id: string;
  readonly direction: "upload" | "download";
  /** What the list calls it: the file's name, with its folders. */
  readonly name: string;
  readonly key: string;
  /** Whether it can be paused and resumed where it was. */
  readonly pausable: boolean;
  readonly status: () => TransferStatus;
  /** Moves the bytes until it is done, paused, canceled or failed; never rejects. */
  run(): Promise<void>;
  /** Marks a paused or failed one as waiting. */
  enqueue(): void;
  pause(): void;
  cancel(): Promise<void>;
}

/** What one kind of transfer does; {@link createTransfer} makes the rest of it. */
export interface TransferWork {
  readonly direction: Transfer["direction"];
  readonly name: string;
  readonly key: string;
  readonly pausable: boolean;
  readonly totalBytes: number;
  readonly onChange: () => void;
  /** Moves the bytes, tells how it goes, and ends when the signal aborts. */
  move(tell: (status: Partial<TransferStatus>) => void, signal: AbortSignal): Promise<void>;
  /** Throws away what has moved so far. */
  discard(): Promise<void>;
}

/** States in which nothing more will happen. */
const ENDED: ReadonlySet<TransferState> = new Set(["done", "canceled"]);

export function createTransfer(work: TransferWork): Transfer {
  const { direction, name, key, pausable, onChange } = work;
  let status: TransferStatus = { state: "waiting", totalBytes: work.totalBytes, presentBytes: 0, movedBytes: 0 };
  let running: { readonly abort: AbortController; readonly ended: Promise<void> } | undefined;
  const tell = (change: Partial<TransferStatus>): void => {
    status = { ...status, ...change };
    onChange();
  };
  const move = async (signal: AbortSignal): Promise<void> => {
    try {
      await work.move((change) => !signal.aborted && tell(change), signal);
      tell({ state: "done" });
    } catch (error) {
      // The code that aborted has set the state already.
      if (!signal.aborted) tell({ state: "failed", error });
    }
  };
  const stop = (state: "paused" | "canceled"): Promise<void> => {
    if (ENDED.has(status.state)) return Promise.resolve();
    tell({ state, error: undefined });
    running?.abort.abort();
    return running?.ended ?? Promise.resolve();
  };
  return {
    ...{ id: crypto.randomUUID(), direction, name, key, pausable },
    status: () => status,
    async run() {
      // A transfer that was paused may be resumed before its last calls have ended.
      await running?.ended;
      if (status.state !== "waiting") return;
      tell({ state: "moving", error: undefined });
      const abort = new AbortController();
      running = { abort, ended: move(abort.signal) };
      await running.ended;
    },
    enqueue: () => tell({ state: "waiting", error: undefined }),
    pause: () => void stop("paused"),
    async cancel() {
      const ended = ENDED.has(status.state);
      await stop("canceled");
      if (!ended) await work.discard();
    },
  };
}
