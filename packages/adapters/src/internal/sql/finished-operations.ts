import { AshlarError } from "@ashlar/sdk/errors";
import { LIMITS } from "@ashlar/sdk/limits";
import { type MetadataOperation, rulesOf } from "@ashlar/sdk/ports";
import { findFinished, type WriteName } from "../metadata/write-name.ts";
import { queryIn } from "./row-batches.ts";
import type { SqlSession, SqlValue } from "./sql-session.ts";

/** Rows that one step deletes; each has two index entries. */
const FORGET_ROWS = 1000;

/** A write and its names. */
export interface NamedOperation {
  readonly name: string;
  readonly input: unknown;
  readonly names: readonly WriteName[];
}

/** Columns of {@link finishedRows}. */
export const FINISHED_COLUMNS = "finished_operations (operation_id, fingerprint, result, finished_at_ms)";

/** The rows that a write leaves under its names, in the transaction of its change. The primary key stops a second try from happening too. */
export function finishedRows(
  { name, names }: Pick<NamedOperation, "name" | "names">,
  output: unknown,
  nowMs: number,
): ReadonlyArray<readonly [key: string, fingerprint: string, result: string, finishedAtMs: number]> {
  const { kept } = rulesOf(name as MetadataOperation);
  const result = JSON.stringify((kept === undefined ? output : kept.encode(output)) ?? null);
  return names.map(({ key, fingerprint }) => [key, fingerprint, result, nowMs]);
}

interface FinishedRow {
  readonly operation_id: string;
  readonly fingerprint: string | null;
  readonly result: string;
}

/**
 * Returns what an earlier try of a write left. Call it when a try failed for any reason: the earlier try may be that reason.
 *
 * @throws {AshlarError} INVALID_ARGUMENT if the caller used the id for another request.
 */
export async function lookUpFinished(
  session: SqlSession,
  { name, input, names }: NamedOperation,
): Promise<{ readonly output: unknown } | undefined> {
  const rows = await queryIn<FinishedRow>(
    session,
    names.map(({ key }) => key),
    {
      sql: (list) =>
        `SELECT operation_id, fingerprint, result FROM finished_operations WHERE operation_id IN (${list})`,
    },
  );
  const finished = rows.map((row) => ({
    key: row.operation_id,
    fingerprint: row.fingerprint ?? "",
    result: row.result,
  }));
  const found = findFinished(names, finished);
  if (found === undefined) return undefined;
  const { kept } = rulesOf(name as MetadataOperation);
  const result: unknown = JSON.parse(found.result);
  // A missing result is stored as `null`, and comes back as `undefined`.
  return { output: kept === undefined ? (result ?? undefined) : kept.decode(result as never, input) };
}

/** Forgets results that were kept long enough; a bounded number at once. @returns whether there may be more. */
export async function forgetFinished(session: SqlSession, limit: number = FORGET_ROWS): Promise<boolean> {
  const border = (await session.nowMs()) - LIMITS.OPERATION_KEPT_MS;
  const params: readonly SqlValue[] = [border, limit];
  const gone = await session.query(
    `DELETE FROM finished_operations WHERE operation_id IN (
      SELECT operation_id FROM finished_operations WHERE finished_at_ms <= $1 ORDER BY finished_at_ms
      LIMIT $2 ${session.dialect.forUpdateSkipLocked}) RETURNING 1 AS gone`,
    params,
  );
  return gone.length === limit;
}

/** What an executor throws for a write whose commit was started and not answered: the write may have happened. */
export function withUnknownOutcome(thrown: unknown): AshlarError {
  const { code, message, details, cause } = AshlarError.from(thrown);
  return new AshlarError(code, message, { cause, details: { ...details, outcome: "unknown" } });
}
