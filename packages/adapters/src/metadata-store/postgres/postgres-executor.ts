import { AshlarError, abortError } from "@ashlar/sdk/errors";
import {
  type CallOptions,
  type Clock,
  type Durability,
  type Logger,
  type Random,
  systemClock,
} from "@ashlar/sdk/ports";
import { newId } from "../../internal/metadata/new-id.ts";
import {
  locksOf,
  OPERATION_KINDS,
  type OperationInput,
  type OperationName,
  type OperationOutput,
  SQL_OPERATIONS,
} from "../../internal/sql/operations.ts";
import { POSTGRES_DIALECT } from "../../internal/sql/sql-dialect.ts";
import type { SqlExecutor } from "../../internal/sql/sql-metadata-store.ts";
import type { SqlSession } from "../../internal/sql/sql-session.ts";
import { decodeResult, encodeResult } from "./operation-result.ts";
import type { PgClient, PgPool } from "./postgres-client.ts";
import { classifyPgError, fromPgError } from "./postgres-error.ts";
import {
  lockStatements,
  type PostgresSessionContext,
  postgresSession,
  queryPg,
  queryScript,
  quoteLiteral,
} from "./postgres-session.ts";

/** A conflict ends when the other transaction does, some ms later. */
const CONFLICT_BACKOFF_MS = { base: 2, max: 100 } as const;
/** A restart takes seconds. */
const UNAVAILABLE_BACKOFF_MS = { base: 50, max: 1000 } as const;

/** Who asks whether the database is there wants to know soon. */
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
  /** How long one statement, or getting a connection, may take, in ms. */
  readonly statementTimeoutMs: number;
}

/** One call, across its attempts. */
interface Call {
  readonly name: OperationName;
  readonly input: unknown;
  readonly operationId: string;
  /** A commit was sent and its answer is not known: it may have happened. */
  commitSent: boolean;
}

/**
 * Runs operations on pooled connections, again where that helps.
 *
 * A write whose connection breaks after COMMIT was sent may or may not have happened. Such writes leave their result under their operation id
 * in the same transaction (`finished_operations`), so the next attempt finds it and answers with it. The primary key also stops the two from
 * both happening while the server is still working on the first.
 */
export class PostgresExecutor implements SqlExecutor {
  readonly #options: PostgresExecutorOptions;
  readonly #onPoolError: (error: Error) => void;

  constructor(options: PostgresExecutorOptions) {
    this.#options = options;
    // An idle connection that breaks is reported here; without a listener it would end the process.
    this.#onPoolError = (error) => options.logger.warn({ error: error.message }, "idle metadata connection lost");
    options.pool.on("error", this.#onPoolError);
  }

  async execute<Name extends OperationName>(
    name: Name,
    input: OperationInput<Name>,
    options?: CallOptions,
  ): Promise<OperationOutput<Name>> {
    const { clock, random } = this.#options;
    const call: Call = { name, input, operationId: newId(clock, random), commitSent: false };
    const output = this.retry(() => this.#attempt(call), options?.signal) as Promise<OperationOutput<Name>>;
    return await (name === "ping" ? this.#within(PING_MAX_MS, output) : output);
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
    const kind = OPERATION_KINDS[call.name];
    return await this.withClient(async (client) => {
      if (kind === "read" || kind === "statement") return await this.#run(client, call);
      return await this.#transaction(client, call);
    });
  }

  /** @throws {AshlarError} METADATA_UNAVAILABLE if `work` takes longer than `timeoutMs`; it goes on then. */
  async #within<T>(timeoutMs: number, work: Promise<T>): Promise<T> {
    const over = new AbortController();
    // Real time, as the driver's own limits: it is a real database that does not answer.
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
   * Checks a connection out; one that failed is closed, not reused. A database that is frozen, or behind a dead network, answers nothing at all,
   * so statements have a time limit, unless `timed` is false.
   */
  async withClient<T>(
    use: (client: PgClient) => Promise<T>,
    { timed = true }: { readonly timed?: boolean } = {},
  ): Promise<T> {
    const { pool, statementTimeoutMs } = this.#options;
    const connecting = pool.connect();
    const client = await this.#within(statementTimeoutMs, connecting).catch((error: unknown) => {
      // It may still come, and belongs to nobody then.
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

  async #run(
    client: PgClient,
    call: Call,
    begun: Pick<PostgresSessionContext, "nowMs" | "heldLocks"> = {},
  ): Promise<unknown> {
    const { preparedStatements } = this.#options;
    const { operationId } = call;
    const session = postgresSession({ client, operationId, preparedStatements, ...begun });
    const run = SQL_OPERATIONS[call.name] as (session: SqlSession, input: unknown) => Promise<unknown>;
    return await run(session, call.input);
  }

  async #transaction(client: PgClient, call: Call): Promise<unknown> {
    const once = OPERATION_KINDS[call.name] === "once";
    const context = { client, preparedStatements: this.#options.preparedStatements };
    const locks = lockStatements(locksOf(call.name, call.input));
    const [begun] = await queryScript<{ now_ms: number }>(client, beginScript(call, locks));
    const nowMs = begun?.now_ms ?? 0;
    try {
      if (once && call.commitSent) {
        const sql = "SELECT result FROM finished_operations WHERE operation_id = $1";
        const [finished] = await queryPg<{ result: string }>(context, sql, [call.operationId]);
        if (finished !== undefined) {
          await queryScript(client, "ROLLBACK");
          return decodeResult(finished.result);
        }
      }
      const output = await this.#run(client, call, { nowMs, heldLocks: new Set(locks) });
      call.commitSent = true;
      await queryScript(client, once ? `${finishedScript(call, output, nowMs)}; COMMIT` : "COMMIT");
      return output;
    } catch (error) {
      await rollback(client, error);
      throw error;
    }
  }

  async close(): Promise<void> {
    const { pool, ownsPool } = this.#options;
    // A pool that ends still hears from connections on their way out, so its listener stays; of the caller's pool it goes.
    if (ownsPool) await pool.end();
    else pool.removeListener("error", this.#onPoolError);
  }
}

function withTimeLimit(client: PgClient, timeoutMs: number): PgClient {
  return {
    query: (config) => client.query({ ...config, query_timeout: timeoutMs }),
    release: (error) => client.release(error),
    on: (event, listener) => client.on(event, listener),
    removeListener: (event, listener) => client.removeListener(event, listener),
  };
}

/**
 * One round trip: begins, takes the locks of the objects, and only then looks at the clock, so that times of one object never go back.
 * `os` does not wait for the log; `strict` and `batched` do (PostgreSQL's own interval is longer than what `batched` promises).
 */
function beginScript(call: Call, locks: readonly string[]): string {
  const durability = (call.input as { readonly durability?: Durability } | undefined)?.durability;
  return [
    "BEGIN ISOLATION LEVEL READ COMMITTED",
    ...(durability === "os" ? ["SET LOCAL synchronous_commit = off"] : []),
    ...locks,
    `SELECT ${POSTGRES_DIALECT.nowMs} AS now_ms`,
  ].join("; ");
}

/** Goes with the COMMIT in one round trip. */
function finishedScript(call: Call, output: unknown, nowMs: number): string {
  const values = [quoteLiteral(call.operationId), quoteLiteral(encodeResult(output)), String(nowMs)];
  return `INSERT INTO finished_operations (operation_id, result, finished_at_ms) VALUES (${values.join(", ")})`;
}

async function rollback(client: PgClient, error: unknown): Promise<void> {
  if (classifyPgError(error) === "unavailable") return; // the connection is closed, which rolls back too
  await queryScript(client, "ROLLBACK");
}
