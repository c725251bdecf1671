import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { MetadataStoreSubject } from "@ashlar/sdk/testing";
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
