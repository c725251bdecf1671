import { DatabaseSync } from "node:sqlite";
import { expect, test } from "vitest";
import { listObjects } from "./list-operations.ts";
import { MIGRATIONS } from "./schema.ts";
import { SQLITE_DIALECT } from "./sql-dialect.ts";
import type { SqlSession } from "./sql-session.ts";

test("SQLite walks a listing by seeks in the index of latest versions, and never reads the bucket", async () => {
  const database = new DatabaseSync(":memory:");
  database.exec("CREATE TABLE schema_migrations (applied_at_ms INTEGER NOT NULL)");
  database.exec("INSERT INTO schema_migrations VALUES (0)");
  for (const migration of MIGRATIONS) for (const sql of migration.statements(SQLITE_DIALECT)) database.exec(sql);
  database.exec("INSERT INTO buckets VALUES ('bucket', 0)");
  const plans: string[][] = [];
  const session = {
    dialect: SQLITE_DIALECT,
    query: async (sql: string, params: readonly never[] = []) => {
      const text = sql.replace(/\$(\d+)/g, "?$1");
      plans.push(
        database
          .prepare(`EXPLAIN QUERY PLAN ${text}`)
          .all(...params)
          .map((row) => String(row.detail)),
      );
      return database.prepare(text).all(...params);
    },
  } as unknown as SqlSession;
  for (const delimiter of [undefined, "/"]) {
    plans.length = 0;
    await listObjects(session, { bucket: "bucket", prefix: "a", delimiter });
    const steps = plans[0]?.filter((detail) => /\bo\b|objects/.test(detail)) ?? [];
    expect(steps.length).toBeGreaterThan(0);
    for (const step of steps)
      expect(step).toMatch(/^SEARCH (o|objects) USING INDEX objects_latest \(bucket=\? AND key/);
    expect(plans[0]?.join()).not.toMatch(/AUTOMATIC|BLOOM/);
  }
});
