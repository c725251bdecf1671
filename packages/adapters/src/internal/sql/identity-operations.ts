import type { DatabaseMark } from "@ashlar/sdk/ports";
import type { SqlSession } from "./sql-session.ts";

interface IdentityRow {
  readonly database_id: string;
  readonly epoch: number;
  readonly takes_over: boolean | number;
  readonly accepted_at_ms: number;
}

export async function databaseMark(session: SqlSession): Promise<DatabaseMark> {
  const [row] = await session.query<IdentityRow>(
    "SELECT database_id, epoch, takes_over, accepted_at_ms FROM database_identity",
  );
  if (row === undefined) throw new Error("the database has no identity");
  return {
    databaseId: row.database_id,
    epoch: row.epoch,
    // Never below 0: the clock may have been set back.
    ageMs: Math.max(0, (await session.nowMs()) - row.accepted_at_ms),
    takesOver: Boolean(row.takes_over),
  };
}

export async function advanceDatabase(session: SqlSession, epoch: number): Promise<void> {
  await session.query("UPDATE database_identity SET epoch = epoch + 1, takes_over = FALSE WHERE epoch = $1", [epoch]);
}

/**
 * The epoch jumps to the time in ms, which counting never reaches: a store that has seen a later state of a restored database must not take the
 * next epoch of that database for the one that it knows.
 */
export async function acceptDatabase(session: SqlSession, accept: { readonly keepOlder: boolean }): Promise<void> {
  const nowMs = await session.nowMs();
  await session.query(
    `UPDATE database_identity SET takes_over = TRUE, accepted_at_ms = $1,
      epoch = CASE WHEN epoch < ${session.dialect.asInteger("$2")} THEN ${session.dialect.asInteger("$2")} ELSE epoch + 1 END`,
    [accept.keepOlder ? nowMs : 0, nowMs],
  );
}

/** Findings that are reported; more of them would add nothing. */
const PROBLEMS_MAX = 20;

/** SQLite reads every page and compares indexes with tables; PostgreSQL checks its own pages (data checksums). */
export async function checkIntegrity(session: SqlSession): Promise<readonly string[]> {
  if (session.dialect.name !== "sqlite") return [];
  const rows = await session.query<{ integrity_check: string }>(`PRAGMA integrity_check(${PROBLEMS_MAX})`);
  return rows.map((row) => row.integrity_check).filter((text) => text !== "ok");
}
