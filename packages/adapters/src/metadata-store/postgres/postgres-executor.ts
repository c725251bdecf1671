import { AshlarError, abortError } from "@ashlar/sdk/errors";
import { type Clock, type Logger, type Random, systemClock, type WriteOptions } from "@ashlar/sdk/ports";
import { toByteText } from "../../internal/metadata/byte-text.ts";
import { newId } from "../../internal/metadata/new-id.ts";
import { namesOf, type WriteName } from "../../internal/metadata/write-name.ts";
import {
  FINISHED_COLUMNS,
  finishedRows,
  lookUpFinished,
  type NamedOperation,
  withUnknownOutcome,
} from "../../internal/sql/finished-operations.ts";
import {
  methodOf,
  type OperationInput,
  type OperationName,
  type OperationOutput,
  rulesOfSql,
  runSql,
} from "../../internal/sql/operations.ts";
import type { SqlExecutor } from "../../internal/sql/sql-metadata-store.ts";
import type { SqlStatement } from "../../internal/sql/sql-session.ts";
import type { PgClient, PgPool } from "./postgres-client.ts";
import { classifyPgError, fromPgError } from "./postgres-error.ts";
import {
  lockStatements,
  postgresSession,
  queryChecked,
  queryScript,
  quoteLiteral,
  READ_CLOCK,
  timeOf,
} from "./postgres-session.ts";
import { sendLast, statementsInOrder } from "./statements-in-order.ts";

/** A conflict ends when the other transaction does, some ms later. */
const CONFLICT_BACKOFF_MS = { base: 2, max: 100 } as const;
/** A restart takes seconds. */
const UNAVAILABLE_BACKOFF_MS = { base: 50, max: 1000 } as const;

/** A caller that asks whether the database is there wants to know soon. */
const PING_MAX_MS = 2000;

/** What an executor is made of. */
export interface PostgresExecutorOptions {
  readonly pool: PgPool;
  /** Whether `close()` ends the pool. */
  readonly ownsPool: boolean;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly preparedStatements: boolean;
  /** How long an operation is tried again before METADATA_UNAVAILABLE, in ms. */
  readonly retryForMs: number;
  /** How long one statement with those that are sent with it, or getting a connection, may take, in ms. */
  readonly statementTimeoutMs: number;
}

/** One call, across its attempts. */
interface Call extends NamedOperation {
  readonly name: OperationName;
  /** Seed of the ids that the operation makes, and its name where the caller gave none. */
  readonly operationId: string;
  /** Whether an earlier try, of this call or of the caller's, may have left its result. */
  mayBeFinished: boolean;
  /** A commit was sent, and its answer did not come: it may have happened. */
  commitLost: boolean;
}

/**
 * Runs operations on pooled connections, and tries them again where that helps.
 *
 * A write whose connection breaks after COMMIT was sent may or may not have happened. So writes leave their result under their operation id
 * (the caller's, or one of their own) in the same transaction (`finished_operations`). An attempt that fails where an earlier one may have
 * succeeded finds that result and answers with it. The primary key stops both attempts from happening, also while the server still works on
 * the first. An attempt that succeeds at once looks nothing up.
 */
export class PostgresExecutor implements SqlExecutor {
  readonly #options: PostgresExecutorOptions;
  readonly #onPoolError: (error: Error) => void;

  constructor(options: PostgresExecutorOptions) {
    this.#options = options;
    // An idle connection that breaks is reported here; without a listener it would end the process.
    this.#onPoolError = (error) => options.logger.warn({ error: error.message }, "idle metadata connection lost");
    options.pool.on("error", this.#onPoolError);
    options.pool.on("connect", listenAlways);
  }

  async execute<Name extends OperationName>(
    name: Name,
    input: OperationInput<Name>,
    options?: WriteOptions,
  ): Promise<OperationOutput<Name>> {
    const { clock, random } = this.#options;
    const given = namesOf(methodOf(name), input, options);
    const operationId = newId(clock, random);
    const own: WriteName = { key: operationId, fingerprint: "", chosen: false };
    const names = given.some(({ chosen }) => chosen) ? given : [own, ...given];
    const call: Call = { name, input, operationId, names, mayBeFinished: given.length > 0, commitLost: false };
    const output = this.retry(() => this.#attempt(call), options?.signal) as Promise<OperationOutput<Name>>;
    return await (name === "ping" ? this.#within(PING_MAX_MS, output) : output).catch((error: unknown) => {
      throw call.commitLost ? withUnknownOutcome(error) : error;
    });
  }

  /** Tries until it works, fails for good, or the time is over. */
  async retry<T>(attempt: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    const { clock, random, logger, retryForMs } = this.#options;
    const startedAtMs = clock.monotonicMs();
    for (let tries = 0; ; tries++) {
      try {
        return await attempt();
      } catch (error) {
        const failure = classifyPgError(error);
        const late = clock.monotonicMs() - startedAtMs >= retryForMs;
        if (failure === "final" || late) throw fromPgError(error);
        if (signal?.aborted) throw abortError(signal);
        if (failure === "unavailable")
          logger.warn({ tries, error: fromPgError(error).message }, "metadata database unavailable");
        const { base, max } = failure === "conflict" ? CONFLICT_BACKOFF_MS : UNAVAILABLE_BACKOFF_MS;
        // Full jitter: those who collided do not collide again.
        await clock.sleep(random.fraction() * Math.min(max, base * 2 ** Math.min(tries, 10)), { signal });
      }
    }
  }

  async #attempt(call: Call): Promise<unknown> {
    const { kind } = rulesOfSql(call.name);
    return await this.withClient(async (client) => {
      if (kind === "read" || kind === "statement") return await this.#withoutTransaction(client, call);
      return await this.#transaction(client, call);
    });
  }

  /** @throws {AshlarError} METADATA_UNAVAILABLE if `work` takes longer than `timeoutMs`; the work goes on then. */
  async #within<T>(timeoutMs: number, work: Promise<T>): Promise<T> {
    const over = new AbortController();
    // Real time, like the driver's own limits: a real database is what does not answer.
    const late = systemClock.sleep(timeoutMs, { signal: over.signal }).then((): never => {
      throw new AshlarError("METADATA_UNAVAILABLE", `the metadata database did not answer within ${timeoutMs} ms`);
    });
    late.catch(() => {});
    try {
      return await Promise.race([work, late]);
    } finally {
      over.abort();
    }
  }

  /**
   * Checks a connection out; a connection that failed is closed, not reused. A database that is frozen, or behind a dead network, never answers,
   * so statements have a time limit, unless `timed` is false.
   */
  async withClient<T>(
    use: (client: PgClient) => Promise<T>,
    { timed = true }: { readonly timed?: boolean } = {},
  ): Promise<T> {
    const { pool, statementTimeoutMs } = this.#options;
    const connecting = pool.connect();
    const client = await this.#within(statementTimeoutMs, connecting).catch((error: unknown) => {
      // The connection may still come: nobody uses it then, so it goes back.
      connecting.then(
        (late) => late.release(),
        () => {},
      );
      throw error;
    });
    let broken: Error | undefined;
    // While a connection is checked out nobody else listens, and an error without a listener ends the process.
    const onError = (error: Error): void => {
      broken = error;
    };
    client.on("error", onError);
    try {
      return await use(timed ? withTimeLimit(client, statementTimeoutMs) : client);
    } catch (error) {
      if (classifyPgError(error) === "unavailable") broken ??= error as Error;
      throw error;
    } finally {
      client.removeListener("error", onError);
      client.release(broken);
    }
  }

  async #withoutTransaction(client: PgClient, { operationId, name, input }: Call): Promise<unknown> {
    const { preparedStatements } = this.#options;
    const session = postgresSession({ client: statementsInOrder(client), operationId, preparedStatements });
    return await runSql(session, name, input);
  }

  /** The first statements of a write go with BEGIN and the locks, the last ones with its result and COMMIT: two round trips, if it has no others. */
  async #transaction(connection: PgClient, call: Call): Promise<unknown> {
    const { preparedStatements } = this.#options;
    const { operationId, name, input } = call;
    const rules = rulesOfSql(call.name);
    const once = rules.kind === "once";
    const { objects = [], buckets = [] } = rules.locks?.(call.input) ?? {};
    const locks = lockStatements({
      objects: objects.map(({ bucket, key }) => ({ bucket, key: toByteText(key) })),
      buckets,
    });
    const client = statementsInOrder(connection);
    const nowMs = queryScript<{ now_ms: number }>(client, beginScript(call, locks)).then(timeOf);
    nowMs.catch(() => {}); // every statement behind it fails as it did
    const last: SqlStatement[] = [];
    try {
      const session = postgresSession({
        ...{ client, operationId, preparedStatements, nowMs, last },
        heldLocks: new Set(locks),
      });
      const output = await runSql(session, name, input);
      const commit = once ? `${finishedScript(call, output, await nowMs)}; COMMIT` : "COMMIT";
      await sendLast(
        last.map((statement) => () => queryChecked({ client, preparedStatements }, statement)),
        () => {
          call.mayBeFinished ||= once;
          call.commitLost = once;
          return queryScript(client, commit);
        },
      );
      call.commitLost = false;
      return output;
    } catch (error) {
      if (classifyPgError(error) === "unavailable") throw error; // the connection is closed, which rolls back too
      await client.settled();
      await queryScript(connection, "ROLLBACK");
      const finished = once && call.mayBeFinished ? await this.#lookUp(connection, call) : undefined;
      // The outcome of earlier tries is known by now: tries wait for each other at the same locks, or at the primary key.
      call.commitLost = false;
      if (finished === undefined) throw error;
      return finished.output;
    }
  }

  async #lookUp(client: PgClient, call: Call): Promise<{ readonly output: unknown } | undefined> {
    const { preparedStatements } = this.#options;
    return await lookUpFinished(postgresSession({ client, operationId: "", preparedStatements }), call);
  }

  async close(): Promise<void> {
    const { pool, ownsPool } = this.#options;
    // Connections may report errors while their pool ends, so our own pool keeps its listener; the caller's pool loses it.
    if (ownsPool) return await pool.end();
    pool.removeListener("error", this.#onPoolError);
    pool.removeListener("connect", listenAlways);
  }
}

/**
 * The pool stops listening to a new connection when it hands it out, and we start some turns later: an error that the server sends in one packet with
 * its "ready" comes between the two. The next statement shows that the connection is useless.
 */
function listenAlways(client: PgClient): void {
  client.on("error", () => {});
}

function withTimeLimit(client: PgClient, timeoutMs: number): PgClient {
  return {
    pipeline: client.pipeline === true,
    query: (config) => client.query({ ...config, query_timeout: timeoutMs }),
    release: (error) => client.release(error),
    on: (event, listener) => client.on(event, listener),
    removeListener: (event, listener) => client.removeListener(event, listener),
  };
}

/**
 * Begins, takes the locks of the objects, and only then reads the clock, so that times of one object never go back. All of it goes in one round trip
 * with the first statements of the operation. `os` does not wait for the log; `strict` and `batched` do (PostgreSQL's own interval is longer than
 * what `batched` promises).
 */
function beginScript(call: Call, locks: readonly string[]): string {
  const durability = rulesOfSql(call.name).durability?.(call.input);
  return [
    "BEGIN ISOLATION LEVEL READ COMMITTED",
    ...(durability === "os" ? ["SET LOCAL synchronous_commit = off"] : []),
    ...locks,
    READ_CLOCK,
  ].join("; ");
}

/** Goes with the COMMIT in one round trip. */
function finishedScript(call: Call, output: unknown, nowMs: number): string {
  const rows = finishedRows(call, output, nowMs).map(
    ([key, fingerprint, result]) =>
      `(${quoteLiteral(key)}, ${quoteLiteral(fingerprint)}, ${quoteLiteral(result)}, ${nowMs})`,
  );
  return `INSERT INTO ${FINISHED_COLUMNS} VALUES ${rows.join(", ")}`;
}
