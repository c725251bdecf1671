import { DatabaseSync } from "node:sqlite";
import type { RawSubject } from "../../../internal/raw-subject.ts";
import { createSqliteSubject } from "./sqlite-subject.ts";

export async function createRawSqlite(): Promise<RawSubject> {
  const subject = await createSqliteSubject();
  const file = new DatabaseSync(subject.path);
  return {
    store: subject.store,
    raw: {
      query: async (sql, params = []) =>
        file.prepare(sql.replaceAll(/\$(\d)/g, "?$1")).all(...(params as string[])) as Record<string, unknown>[],
    },
    async dispose() {
      file.close();
      await subject.dispose();
    },
  };
}
