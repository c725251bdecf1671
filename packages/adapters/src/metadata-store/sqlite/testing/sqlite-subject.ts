import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import type { MetadataStoreSubject } from "@ashlar/sdk/testing";
import type { RawSubject } from "../../../internal/raw-subject.ts";
import { openSqliteMetadataStore, type SqliteMetadataStoreOptions } from "../index.ts";

/** A metadata store on a file of its own. */
export async function createSqliteSubject(
  options: Omit<SqliteMetadataStoreOptions, "path"> = {},
): Promise<MetadataStoreSubject & { readonly path: string }> {
  const folder = await mkdtemp(join(tmpdir(), "ashlar-sqlite-"));
  const path = join(folder, "metadata.sqlite");
  const open = (): ReturnType<typeof openSqliteMetadataStore> => openSqliteMetadataStore({ ...options, path });
  let store = await open();
  const others: (typeof store)[] = [];
  return {
    path,
    get store() {
      return store;
    },
    async reopen() {
      await store.close();
      store = await open();
      return store;
    },
    async second() {
      const other = await open();
      others.push(other);
      return other;
    },
    async dispose() {
      await Promise.all([store, ...others].map((one) => one.close()));
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** A metadata store with a second connection to its file. */
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
