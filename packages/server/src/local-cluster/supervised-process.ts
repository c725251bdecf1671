import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, openSync, statSync } from "node:fs";
import process from "node:process";
import { AshlarError } from "@ashlar/sdk/errors";
import type { Clock } from "@ashlar/sdk/ports";
import { formatDuration } from "../observability/format.ts";
import { lastWords } from "./last-words.ts";
import type { Look, ProcessSpec, ProcessState, ProcessView } from "./process-spec.ts";

/** What {@link SupervisedProcess} needs besides the process. */
export interface SupervisionOptions {
  readonly clock: Clock;
  /** Called in the same turn as the change. */
  readonly onChange: () => void;
}

const RESTART_FIRST_MS = 500;
const RESTART_MAX_MS = 10_000;
/** After running this long, a crash counts as the first one again. */
const SETTLED_MS = 10_000;
/** When a start takes longer than this, its reason is shown. */
const START_USUAL_MS = 8000;
const LOOK_STARTING_MS = 200;
const LOOK_MS = 1000;
const LOOK_LIMIT_MS = 4000;

/** Keeps one process running: starts it again when it ends, after a longer pause each time, and asks it for its state. */
export class SupervisedProcess {
  readonly spec: ProcessSpec;
  readonly #clock: Clock;
  readonly #onChange: () => void;
  #child: ChildProcess | undefined;
  #state: ProcessState = "stopped";
  #look: Look = { ready: false };
  #reason: string | undefined;
  #starts = 0;
  #failures = 0;
  #startedAtMs = 0;
  #downUntilMs = Number.POSITIVE_INFINITY;
  /** Ends the pause before the next start. */
  #pause = new AbortController();
  readonly #waiting = new Set<() => void>();

  constructor(spec: ProcessSpec, { clock, onChange }: SupervisionOptions) {
    this.spec = spec;
    this.#clock = clock;
    this.#onChange = onChange;
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  get isReady(): boolean {
    return this.#state === "ready";
  }

  view(): ProcessView {
    const { name, kind, address, log } = this.spec;
    const { chunks, bytesUsed, bytesFree } = this.#look;
    const restarts = Math.max(0, this.#starts - 1);
    const leftMs = this.#state === "kept down" ? this.#downUntilMs - this.#clock.monotonicMs() : undefined;
    const keptDownForMs = Number.isFinite(leftMs) ? Math.max(0, leftMs ?? 0) : undefined;
    return {
      ...{ name, kind, state: this.#state, reason: this.#reason, pid: this.pid, address, restarts },
      ...{ chunks, bytesUsed, bytesFree, keptDownForMs, log },
    };
  }

  /** Starts it unless it runs. */
  start(): void {
    this.#pause.abort();
    if (this.#child !== undefined) return;
    this.#failures = 0;
    this.#spawn();
  }

  /**
   * Kills it as a crash would.
   *
   * @param downMs how long it stays down; `undefined`: it starts again like after a crash; Infinity: until `start()`.
   * @returns the id of the process; `undefined` if it had just ended by itself and stays down now.
   * @throws {AshlarError} PRECONDITION_FAILED if it does not run.
   */
  kill(downMs: number | undefined): number | undefined {
    const { pid } = this;
    if (this.#state === "restarting" && downMs !== undefined) {
      this.#pause.abort();
      this.#keepDown(downMs);
      void this.#startLater(downMs);
      return undefined;
    }
    if (this.#child === undefined || pid === undefined || this.#state === "stopping") {
      throw new AshlarError("PRECONDITION_FAILED", `${this.spec.name} does not run: it is ${this.#state}`);
    }
    const child = this.#child;
    if (downMs !== undefined) {
      this.#keepDown(downMs);
      child.once("exit", () => void this.#startLater(downMs));
    }
    child.kill("SIGKILL");
    return pid;
  }

  /** Stops it in order, and kills it after `graceMs`. Resolves when it is gone. */
  async stop(graceMs: number): Promise<void> {
    this.#pause.abort();
    const child = this.#child;
    if (child === undefined) return this.#become("stopped");
    this.#become("stopping");
    child.kill(this.spec.stopSignal);
    const limit = new AbortController();
    this.#clock.sleep(graceMs, { signal: limit.signal }).then(
      () => child.kill(this.spec.endSignal),
      () => {},
    );
    await this.until(() => this.#child === undefined);
    limit.abort();
  }

  /** Ends it at once, when nothing can be waited for any more. */
  end(): void {
    this.#child?.kill(this.spec.endSignal);
  }

  /** Waits for a state. @throws {AshlarError} when the signal aborts. */
  async until(reached: () => boolean, signal?: AbortSignal): Promise<void> {
    while (!reached()) {
      await new Promise<void>((resolve, reject) => {
        const abort = (): void => reject(AshlarError.from(signal?.reason));
        if (signal?.aborted) return abort();
        const wake = (): void => {
          this.#waiting.delete(wake);
          signal?.removeEventListener("abort", abort);
          resolve();
        };
        signal?.addEventListener("abort", abort, { once: true });
        this.#waiting.add(wake);
      });
    }
  }

  #keepDown(downMs: number): void {
    this.#downUntilMs = this.#clock.monotonicMs() + downMs;
    const isForGood = downMs === Number.POSITIVE_INFINITY;
    this.#become("kept down", isForGood ? "until it is started" : `for ${formatDuration(downMs)}`);
  }

  #become(state: ProcessState, reason?: string): void {
    this.#state = state;
    this.#reason = reason;
    this.#onChange();
    for (const wake of [...this.#waiting]) wake();
  }

  #spawn(): void {
    const { spec } = this;
    this.#look = { ready: false };
    this.#starts++;
    this.#startedAtMs = this.#clock.monotonicMs();
    let logFrom = 0;
    let child: ChildProcess;
    try {
      const log = openSync(spec.log, "a", 0o600);
      logFrom = statSync(spec.log).size;
      const { file, args, ...options } = spec.launch();
      try {
        // A group of its own: Ctrl-C in the terminal reaches only the supervisor, which stops the others in their order.
        const detached = process.platform !== "win32";
        child = spawn(file, args, { ...options, detached, windowsHide: true, stdio: ["ignore", log, log] });
      } finally {
        closeSync(log);
      }
    } catch (error) {
      void this.#startAgain(error instanceof Error ? error.message : "cannot be started");
      return;
    }
    let spawnError: string | undefined;
    child.once("error", (error) => {
      spawnError = error.message;
      // Without a process there is no exit.
      if (child.pid === undefined) this.#onExit(child, this.#advised(error.message));
    });
    child.once("exit", (code, signal) => {
      const how = spawnError ?? (signal === null ? `exit code ${code}` : `killed by ${signal}`);
      const words = signal === "SIGKILL" ? undefined : lastWords(spec.log, logFrom);
      this.#onExit(child, this.#advised(words === undefined ? how : `${how}: ${words}`));
    });
    this.#child = child;
    this.#become("starting");
    if (child.pid !== undefined) void this.#watch(child);
  }

  #advised(how: string): string {
    const advice = this.spec.advice?.(how);
    return advice === undefined ? how : `${how} (${advice})`;
  }

  #onExit(child: ChildProcess, how: string): void {
    if (this.#child !== child) return;
    this.#child = undefined;
    this.#look = { ready: false };
    if (this.#state === "stopping") this.#become("stopped");
    else if (this.#state === "kept down") this.#become("kept down", this.#reason);
    else void this.#startAgain(how);
  }

  async #startAgain(how: string): Promise<void> {
    if (this.#clock.monotonicMs() - this.#startedAtMs >= SETTLED_MS) this.#failures = 0;
    const waitMs = Math.min(RESTART_MAX_MS, RESTART_FIRST_MS * 2 ** this.#failures++);
    this.#become("restarting", `${how}; again in ${formatDuration(waitMs)}`);
    await this.#startLater(waitMs);
  }

  async #startLater(waitMs: number): Promise<void> {
    if (waitMs === Number.POSITIVE_INFINITY) return;
    this.#pause = new AbortController();
    try {
      await this.#clock.sleep(waitMs, { signal: this.#pause.signal });
    } catch {
      return;
    }
    if (this.#child === undefined && this.#state !== "stopped") this.#spawn();
  }

  async #watch(child: ChildProcess): Promise<void> {
    while (this.#child === child) {
      const look = await this.spec.look(AbortSignal.timeout(LOOK_LIMIT_MS)).catch(() => undefined);
      if (this.#child !== child || this.#state === "stopping" || this.#state === "kept down") return;
      this.#look = look ?? { ...this.#look, ready: false };
      const state = look?.ready ? "ready" : this.#state === "starting" ? "starting" : "not ready";
      const isEarly = state === "starting" && this.#clock.monotonicMs() - this.#startedAtMs < START_USUAL_MS;
      const reason = isEarly ? undefined : look === undefined ? "it does not answer" : look.reason;
      if (state !== this.#state || reason !== this.#reason) this.#become(state, reason);
      await this.#clock.sleep(this.#state === "starting" ? LOOK_STARTING_MS : LOOK_MS);
    }
  }
}
