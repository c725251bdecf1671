import type { JobState, MetadataInput } from "@ashlar/sdk/ports";
import type { SqlSession } from "./sql-session.ts";

/** The upsert takes the row only if it is due: of two workers that come at once, the second finds the lease of the first. */
export async function claimJob(
  session: SqlSession,
  { job, leaseMs }: MetadataInput<"claimJob">,
): Promise<string | undefined> {
  const leaseToken = session.newId();
  const { asInteger } = session.dialect;
  const nowMs = await session.nowMs();
  const claimed = await session.query(
    `INSERT INTO jobs (job, due_at_ms, lease_token, attempts) VALUES ($1, $2, $3, 0)
      ON CONFLICT (job) DO UPDATE SET due_at_ms = excluded.due_at_ms, lease_token = excluded.lease_token
        WHERE jobs.due_at_ms <= ${asInteger("$4")} RETURNING 1 AS claimed`,
    [job, nowMs + leaseMs, leaseToken, nowMs],
  );
  return claimed.length === 0 ? undefined : leaseToken;
}

export async function renewJob(
  session: SqlSession,
  { job, leaseToken, leaseMs }: MetadataInput<"renewJob">,
): Promise<boolean> {
  const renewed = await session.query(
    `UPDATE jobs SET due_at_ms = ${session.dialect.nowMs} + ${session.dialect.asInteger("$3")}
      WHERE job = $1 AND lease_token = $2 RETURNING 1 AS renewed`,
    [job, leaseToken, leaseMs],
  );
  return renewed.length > 0;
}

export async function finishJob(
  session: SqlSession,
  { job, leaseToken, againInMs, error }: MetadataInput<"finishJob">,
): Promise<boolean> {
  const ended = await session.query(
    `UPDATE jobs SET lease_token = NULL, due_at_ms = ${session.dialect.nowMs} + ${session.dialect.asInteger("$3")},
        attempts = ${error === undefined ? "0" : "attempts + 1"}, last_error = $4
      WHERE job = $1 AND lease_token = $2 RETURNING 1 AS ended`,
    [job, leaseToken, againInMs, error ?? null],
  );
  return ended.length > 0;
}

interface JobRow {
  readonly job: string;
  readonly due_at_ms: number;
  readonly lease_token: string | null;
  readonly attempts: number;
  readonly last_error: string | null;
  readonly now_ms: number;
}

export async function listJobs(session: SqlSession): Promise<readonly JobState[]> {
  const rows = await session.query<JobRow>(
    `SELECT job, due_at_ms, lease_token, attempts, last_error, ${session.dialect.nowMs} AS now_ms FROM jobs ORDER BY job`,
  );
  return rows.map((row) => ({
    job: row.job,
    dueAtMs: row.due_at_ms,
    isClaimed: row.lease_token !== null && row.due_at_ms > row.now_ms,
    attempts: row.attempts,
    ...(row.last_error !== null && { lastError: row.last_error }),
  }));
}
