import { mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { AshlarError } from "@ashlar/sdk/errors";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { openSqliteMetadataStore } from "./index.ts";

let folder: string;
let path: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "ashlar-sqlite-"));
  path = join(folder, "metadata.sqlite");
});

afterEach(() => rm(folder, { recursive: true, force: true }));

async function openFailure(): Promise<AshlarError> {
  const failure = await openSqliteMetadataStore({ path }).then(
    (store) => store.close(),
    (error: unknown) => error,
  );
  if (!AshlarError.is(failure)) throw new Error(`the store opened, or failed without a code: ${String(failure)}`);
  return failure;
}

test("an SQLite store takes a relative path from where the process is at the call", async () => {
  const before = process.cwd();
  process.chdir(folder);
  const opening = openSqliteMetadataStore({ path: "relative.sqlite" });
  process.chdir(before);
  await (await opening).close();
  expect((await stat(join(folder, "relative.sqlite"))).isFile()).toBe(true);
});

describe("an SQLite store refuses", () => {
  test("a file that is no database, and leaves it as it is", async () => {
    const bytes = Buffer.from("this is a letter, not a database\n".repeat(500));
    await writeFile(path, bytes);
    const failure = await openFailure();
    expect(failure.code).toBe("STORE_INCOMPATIBLE");
    expect(failure.cause).toBeInstanceOf(Error);
    expect(await readFile(path)).toEqual(bytes);
  });

  test("a database of another application, and leaves it as it is", async () => {
    const other = new DatabaseSync(path);
    other.exec("CREATE TABLE objects (name TEXT); INSERT INTO objects VALUES ('chair')");
    other.close();
    const bytes = await readFile(path);
    expect((await openFailure()).code).toBe("STORE_INCOMPATIBLE");
    expect(await readFile(path)).toEqual(bytes);
  });

  test("a database of a newer release", async () => {
    await (await openSqliteMetadataStore({ path })).close();
    const file = new DatabaseSync(path);
    file.exec("INSERT INTO schema_migrations (version, name, applied_at_ms) VALUES (1000, 'from the future', 0)");
    file.close();
    const failure = await openFailure();
    expect(failure.code).toBe("STORE_INCOMPATIBLE");
    expect(failure.details).toEqual({ schemaVersion: "1000", newestKnown: "12" });
  });

  test("a damaged file", async () => {
    await (await openSqliteMetadataStore({ path })).close();
    const { size } = await stat(path);
    await writeFile(path, Buffer.concat([(await readFile(path)).subarray(0, 100), Buffer.alloc(size - 100, 0xa5)]));
    const failure = await openFailure();
    expect(failure.code).toBe("METADATA_CORRUPT");
    expect(failure.cause).toBeInstanceOf(Error);
  });

  test("a path in a folder that is not there, and a folder", async () => {
    path = join(folder, "missing", "metadata.sqlite");
    expect((await openFailure()).code).toBe("METADATA_UNAVAILABLE");
    path = folder;
    expect((await openFailure()).code).toBe("METADATA_UNAVAILABLE");
  });

  test("bad options", async () => {
    await expect(openSqliteMetadataStore({ path, replicationFactor: 0 })).rejects.toMatchObject({
      code: "INVALID_ARGUMENT",
    });
    await expect(
      openSqliteMetadataStore({ path, workerUrl: new URL("file:///nowhere/worker.js") }),
    ).rejects.toMatchObject({
      code: "METADATA_UNAVAILABLE",
    });
  });
});

test("times come from the injected clock, ids from the injected randomness", async () => {
  const store = await openSqliteMetadataStore({
    path,
    clock: { nowMs: () => 1_000_000_000_000, monotonicMs: () => 0, sleep: async () => {} },
    random: { bytes: (count) => new Uint8Array(count).fill(7), fraction: () => 0 },
  });
  expect(await store.createBucket("case-bucket")).toEqual({ bucket: "case-bucket", createdAtMs: 1_000_000_000_000 });
  const upload = await store.createUpload({ bucket: "case-bucket", key: "k", attributes: {}, durability: "os" });
  expect(upload.uploadId).toBe(`00e8d4a51000${"07".repeat(10)}`);
  await store.registerNode({ nodeId: "n1", url: "http://n1", softwareVersion: "1" });
  expect((await store.clusterSnapshot()).nodes[0]?.registeredAtMs).toBe(1_000_000_000_000);
  await store.close();
});

test("a node is down once it has missed three heartbeats, on the injected clock", async () => {
  let nowMs = 1_000_000_000_000;
  const clock = { nowMs: () => nowMs, monotonicMs: () => nowMs, sleep: async () => {} };
  const store = await openSqliteMetadataStore({ path, clock });
  await store.registerNode({ nodeId: "n1", url: "http://n1", softwareVersion: "1" });
  const state = async (): Promise<string | undefined> => (await store.clusterSnapshot()).nodes[0]?.state;
  const moved = { nodeId: "n1", url: "http://moved", softwareVersion: "1" };
  nowMs += 30_000;
  expect(await state()).toBe("up");
  await expect(store.registerNode(moved)).rejects.toMatchObject({ code: "PRECONDITION_FAILED" });
  nowMs += 1;
  expect(await state()).toBe("down");
  // From now on the id may go to another address.
  await store.registerNode(moved);
  nowMs += 30_001;
  expect(await state()).toBe("down");
  await store.heartbeat({
    nodeId: "n1",
    stats: { chunkCount: 0, bytesUsed: 0, bytesFree: 0, bytesTotal: 0 },
  });
  expect(await state()).toBe("up");
  await store.close();
});

test("a layout that an earlier release wrote keeps its format, and one that this release cannot place by is refused", async () => {
  const store = await openSqliteMetadataStore({ path });
  await store.registerNode({ nodeId: "n1", url: "http://n1", softwareVersion: "1" });
  const formats = (): unknown[] => {
    const file = new DatabaseSync(path);
    const rows = file.prepare("SELECT format_version AS format FROM layouts ORDER BY layout_version").all();
    file.close();
    return rows.map(({ format }) => format);
  };
  const write = (sql: string): void => {
    const file = new DatabaseSync(path);
    file.exec(sql);
    file.close();
  };
  // Servers of earlier releases look at this column, and refuse a layout that they would misplace.
  expect(formats()).toEqual([2]);
  write("UPDATE layouts SET format_version = 1");
  expect((await store.clusterSnapshot()).layouts).toEqual([
    { layoutVersion: 1, replicationFactor: 3, virtualNodesPerNode: 150, nodes: [{ nodeId: "n1", weight: 1 }] },
  ]);
  await store.registerNode({ nodeId: "n2", url: "http://n2", softwareVersion: "1" });
  expect(formats()).toEqual([1, 1]);
  await store.changeLayout({ placementFormat: 2 });
  expect(formats()).toEqual([1, 1, 2]);
  write("UPDATE layouts SET format_version = 3 WHERE layout_version = 3");
  await expect(store.clusterSnapshot()).rejects.toMatchObject({
    ...{ code: "STORE_INCOMPATIBLE", details: { formatVersion: "3" } },
  });
  await store.close();
});

test("a staged cluster waits for the operator", async () => {
  const store = await openSqliteMetadataStore({ path, stagedLayouts: true, replicationFactor: 2 });
  expect(await store.registerNode({ nodeId: "n1", url: "http://n1", softwareVersion: "1" })).toEqual({
    layoutVersion: 0,
  });
  expect((await store.clusterSnapshot()).layouts).toEqual([]);
  const layout = await store.changeLayout({ weights: { n1: 1 } });
  expect([layout.layoutVersion, layout.replicationFactor]).toEqual([1, 2]);
  await store.close();
  const file = new DatabaseSync(path);
  const tokens = file.prepare("SELECT count(*) AS count, min(length(token)) AS size FROM hash_ring_nodes").get();
  expect({ ...tokens }).toEqual({ count: 150, size: 8 });
  file.close();
});
