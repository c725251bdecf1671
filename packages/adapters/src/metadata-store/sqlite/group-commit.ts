import { AshlarError } from "@ashlar/sdk/errors";
import type { Durability } from "@ashlar/sdk/ports";
import {
  FINISHED_COLUMNS,
  finishedRows,
  forgetFinished,
  lookUpFinished,
} from "../../internal/sql/finished-operations.ts";
import { SQL_OPERATIONS } from "../../internal/sql/operations.ts";
import { insertRows } from "../../internal/sql/row-blocks.ts";
import type { SqlSession } from "../../internal/sql/sql-session.ts";
import { type DiskRoom, needsRoom } from "./disk-reserve.ts";
import type { SqliteConnection } from "./sqlite-connection.ts";
import { fromSqliteError } from "./sqlite-error.ts";
import { encodeError, type WorkerAnswer, type WorkerRequest } from "./worker-protocol.ts";

/** Operations of one transaction: more share an fsync, but the first waits for the last (some 30 µs each). */
const GROUP_MAX = 128;

/** Results of earlier writes that a group forgets at most: more than it adds, so that they stay bounded where nobody collects. */
const FORGET_MAX = 2 * GROUP_MAX;

/**
 * Commits many writes with one fsync.
 *
 * What is waiting runs in one transaction, each operation in a savepoint of its own, so that one that fails takes back only itself. Answers
 * are given after the commit: a success is durable, and a refusal never rests on a write that did not happen. While one group is being
 * synced the next one gathers, so the size of the groups follows the load and nobody waits for a timer.
 */
export class GroupCommit {
  readonly #connection: SqliteConnection;
  readonly #room: DiskRoom;
  readonly #answer: (answers: readonly WorkerAnswer[]) => void;
  readonly #waiting: WorkerRequest[] = [];
  #running: Promise<void> | undefined;
  #synchronous = "FULL";
  /** Whether an answered write of mode `batched` is not synced yet. */
  #unsynced = false;

  constructor(connection: SqliteConnection, room: DiskRoom, answer: (answers: readonly WorkerAnswer[]) => void) {
    this.#connection = connection;
    this.#room = room;
    this.#answer = answer;
  }

  /** True while an answered `batched` write waits for its sync. */
  get unsynced(): boolean {
    return this.#unsynced;
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
      this.#setSynchronous(strongestOf(group));
      const full = !this.#hasRoom();
      connection.beginWrite();
      const answers: WorkerAnswer[] = [];
      for (const request of group)
        answers.push(
          full && needsRoom(request.name) ? await this.#earlierAnswer(request, noRoom()) : await this.#runOne(request),
        );
      await this.#forgetFinished(group);
      connection.exec("COMMIT");
      const mode = strongestOf(group);
      this.#unsynced = mode === "strict" ? false : this.#unsynced || mode === "batched";
      return answers;
    } catch (error) {
      if (connection.database.isTransaction) connection.exec("ROLLBACK");
      const plain = encodeError(fromSqliteError(error, this.#room.freeBytes));
      return group.map(({ requestId }) => ({ requestId, error: plain }));
    }
  }

  /** Whether the reserve is untouched. Near it the log goes first: it may hold more room than is left. */
  #hasRoom(): boolean {
    const { reserveBytes, freeBytes } = this.#room;
    if ((freeBytes() ?? Number.POSITIVE_INFINITY) >= 2 * reserveBytes) return true;
    this.#connection.truncateLog();
    return (freeBytes() ?? Number.POSITIVE_INFINITY) >= reserveBytes;
  }

  async #runOne(request: WorkerRequest): Promise<WorkerAnswer> {
    const connection = this.#connection;
    const { requestId, name, input } = request;
    connection.exec("SAVEPOINT operation");
    try {
      const run = SQL_OPERATIONS[name] as (session: SqlSession, input: unknown) => Promise<unknown>;
      const session = connection.session(request);
      const output = await run(session, input);
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

  /** What an earlier try of the same write left, or else the error: what this try met may be that one's doing. */
  async #earlierAnswer(request: WorkerRequest, error: unknown): Promise<WorkerAnswer> {
    const { requestId } = request;
    try {
      const finished = await lookUpFinished(this.#connection.session(request), request);
      if (finished !== undefined) return { requestId, output: finished.output };
    } catch (refused) {
      return { requestId, error: encodeError(fromSqliteError(refused, this.#room.freeBytes)) };
    }
    return { requestId, error: encodeError(fromSqliteError(error, this.#room.freeBytes)) };
  }

  async #forgetFinished(group: readonly WorkerRequest[]): Promise<void> {
    const named = group.find(({ names }) => names.length > 0);
    if (named !== undefined) await forgetFinished(this.#connection.session(named), FORGET_MAX);
  }

  /** Syncs what `batched` writes left behind: one small synced commit carries all frames before it. */
  sync(): void {
    if (!this.#unsynced) return;
    this.#setSynchronous("strict");
    this.#connection.beginWrite();
    this.#connection.exec("UPDATE sync_marks SET mark = mark + 1");
    this.#connection.exec("COMMIT");
    this.#unsynced = false;
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

function noRoom(): AshlarError {
  return new AshlarError(
    "DISK_FULL",
    "the disk of the metadata file is full up to the reserve that deletes need; nothing is kept",
  );
}

function strongestOf(group: readonly WorkerRequest[]): Durability {
  if (group.some(({ durability }) => durability === "strict")) return "strict";
  return group.some(({ durability }) => durability === "batched") ? "batched" : "os";
}
