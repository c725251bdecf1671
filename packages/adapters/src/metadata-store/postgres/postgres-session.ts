import { createHash } from "node:crypto";
import type { OperationLocks } from "@ashlar/sdk/ports";
import { POSTGRES_DIALECT } from "../../internal/sql/sql-dialect.ts";
import type { SqlSession, SqlStatement, SqlValue } from "../../internal/sql/sql-session.ts";
import type { PgResult, PgTypes } from "./postgres-client.ts";
import { allAnswered, type StatementSender } from "./statements-in-order.ts";

/** Statements with more parameters are lists of any length; each would stay prepared on the server forever. */
const NAMED_PARAMS_MAX = 16;
/** As many as the largest commit of a client needs. The time limit of a statement holds for all that are sent together, so there is a maximum. */
const SENT_TOGETHER_MAX = 32;
/** Any number that no other application is likely to lock. */
const LAYOUT_LOCK = "4707464411937265408";
export const MIGRATION_LOCK = "4707464411937265409";

const toNumber = (text: string): number => Number(text);
const parsers: ReadonlyMap<number, (text: string) => unknown> = new Map<number, (text: string) => unknown>([
  [16, (text) => text === "t"], // bool
  [17, (text) => Buffer.from(text.slice(2), "hex")], // bytea, as \x…
  [20, toNumber], // int8
  [21, toNumber], // int2
  [23, toNumber], // int4
  [700, toNumber], // float4
  [701, toNumber], // float8
  [1700, toNumber], // numeric: sums
]);

/** The store has its own parsers, so that the app's settings of its driver do not matter here. All integers of the schema are below 2^53. */
const types: PgTypes = {
  getTypeParser: (oid: number) => parsers.get(oid) ?? ((text: string): string => text),
};

const names = new Map<string, string>();

function statementName(sql: string): string {
  let name = names.get(sql);
  if (name === undefined) {
    name = `ashlar_${createHash("sha256").update(sql).digest("hex").slice(0, 24)}`;
    names.set(sql, name);
  }
  return name;
}

/** What a session works with. */
export interface PostgresSessionContext {
  readonly client: StatementSender;
  readonly operationId: string;
  readonly preparedStatements: boolean;
  /** The time at which the transaction had its first locks, if one was begun. */
  readonly nowMs?: Promise<number>;
  /** Lock statements that the transaction ran when it began. */
  readonly heldLocks?: ReadonlySet<string>;
  /** Takes the statements that go with the COMMIT. */
  readonly last?: SqlStatement[];
}

export async function queryPg<Row extends object>(
  context: Pick<PostgresSessionContext, "client" | "preparedStatements">,
  sql: string,
  params: readonly SqlValue[] = [],
): Promise<readonly Row[]> {
  const named = context.preparedStatements && params.length > 0 && params.length <= NAMED_PARAMS_MAX;
  const config = { text: sql, types, ...(params.length > 0 ? { values: [...params] } : {}) };
  const result = await context.client.query(named ? { ...config, name: statementName(sql) } : config);
  return result.rows as Row[];
}

/** Several statements without parameters in one round trip. @returns the rows of the last one. */
export async function queryScript<Row extends object>(client: StatementSender, sql: string): Promise<readonly Row[]> {
  const result: PgResult | readonly PgResult[] = await client.query({ text: sql, types });
  const last = Array.isArray(result) ? (result as readonly PgResult[]).at(-1) : (result as PgResult);
  return (last?.rows ?? []) as Row[];
}

/** SQLSTATE of a division by zero. */
const DIVISION_BY_ZERO = "22012";

/**
 * Runs a statement and checks what it must return. The statement divides by zero if it returns another number of rows, so that the transaction fails
 * in the server: the COMMIT may be under way already.
 */
export async function queryChecked(
  context: Pick<PostgresSessionContext, "client" | "preparedStatements">,
  { sql, params, mustReturn }: SqlStatement,
): Promise<void> {
  if (mustReturn === undefined) return void (await queryPg(context, sql, params));
  const { rowCount, otherwise } = mustReturn;
  const checked = `WITH returned AS (${sql}) SELECT 1 / CASE count(*) WHEN ${rowCount} THEN 1 ELSE 0 END AS checked FROM returned`;
  try {
    await queryPg(context, checked, params);
  } catch (error) {
    throw error instanceof Error && "code" in error && error.code === DIVISION_BY_ZERO ? otherwise() : error;
  }
}

/** Text as a literal, whatever the server's setting for backslashes is. */
export function quoteLiteral(text: string): string {
  return `E'${text.replaceAll("\\", "\\\\").replaceAll("'", "''")}'`;
}

interface ClockRow {
  readonly now_ms: number;
}

/** Reads the database's clock. */
export const READ_CLOCK: string = `SELECT ${POSTGRES_DIALECT.nowMs} AS now_ms`;

/** The answer to {@link READ_CLOCK}. */
export const timeOf = ([row]: readonly ClockRow[]): number => row?.now_ms ?? 0;

/** A session over one connection. */
export function postgresSession(context: PostgresSessionContext): SqlSession {
  let nowMs = context.nowMs;
  let idCount = 0;
  const query = <Row extends object>(sql: string, params?: readonly SqlValue[]): Promise<readonly Row[]> =>
    queryPg<Row>(context, sql, params);
  // No parameters: the numbers differ from call to call, and a prepared statement would gain nothing here. Not waited for: the next statement is
  // behind it, and fails if it failed.
  const takeLock = (statement: string): void => {
    if (context.heldLocks?.has(statement) !== true) queryScript(context.client, statement).catch(() => {});
  };
  const readClock = async (): Promise<number> => timeOf(await query<ClockRow>(READ_CLOCK));
  return {
    dialect: POSTGRES_DIALECT,
    query,
    async finish(statements) {
      const { last } = context;
      if (last === undefined) throw new Error("only a transaction has an end");
      const rest = [...statements];
      while (rest.length > SENT_TOGETHER_MAX)
        await allAnswered(rest.splice(0, SENT_TOGETHER_MAX).map((statement) => queryChecked(context, statement)));
      last.push(...rest);
    },
    nowMs: () => (nowMs ??= readClock()),
    newId: () => (idCount++ === 0 ? context.operationId : `${context.operationId}.${idCount - 1}`),
    async lockObjects(objects) {
      const locks = lockStatements({ objects, buckets: [] }).filter((lock) => context.heldLocks?.has(lock) !== true);
      if (locks.length === 0) return;
      // The transaction may wait here for a writer of the same object, whose time must not be after this one's. In the same round trip as the locks.
      nowMs = queryScript<ClockRow>(context.client, [...locks, READ_CLOCK].join("; ")).then(timeOf);
      nowMs.catch(() => {}); // the next statement is behind it, and fails if it failed
    },
    async lockBucket(bucket, mode) {
      if (mode === "exclusive") takeLock(`SELECT pg_advisory_xact_lock(${bucketLock(bucket)})`);
      else for (const lock of lockStatements({ objects: [], buckets: [bucket] })) takeLock(lock);
    },
    async lockLayouts() {
      await query("SELECT pg_advisory_xact_lock($1::bigint)", [LAYOUT_LOCK]);
    },
  };
}

/**
 * Statements that take locks; keys are byte texts. Objects are locked in ascending order, so that two writers of the same two objects cannot wait for
 * each other. The locks are advisory, because the object may not exist yet, so there is no row to lock; and because a row lock on the bucket would be
 * written to disk for every object in it.
 */
export function lockStatements({ objects, buckets }: OperationLocks): string[] {
  const numbers = [...new Set(objects.map(objectLock))].sort((a, b) => (a < b ? -1 : 1));
  return [
    ...buckets.map((bucket) => `SELECT pg_advisory_xact_lock_shared(${bucketLock(bucket)})`),
    ...numbers.map((lock) => `SELECT pg_advisory_xact_lock(${lock})`),
  ];
}

/** Keys that share a number only wait for each other. */
function objectLock(object: { readonly bucket: string; readonly key: string }): bigint {
  return createHash("sha256").update(`${object.bucket}\0`).update(object.key, "latin1").digest().readBigInt64BE(0);
}

/** A blank cannot be in a bucket name, so no object has the same input. */
function bucketLock(bucket: string): bigint {
  return createHash("sha256").update(`bucket ${bucket}`).digest().readBigInt64BE(0);
}
