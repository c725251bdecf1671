import { AshlarError, abortError } from "@ashlar/sdk/errors";
import { LIMITS } from "@ashlar/sdk/limits";
import {
  type Clock,
  createStallWatch,
  type Logger,
  type Random,
  type StallWatch,
  systemClock,
  type Ticker,
  type WriteOptions,
} from "@ashlar/sdk/ports";
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
  rulesOfSql,
  runSql,
  type SqlOperationInput,
  type SqlOperationName,
  type SqlOperationOutput,
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

/**
 * How long a transaction may wait for the next statement of its gateway, in ms. Statements follow each other without waiting for anything else; only a
 * gateway that is frozen or cut off takes longer, and its locks would stop all others: before they take the database for one that hangs
 * (PEER_STALLED_AFTER_MS).
 */
const TRANSACTION_IDLE_MAX_MS = 10_000;

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
  /** Default: the system's timer. */
  readonly ticker?: Ticker | undefined;
}

/** One call, across its attempts. */
interface Call extends NamedOperation {
  readonly name: SqlOperationName;
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
  readonly #watch: StallWatch;
  #probing: Promise<void> | undefined;

  constructor(options: PostgresExecutorOptions) {
    this.#options = options;
    // An idle connection that breaks is reported here; without a listener it would end the process.
    this.#onPoolError = (error) => options.logger.warn({ error: error.message }, "idle metadata connection lost");
    options.pool.on("error", this.#onPoolError);
    options.pool.on("connect", listenAlways);
    this.#watch = createStallWatch({
      peer: "the metadata database",
      code: "METADATA_UNAVAILABLE",
      probe: () => this.#probe(),
      ticker: options.ticker,
    });
  }

  async execute<Name extends SqlOperationName>(
    name: Name,
    input: SqlOperationInput<Name>,
    options?: WriteOptions,
  ): Promise<SqlOperationOutput<Name>> {
    const { clock, random } = this.#options;
    const given = namesOf(methodOf(name), input, options);
    const operationId = newId(clock, random);
    const own: WriteName = { key: operationId, fingerprint: "", chosen: false };
    const names = given.some(({ chosen }) => chosen) ? given : [own, ...given];
    const call: Call = { name, input, operationId, names, mayBeFinished: given.length > 0, commitLost: false };
    const output = this.retry(() => this.#attempt(call), options?.signal) as Promise<SqlOperationOutput<Name>>;
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

  /** Any answer, and be it an error, is a sign of life. While all connections are taken there is none: then only the answers to statements count. */
  #probe(): Promise<void> {
    // One at a time: a pool keeps whoever waits for a connection, also after that one has given up.
    this.#probing ??= this.#within(LIMITS.PEER_STALLED_AFTER_MS, this.#askOnce()).finally(() => {
      this.#probing = undefined;
    });
    return this.#probing;
  }

  async #askOnce(): Promise<void> {
    const client = await this.#options.pool.connect();
    let failure: Error | undefined;
    try {
      await client.query({ text: "SELECT 1", query_timeout: LIMITS.PEER_PROBE_AFTER_MS });
    } catch (error) {
      failure = error as Error;
      if (classifyPgError(error) === "unavailable") throw error;
    } finally {
      client.release(failure);
    }
  }

  /**
   * Checks a connection out; a connection that failed is closed, not reused. A database that is frozen, or behind a dead network, never answers: then
   * the call ends after PEER_STALLED_AFTER_MS. Each statement has a time limit too. If `timed` is false, there is neither.
   */
  async withClient<T>(
    use: (client: PgClient) => Promise<T>,
    { timed = true }: { readonly timed?: boolean } = {},
  ): Promise<T> {
    if (!timed) return await this.#useClient(use);
    const { statementTimeoutMs } = this.#options;
    if (this.#watch.isStalled()) await this.#watch.ready();
    let stop: (error: AshlarError) => void = () => {};
    const stalled = new Promise<never>((_, reject) => {
      stop = reject;
    });
    stalled.catch(() => {});
    const { heard, end } = this.#watch.begin(stop);
    try {
      return await this.#useClient((client) => use(withTimeLimit(client, statementTimeoutMs, heard)), stalled);
    } finally {
      end();
    }
  }

  /** @param stalled rejects when the database hangs. */
  async #useClient<T>(use: (client: PgClient) => Promise<T>, stalled?: Promise<never>): Promise<T> {
    const { pool, statementTimeoutMs } = this.#options;
    const orStalled = <R>(work: Promise<R>): Promise<R> =>
      stalled === undefined ? work : Promise.race([work, stalled]);
    const connecting = pool.connect();
    const client = await orStalled(this.#within(statementTimeoutMs, connecting)).catch((error: unknown) => {
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
    stalled?.catch(onError);
    try {
      const work = use(client);
      work.catch(() => {}); // it fails when its connection is closed
      return await orStalled(work);
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
    const { preparedStatements, clock, random } = this.#options;
    const { name, input } = call;
    const rules = rulesOfSql(call.name);
    const once = rules.kind === "once";
    // Another try of what may be repeated does other work: it must not give that the ids of the first, which may have happened.
    const operationId = once ? call.operationId : newId(clock, random);
    const { objects = [], buckets = [] } = rules.locks?.(call.input) ?? {};
    const locks = lockStatements({
      objects: objects.map(({ bucket, key }) => ({ bucket, key: toByteText(key) })),
      buckets,
    });
    const client = statementsInOrder(connection);
    const nowMs = queryScript<{ now_ms: number }>(client, beginScript(locks)).then(timeOf);
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
    this.#watch.close();
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

/** @param heard called with each answer; an error of the driver itself is none. */
function withTimeLimit(client: PgClient, timeoutMs: number, heard: () => void): PgClient {
  return {
    pipeline: client.pipeline === true,
    query(config) {
      const answer = client.query({ ...config, query_timeout: timeoutMs });
      answer.then(heard, (error: unknown) => {
        if (classifyPgError(error) !== "unavailable") heard();
      });
      return answer;
    },
    release: (error) => client.release(error),
    on: (event, listener) => client.on(event, listener),
    removeListener: (event, listener) => client.removeListener(event, listener),
  };
}

/**
 * Begins, takes the locks of the objects, and only then reads the clock, so that times of one object never go back. All of it goes in one round trip
 * with the first statements of the operation. The commit is synced in every mode: with `synchronous_commit = off` it stays in the server's own memory for
 * up to half a second, and a server that is killed loses it (`postgres-killed.contract.test.ts`).
 */
function beginScript(locks: readonly string[]): string {
  return [
    "BEGIN ISOLATION LEVEL READ COMMITTED",
    `SET LOCAL idle_in_transaction_session_timeout = ${TRANSACTION_IDLE_MAX_MS}`,
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
