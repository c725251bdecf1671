import { AshlarError } from "@ashlar/sdk/errors";
import type { Clock, Durability } from "@ashlar/sdk/ports";
import {
  FINISHED_COLUMNS,
  finishedRows,
  forgetFinished,
  lookUpFinished,
  withUnknownOutcome,
} from "../../internal/sql/finished-operations.ts";
import { rulesOfSql, runSql } from "../../internal/sql/operations.ts";
import { insertRows } from "../../internal/sql/row-batches.ts";
import type { DiskRoom } from "./disk-reserve.ts";
import type { FileWatch } from "./file-watch.ts";
import type { SqliteConnection } from "./sqlite-connection.ts";
import { fromSqliteError, isFailedSync, isFull, isIoError } from "./sqlite-error.ts";
import { encodeError, type WorkerAnswer, type WorkerRequest } from "./worker-protocol.ts";

/** Most operations of one transaction: more of them share an fsync, but the first waits for the last (some 30 µs each). */
const GROUP_MAX = 128;

/** Results of earlier writes that a group forgets at most: more than it adds, so that they stay bounded where nobody collects. */
const FORGET_MAX = 2 * GROUP_MAX;
/** A `batched` write is synced within 100 ms after its answer: half of that to gather, half for the sync itself. */
export const BATCHED_SYNC_MS = 50;

/** A request with the time that its rows get. */
type TimedRequest = WorkerRequest & { readonly nowMs: number };

/** What {@link GroupCommit} works with. */
export interface GroupCommitOptions {
  readonly connection: SqliteConnection;
  readonly room: DiskRoom;
  readonly watch: FileWatch;
  readonly clock: Pick<Clock, "nowMs" | "monotonicMs">;
  readonly answer: (answers: readonly WorkerAnswer[]) => void;
}

/**
 * Commits many writes with one fsync.
 *
 * All waiting operations run in one transaction, each in a savepoint of its own, so an operation that fails undoes only itself. Answers are
 * given after the commit: a success is durable, and a refusal never rests on a write that did not happen. While one group is being synced
 * the next one gathers, so the size of the groups follows the load and nobody waits for a timer.
 */
export class GroupCommit {
  readonly #options: GroupCommitOptions;
  readonly #connection: SqliteConnection;
  readonly #room: DiskRoom;
  readonly #answer: (answers: readonly WorkerAnswer[]) => void;
  readonly #waiting: WorkerRequest[] = [];
  #running: Promise<void> | undefined;
  #synchronous = "FULL";
  /** Monotonic time of the answer to the oldest `batched` write that is not synced yet; undefined if there is none. */
  #unsyncedSinceMs: number | undefined;
  #lastSyncMs = 0;
  #failure: AshlarError | undefined;

  constructor(options: GroupCommitOptions) {
    this.#options = options;
    this.#connection = options.connection;
    this.#room = options.room;
    this.#answer = options.answer;
  }

  /** True while an answered `batched` write waits for its sync. */
  get unsynced(): boolean {
    return this.#unsyncedSinceMs !== undefined;
  }

  push(requests: readonly WorkerRequest[]): void {
    this.#waiting.push(...requests);
    this.#running ??= this.#drain();
  }

  /** Settles when nothing waits any more. */
  async idle(): Promise<void> {
    while (this.#running !== undefined) await this.#running;
  }

  async #drain(): Promise<void> {
    while (this.#waiting.length > 0) {
      // Lets every message that has arrived by now join the group.
      await new Promise((resolve) => setImmediate(resolve));
      const group = this.#waiting.splice(0, GROUP_MAX);
      this.#answer(await this.#commit(group));
    }
    this.#running = undefined;
  }

  async #commit(group: readonly WorkerRequest[]): Promise<readonly WorkerAnswer[]> {
    const connection = this.#connection;
    try {
      if (this.#failure !== undefined) throw this.#failure;
      const mode = this.#modeOf(group);
      this.#setSynchronous(mode);
      const full = !this.#hasRoom();
      connection.beginWrite();
      // Only now: another process may have written meanwhile, and times of one object never go back.
      const nowMs = this.#options.clock.nowMs();
      const timed = group.map((request) => ({ ...request, nowMs: request.nowMs ?? nowMs }));
      const answers: WorkerAnswer[] = [];
      for (const request of timed)
        answers.push(
          full && rulesOfSql(request.name).grows === true
            ? await this.#earlierAnswer(request, noRoom())
            : await this.#runOne(request),
        );
      await this.#forgetFinished(timed);
      this.#commitNow(mode);
      return answers;
    } catch (error) {
      const mayBeKept = error instanceof LostCommit;
      if (connection.database.isTransaction) connection.exec("ROLLBACK");
      const known = this.#failed(mayBeKept ? error.cause : error);
      // Only those whose commit was begun: writes that come after it, or were queued behind it, are refused and have not happened.
      const plain = encodeError(mayBeKept ? withUnknownOutcome(known) : known);
      return group.map(({ requestId }) => ({ requestId, error: plain }));
    }
  }

  /** The rest of the window decides: once it is used up, or if a sync takes longer than the window, `batched` writers wait for the disk too. */
  #modeOf(group: readonly WorkerRequest[]): Durability {
    const mode = strongestOf(group);
    if (mode !== "batched") return mode;
    const nowMs = this.#options.clock.monotonicMs();
    const isLate = this.#unsyncedSinceMs !== undefined && nowMs - this.#unsyncedSinceMs >= BATCHED_SYNC_MS;
    return isLate || this.#lastSyncMs > BATCHED_SYNC_MS ? "strict" : "batched";
  }

  /**
   * @throws {LostCommit} if the group may be there when the file is opened again: after a failed sync or write all of it may be in the log, and a
   *   moved file still exists somewhere. Any other error comes before the commit begins, or from a full disk: then nothing is kept.
   */
  #commitNow(mode: Durability): void {
    const { clock, watch } = this.#options;
    const startedAtMs = clock.monotonicMs();
    watch.assertThere();
    try {
      this.#connection.exec("COMMIT");
      watch.assertThere();
    } catch (error) {
      throw isFull(error) ? error : new LostCommit(error);
    }
    if (mode === "strict") {
      this.#lastSyncMs = clock.monotonicMs() - startedAtMs;
      this.#unsyncedSinceMs = undefined;
    } else if (mode === "batched") this.#unsyncedSinceMs ??= clock.monotonicMs();
  }

  /**
   * After a failed write or sync, the log may lack pages that the kernel calls written by now, and a second try would be answered as if all were
   * there. So the store stops: only opening it again reads what is really there. A full disk is no such failure: nothing of the group was kept.
   */
  #failed(error: unknown): AshlarError {
    const known = fromSqliteError(error, this.#room.freeBytes);
    const isLost = AshlarError.is(error) ? error.code === "METADATA_UNAVAILABLE" : isFailedWrite(error, known);
    if (!isLost || this.#failure !== undefined) return this.#failure ?? known;
    this.#failure = new AshlarError(
      "METADATA_UNAVAILABLE",
      `${known.message}; the store takes no more writes until it is opened anew: see whether the disk is failing first`,
      { cause: known, details: { ...known.details, stopped: "true" } },
    );
    return this.#failure;
  }

  /** Whether the reserve is untouched. Near the reserve the log is truncated first: it may take more room than is left. */
  #hasRoom(): boolean {
    const { reserveBytes, freeBytes } = this.#room;
    if ((freeBytes() ?? Number.POSITIVE_INFINITY) >= 2 * reserveBytes) return true;
    this.#connection.truncateLog();
    return (freeBytes() ?? Number.POSITIVE_INFINITY) >= reserveBytes;
  }

  async #runOne(request: TimedRequest): Promise<WorkerAnswer> {
    const connection = this.#connection;
    const { requestId, name, input } = request;
    connection.exec("SAVEPOINT operation");
    try {
      const session = connection.session(request);
      const output = await runSql(session, name, input);
      if (request.names.length > 0)
        await insertRows(session, { into: FINISHED_COLUMNS }, finishedRows(request, output, request.nowMs));
      connection.exec("RELEASE operation");
      return { requestId, output };
    } catch (error) {
      // A full disk rolls the whole transaction back: then nothing of the group has happened.
      if (!connection.database.isTransaction) throw error;
      connection.exec("ROLLBACK TO operation");
      connection.exec("RELEASE operation");
      return await this.#earlierAnswer(request, error);
    }
  }

  /** Answers with what an earlier try of the same write left, or else with the error: the earlier try may have caused it. */
  async #earlierAnswer(request: TimedRequest, error: unknown): Promise<WorkerAnswer> {
    const { requestId } = request;
    try {
      const finished = await lookUpFinished(this.#connection.session(request), request);
      if (finished !== undefined) return { requestId, output: finished.output };
    } catch (refused) {
      return { requestId, error: encodeError(fromSqliteError(refused, this.#room.freeBytes)) };
    }
    return { requestId, error: encodeError(fromSqliteError(error, this.#room.freeBytes)) };
  }

  async #forgetFinished(group: readonly TimedRequest[]): Promise<void> {
    const named = group.find(({ names }) => names.length > 0);
    if (named !== undefined) await forgetFinished(this.#connection.session(named), FORGET_MAX);
  }

  /** Syncs what `batched` writes left behind: one small synced commit also syncs all frames before it. */
  sync(): void {
    if (!this.unsynced || this.#failure !== undefined) return;
    try {
      this.#setSynchronous("strict");
      this.#connection.beginWrite();
      this.#connection.exec("UPDATE sync_marks SET mark = mark + 1");
      this.#commitNow("strict");
    } catch (error) {
      if (this.#connection.database.isTransaction) this.#connection.exec("ROLLBACK");
      throw this.#failed(error instanceof LostCommit ? error.cause : error);
    }
  }

  /** Whether the store takes no more writes. */
  get stopped(): boolean {
    return this.#failure !== undefined;
  }

  /**
   * FULL syncs the log at every commit. NORMAL syncs it only before pages go back into the file, so the file stays sound after a power
   * loss and only the last commits may be missing. OFF is never used: it could damage what `strict` writes left.
   */
  #setSynchronous(durability: Durability): void {
    const wanted = durability === "strict" ? "FULL" : "NORMAL";
    if (wanted === this.#synchronous) return;
    this.#connection.exec(`PRAGMA synchronous = ${wanted}`);
    this.#synchronous = wanted;
  }
}

/** A commit was started, and it is not known whether it happened. */
class LostCommit extends Error {
  constructor(cause: unknown) {
    super("a commit may have happened", { cause });
  }
}

function noRoom(): AshlarError {
  return new AshlarError(
    "DISK_FULL",
    "the disk of the metadata file is full up to the reserve that deletes need; nothing is kept: make room on it, then write again",
  );
}

/** An I/O error that is not the disk being full, or a failed sync in any case. */
function isFailedWrite(error: unknown, known: AshlarError): boolean {
  if (isFailedSync(error)) return true;
  return known.code !== "DISK_FULL" && isIoError(error);
}

function strongestOf(group: readonly WorkerRequest[]): Durability {
  if (group.some(({ durability }) => durability === "strict")) return "strict";
  return group.some(({ durability }) => durability === "batched") ? "batched" : "os";
}
