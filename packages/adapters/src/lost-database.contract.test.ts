import { cp, mkdtemp, readdir, readFile, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { createClient, type ObjectClient } from "@ashlar/sdk";
import type { CollectReport } from "@ashlar/sdk/engine";
import { MIB } from "@ashlar/sdk/limits";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { openFsChunkStore } from "./chunk-store/fs/index.ts";
import { embedded } from "./embedded.ts";
import { openSqliteMetadataStore } from "./metadata-store/sqlite/index.ts";

const REF = { bucket: "box", key: "large" };
const BODY = new Uint8Array(MIB).fill(7);

let base: string;
let path: string;

async function withClient<T>(
  use: (client: ObjectClient) => Promise<T>,
  options: { readonly claimTtlMs?: number } = {},
): Promise<T> {
  const client = createClient(embedded({ path, ...options, collectGraceMs: 0 }));
  try {
    return await use(client);
  } finally {
    await client.close();
  }
}

/** Collects at once all chunks that nothing names, whatever the age of their claims. */
const collect = (): Promise<CollectReport> => withClient((client) => client.collect(), { claimTtlMs: 0 });

/** Removes the database, as a mistake or a lost disk does. */
async function removeDatabase(): Promise<void> {
  for (const name of await readdir(path)) if (name.startsWith("metadata.sqlite")) await rm(join(path, name));
}

async function chunkCount(): Promise<number> {
  const store = await openFsChunkStore({ path });
  const { chunkCount: count } = await store.stats();
  await store.close();
  return count;
}

beforeEach(async () => {
  base = await mkdtemp(join(tmpdir(), "ashlar-lost-"));
  path = join(base, "store");
  await withClient(async (client) => {
    await client.createBucket({ bucket: REF.bucket });
    await client.putObject({ ...REF, body: BODY });
  });
});

afterEach(() => rm(base, { recursive: true, force: true }));

describe("a store whose database was lost", () => {
  const ways: Readonly<Record<string, () => Promise<void>>> = {
    "is missing": removeDatabase,
    "has no bytes": () => truncate(join(path, "metadata.sqlite")),
    "has no tables": async () => {
      await removeDatabase();
      new DatabaseSync(join(path, "metadata.sqlite")).exec("PRAGMA application_id = 1095977036; VACUUM");
    },
    "is missing, as is what the folder knows of it": async () => {
      await removeDatabase();
      await rm(join(path, "database.json"));
    },
  };
  for (const [how, lose] of Object.entries(ways)) {
    test(`because the file ${how}, is refused with an explanation, and nothing is made`, async () => {
      await lose();
      const before = (await readdir(path)).sort();
      await expect(withClient((client) => client.listBuckets())).rejects.toMatchObject({ code: "METADATA_CORRUPT" });
      await expect(withClient((client) => client.createBucket({ bucket: "new" }))).rejects.toMatchObject({
        code: "METADATA_CORRUPT",
        message: expect.stringContaining("--start-empty"),
      });
      expect((await readdir(path)).sort()).toEqual(before);
      expect(await chunkCount()).toBe(1);
    });
  }

  test("is refused also where no chunk ever lay in it", async () => {
    path = join(base, "inline-only");
    await withClient((client) => client.createBucket({ bucket: "box" }));
    await removeDatabase();
    await expect(withClient((client) => client.listBuckets())).rejects.toMatchObject({ code: "METADATA_CORRUPT" });
  });

  test("opens again once the database is back", async () => {
    const copy = join(base, "copy");
    await cp(path, copy, { recursive: true });
    await removeDatabase();
    await expect(withClient((client) => client.listBuckets())).rejects.toMatchObject({ code: "METADATA_CORRUPT" });
    await cp(join(copy, "metadata.sqlite"), join(path, "metadata.sqlite"));
    expect(await withClient(async (client) => (await client.getObject(REF)).bytes())).toEqual(BODY);
  });

  test("starts empty when an operator says so; the old chunks are kept, new garbage is not", async () => {
    await removeDatabase();
    const file = { path: join(path, "metadata.sqlite"), storeFolder: path };
    await (await openSqliteMetadataStore({ ...file, takeOver: "start-empty" })).close();
    await withClient(async (client) => {
      expect(await client.listBuckets()).toEqual([]);
      await client.createBucket({ bucket: "new" });
      await client.putObject({ bucket: "new", key: "k", body: new Uint8Array(MIB).fill(8) });
      await client.deleteObject({ bucket: "new", key: "k" });
    });
    expect(await collect()).toMatchObject({ storesRefusing: 0, chunksDeleted: 1, orphansDeleted: 0 });
    expect(await chunkCount()).toBe(1);
    await expect(openSqliteMetadataStore({ ...file, takeOver: "start-empty" })).rejects.toMatchObject({
      code: "PRECONDITION_FAILED",
    });
  });
});

describe("a database that is not the one of the folder", () => {
  test("is refused, and taken when an operator says so", async () => {
    const other = join(base, "other");
    await cp(path, other, { recursive: true });
    await removeDatabase();
    path = join(base, "third");
    await withClient((client) => client.createBucket({ bucket: "other-box" }));
    await cp(join(path, "metadata.sqlite"), join(other, "metadata.sqlite"));
    path = other;
    await expect(withClient((client) => client.listBuckets())).rejects.toMatchObject({ code: "METADATA_CORRUPT" });
    const file = { path: join(path, "metadata.sqlite"), storeFolder: path };
    await (await openSqliteMetadataStore({ ...file, takeOver: "accept" })).close();
    await withClient(async (client) => {
      expect((await client.listBuckets()).map(({ bucket }) => bucket)).toEqual(["other-box"]);
    });
    expect(await collect()).toMatchObject({ storesRefusing: 0, orphansDeleted: 0 });
    expect(await chunkCount()).toBe(1);
  });

  test("that was restored to an older state opens, and deletes nothing that it does not know until it is accepted", async () => {
    const copy = join(base, "copy.sqlite");
    await cp(join(path, "metadata.sqlite"), copy);
    const later = { bucket: REF.bucket, key: "later" };
    await withClient(async (client) => {
      await client.putObject({ ...later, body: new Uint8Array(MIB).fill(9) });
    });
    await removeDatabase();
    await cp(copy, join(path, "metadata.sqlite"));
    await withClient(async (client) => {
      expect(await (await client.getObject(REF)).bytes()).toEqual(BODY);
    });
    // Several times: the restored database must not count its epoch up to that of the lost one.
    for (let round = 0; round < 4; round++) {
      expect(await collect()).toMatchObject({ storesRefusing: 1, orphansDeleted: 0 });
    }
    expect(await chunkCount()).toBe(2);
    const file = { path: join(path, "metadata.sqlite"), storeFolder: path };
    await (await openSqliteMetadataStore({ ...file, takeOver: "accept" })).close();
    expect(await collect()).toMatchObject({ storesRefusing: 0, orphansDeleted: 0 });
    expect(await chunkCount()).toBe(2);
  });
});

/** A copy by SQLite's own means, also while the store is open. */
function copyDatabase(to: string): void {
  const database = new DatabaseSync(join(path, "metadata.sqlite"));
  database.prepare("VACUUM INTO ?").run(to);
  database.close();
}

describe.each([0, 1, 2])("a database that is put back after %i collections", (collections) => {
  const later = { bucket: REF.bucket, key: "later" };
  const putLater = (client: ObjectClient): Promise<unknown> =>
    client.putObject({ ...later, body: new Uint8Array(MIB).fill(9) });

  /** Replaces the database by the copy, collects, and puts the newer database back: nothing of it may be missing. */
  async function restoreAndReturn(copy: string): Promise<void> {
    const newer = join(base, "newer.sqlite");
    copyDatabase(newer);
    await removeDatabase();
    await cp(copy, join(path, "metadata.sqlite"));
    for (let round = 0; round < 2; round++) {
      // Writes of the restored database do not count its epoch up either.
      await withClient((client) => client.putObject({ ...REF, key: `again-${round}`, body: BODY }));
      expect(await collect()).toMatchObject({ storesRefusing: 1, orphansDeleted: 0, chunksDeleted: 0 });
    }
    await removeDatabase();
    await cp(newer, join(path, "metadata.sqlite"));
    expect(await withClient(async (client) => (await client.getObject(later)).bytes())).toHaveLength(MIB);
    expect(await collect()).toMatchObject({ storesRefusing: 0 });
  }

  test("is noticed if it was copied while the store was closed", async () => {
    await collect();
    const copy = join(base, "copy.sqlite");
    copyDatabase(copy);
    await withClient(putLater);
    for (let round = 0; round < collections; round++) await collect();
    await restoreAndReturn(copy);
  });

  test("is noticed if it was copied while the store was open, and written and closed after that", async () => {
    const copy = join(base, "copy.sqlite");
    await withClient(async (client) => {
      await client.putObject({ ...REF, key: "other", body: new Uint8Array(MIB).fill(5) });
      await client.collect();
      copyDatabase(copy);
      await putLater(client);
      for (let round = 0; round < collections; round++) await client.collect();
    });
    await restoreAndReturn(copy);
  });
});

test("small files of a store that are empty, cut or garbled are refused with an explanation and left as they are", async () => {
  for (const name of ["format.json", "database.json"]) {
    const file = join(path, name);
    const sound = await readFile(file, "utf8");
    for (const text of ["", sound.slice(0, 20), "\0".repeat(60), "null", "[]"]) {
      await writeFile(file, text);
      await expect(withClient((client) => client.listBuckets())).rejects.toMatchObject({
        code: "STORE_INCOMPATIBLE",
        message: expect.stringContaining("fsck --rebuild"),
      });
      expect(await readFile(file, "utf8")).toBe(text);
    }
    await writeFile(file, sound);
    expect(await withClient((client) => client.listBuckets())).toHaveLength(1);
  }
});
