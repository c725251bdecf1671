import { AshlarError } from "@ashlar/sdk/errors";
import { MIGRATIONS } from "./schema.ts";
import type { SqlSession } from "./sql-session.ts";

const NEWEST = MIGRATIONS.at(-1)?.version ?? 0;

/**
 * Brings the schema up to date. Run it inside one transaction that keeps other migrators out.
 *
 * @param hasTable whether the database has a table of that name.
 * @throws {AshlarError} STORE_INCOMPATIBLE if a newer release wrote the database, or the tables are not ours.
 */
export async function migrate(session: SqlSession, hasTable: (name: string) => Promise<boolean>): Promise<void> {
  const { text, integer } = session.dialect.types;
  if (!(await hasTable("schema_migrations"))) {
    if (await hasTable("objects")) {
      throw new AshlarError("STORE_INCOMPATIBLE", "the database has tables of another application");
    }
    await session.query(
      `CREATE TABLE schema_migrations (version ${integer} PRIMARY KEY, name ${text} NOT NULL, applied_at_ms ${integer} NOT NULL)`,
    );
  }
  const [row] = await session.query<{ version: number | null }>(
    "SELECT max(version) AS version FROM schema_migrations",
  );
  const current = row?.version ?? 0;
  if (current > NEWEST) {
    throw new AshlarError("STORE_INCOMPATIBLE", "a newer release wrote this database", {
      details: { schemaVersion: String(current), newestKnown: String(NEWEST) },
    });
  }
  for (const migration of MIGRATIONS) {
    if (migration.version <= current) continue;
    for (const statement of migration.statements(session.dialect)) await session.query(statement);
    await session.query("INSERT INTO schema_migrations (version, name, applied_at_ms) VALUES ($1, $2, $3)", [
      migration.version,
      migration.name,
      await session.nowMs(),
    ]);
  }
}
