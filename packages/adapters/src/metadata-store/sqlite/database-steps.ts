import { randomUUID } from "node:crypto";
import * as nodeFs from "node:fs/promises";
import { AshlarError } from "@ashlar/sdk/errors";
import { type Clock, type Logger, meetDatabase } from "@ashlar/sdk/ports";
import { readSeenDatabase, writeSeenDatabase } from "../../internal/seen-database.ts";
import type { SqlExecutor } from "../../internal/sql/sql-metadata-store.ts";

/**
 * How long a step lasts for the writes after it: a copy of the running database is noticed if a write came this long after the copy. A step costs a
 * commit and a small synced file, next to nothing once a minute.
 */
export const STEP_LASTS_MS = 60_000;

/** What {@link DatabaseSteps} works with. */
export interface DatabaseStepsOptions {
  /** The folder with the database, its chunks and `database.json`. */
  readonly folder: string;
  readonly executor: Pick<SqlExecutor, "execute">;
  readonly clock: Clock;
  readonly logger: Logger;
}

/**
 * Takes steps with the database of a folder, before writes that name chunks and after the last of them: raises its epoch, and notes that next to the
 * chunks. See `DatabaseMark` in the SDK for why. Reads and inline writes cost nothing.
 */
export class DatabaseSteps {
  readonly #options: DatabaseStepsOptions;
  #lastMs: number | undefined;
  #running: Promise<void> | undefined;

  constructor(options: DatabaseStepsOptions) {
    this.#options = options;
  }

  /** Takes a step if the last one was taken too long ago. Never fails: the write itself finds out whether the store can be written. */
  async beforeWrite(): Promise<void> {
    const { clock } = this.#options;
    if (this.#lastMs !== undefined && clock.monotonicMs() - this.#lastMs < STEP_LASTS_MS) return;
    this.#running ??= this.#tryStep().finally(() => {
      this.#running = undefined;
    });
    await this.#running;
  }

  /** Takes a step if anything was written: a copy that was made while the store was open is older than that. */
  async atClose(): Promise<void> {
    await this.#running;
    if (this.#lastMs !== undefined) await this.#tryStep();
  }

  async #tryStep(): Promise<void> {
    const { clock, logger } = this.#options;
    try {
      await this.#step();
      this.#lastMs = clock.monotonicMs();
    } catch (error) {
      const { message } = AshlarError.from(error);
      logger.warn({ error: message }, "the state of the metadata could not be written down beside the chunks");
    }
  }

  async #step(): Promise<void> {
    const { executor, folder, clock } = this.#options;
    const mark = await executor.execute("databaseMark", undefined);
    const seen = await readSeenDatabase(nodeFs, folder);
    // A step would end the takeover; only the collection that every store has accepted may do that.
    if (mark.takesOver) return;
    // The database was restored, or is another one: it must not count up to the epoch that the chunks are kept for.
    if (seen !== undefined && (seen.databaseId !== mark.databaseId || seen.epoch > mark.epoch)) return;
    await executor.execute("advanceDatabase", mark.epoch);
    const next = meetDatabase(seen, await executor.execute("databaseMark", undefined), clock.nowMs());
    if (next !== seen) await writeSeenDatabase(nodeFs, folder, { seen: next, unique: randomUUID() });
  }
}
