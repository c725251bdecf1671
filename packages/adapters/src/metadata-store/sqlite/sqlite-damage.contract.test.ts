import { renameSync } from "node:fs";
import { copyFile, mkdtemp, open, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setImmediate } from "node:timers/promises";
import type { AshlarError } from "@ashlar/sdk/errors";
import type { CommitObject, Durability } from "@ashlar/sdk/ports";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { migrate } from "../../internal/sql/migrate.ts";
import { FileWatch } from "./file-watch.ts";
import { BATCHED_SYNC_MS, GroupCommit } from "./group-commit.ts";
import { openSqliteMetadataStore } from "./index.ts";
import { SqliteConnection } from "./sqlite-connection.ts";
import { decodeError, type WorkerAnswer, type WorkerRequest } from "./worker-protocol.ts";

const PAGE_BYTES = 4096;

let folder: string;
let path: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "ashlar-sqlite-damage-"));
  path = join(folder, "metadata.sqlite");
});

afterEach(() => rm(folder, { recursive: true, force: true }));

const commitOf = (key: string): CommitObject => ({
  ...{ bucket: "case-bucket", key, sizeBytes: 4, etag: "x", durability: "strict", attributes: {} },
  content: { inline: new TextEncoder().encode("text") },
});

async function fill(): Promise<void> {
  const store = await openSqliteMetadataStore({ path });
  await store.createBucket("case-bucket");
  await Promise.all(Array.from({ length: 500 }, (_, index) => store.commitObject(commitOf(`key-${index}`))));
  await store.close();
}

async function zeroPages(from: number, to: number): Promise<void> {
  const file = await open(path, "r+");
  await file.write(Buffer.alloc((to - from) * PAGE_BYTES), 0, (to - from) * PAGE_BYTES, from * PAGE_BYTES);
  await file.close();
}

describe("a damaged metadata file", () => {
  test("answers with METADATA_CORRUPT where it is read, and the examination finds it", async () => {
    await fill();
    const pages = Math.floor((await stat(path)).size / PAGE_BYTES);
    await zeroPages(Math.floor(pages * 0.7), pages - 1);
    const store = await openSqliteMetadataStore({ path });
    const listed = store.listObjects({ bucket: "case-bucket" });
    await expect(listed).rejects.toMatchObject({ code: "METADATA_CORRUPT", cause: expect.any(Error) });
    expect(await store.checkIntegrity()).not.toEqual([]);
    await store.close();
  });

  test("is found by the examination though nothing reads the page; a sound one has no findings", async () => {
    await fill();
    const sound = await openSqliteMetadataStore({ path });
    expect(await sound.checkIntegrity()).toEqual([]);
    await sound.close();
    const bytes = await readFile(path);
    // A key in an index alone: the rows are sound, and a look-up would not find the object.
    const at = bytes.lastIndexOf(Buffer.from("key-250"));
    bytes[at + 6]! ^= 1;
    await writeFile(path, bytes);
    const store = await openSqliteMetadataStore({ path });
    expect(await store.checkIntegrity()).not.toEqual([]);
    await store.close();
  });

  test("is refused at the start after a crash", async () => {
    await fill();
    const running = await openSqliteMetadataStore({ path });
    await running.commitObject(commitOf("later"));
    const crashed = join(folder, "crashed.sqlite");
    await copyFile(path, crashed);
    await copyFile(`${path}-wal`, `${crashed}-wal`);
    await running.close();
    path = crashed;
    const whole = await openSqliteMetadataStore({ path: crashed });
    expect(await whole.getObject({ bucket: "case-bucket", key: "later" })).toBeDefined();
    await whole.close();
    // A log that was not removed is the sign of a crash.
    await writeFile(`${crashed}-wal`, Buffer.alloc(32));
    const pages = Math.floor((await stat(crashed)).size / PAGE_BYTES);
    await zeroPages(Math.floor(pages / 2), pages - 1);
    await expect(openSqliteMetadataStore({ path: crashed })).rejects.toMatchObject({ code: "METADATA_CORRUPT" });
  });
});

for (const part of ["", "-wal"]) {
  test(`a write that comes after metadata.sqlite${part} was taken away has not happened, and says so`, async () => {
    const store = await openSqliteMetadataStore({ path });
    await store.createBucket("case-bucket");
    await store.commitObject(commitOf("before"));
    await rename(`${path}${part}`, join(folder, "elsewhere"));
    for (const key of ["a", "b"]) {
      const error = await store.commitObject(commitOf(key)).catch((thrown: unknown) => thrown);
      expect(error).toMatchObject({ code: "METADATA_UNAVAILABLE" });
      expect((error as AshlarError).details.outcome).toBeUndefined();
    }
    await rename(join(folder, "elsewhere"), `${path}${part}`);
    await store.close();
    const again = await openSqliteMetadataStore({ path });
    expect((await again.listObjects({ bucket: "case-bucket" })).objects.map(({ key }) => key)).toEqual(["before"]);
    await again.close();
  });

  test(`a file metadata.sqlite${part} that was taken away ends the writes; none is acknowledged`, async () => {
    const store = await openSqliteMetadataStore({ path });
    await store.createBucket("case-bucket");
    await rename(`${path}${part}`, join(folder, "elsewhere"));
    await expect(store.commitObject(commitOf("a"))).rejects.toMatchObject({ code: "METADATA_UNAVAILABLE" });
    await rename(join(folder, "elsewhere"), `${path}${part}`);
    await expect(store.commitObject(commitOf("b"))).rejects.toMatchObject({ code: "METADATA_UNAVAILABLE" });
    await expect(store.ping()).rejects.toMatchObject({ code: "METADATA_UNAVAILABLE" });
    await store.close();
  });
}

describe("group commit", () => {
  let connection: SqliteConnection;
  let watch: FileWatch;
  let nowMs: number;
  let answers: WorkerAnswer[];
  let group: GroupCommit;
  /** The driver's error code for a commit whose sync fails: https://sqlite.org/rescode.html#ioerr_fsync */
  let failing: { readonly errcode: number } | undefined;
  let statements: string[];

  beforeEach(async () => {
    connection = new SqliteConnection(path);
    connection.configure("writer", 2 ** 24);
    connection.beginWrite();
    await migrate(connection.session({ nowMs: 0, operationId: "" }), async () => false);
    connection.exec("CREATE TABLE sync_marks (id INTEGER PRIMARY KEY, mark INTEGER NOT NULL)");
    connection.exec("COMMIT");
    failing = undefined;
    statements = [];
    const exec = connection.exec.bind(connection);
    connection.exec = (sql) => {
      statements.push(sql);
      if (sql === "COMMIT" && failing !== undefined) throw Object.assign(new Error("disk I/O error"), failing);
      exec(sql);
    };
    nowMs = 0;
    answers = [];
    watch = new FileWatch(path);
    group = new GroupCommit({
      connection,
      room: { reserveBytes: 0, freeBytes: () => undefined },
      watch,
      clock: { nowMs: () => nowMs, monotonicMs: () => nowMs },
      answer: (given) => void answers.push(...given),
    });
  });

  afterEach(() => connection.close());

  let requestId = 0;
  function requestOf(bucket: string, durability: Durability): WorkerRequest {
    const id = ++requestId;
    const about = { requestId: id, nowMs: 1, operationId: `operation-${id}`, durability, names: [] };
    return { ...about, name: "createBucket", input: bucket } as WorkerRequest;
  }

  async function createBucket(durability: Durability): Promise<WorkerAnswer> {
    group.push([requestOf(`bucket-${requestId + 1}`, durability)]);
    await group.idle();
    await setImmediate();
    return answers.at(-1) as WorkerAnswer;
  }

  const codeOf = (answer: WorkerAnswer): unknown =>
    "error" in answer ? (decodeError(answer.error) as { code?: unknown }).code : "ok";

  const outcomeOf = (answer: WorkerAnswer): unknown =>
    "error" in answer ? (decodeError(answer.error) as AshlarError).details.outcome : "ok";

  test("says of a group whose commit began that it may have happened, and of what is queued behind it that it has not", async () => {
    failing = { errcode: 10 | (4 << 8) };
    const requests = Array.from({ length: 130 }, (_, index) => requestOf(`b${index}`, "strict"));
    group.push(requests);
    await group.idle();
    const outcomes = answers.map(outcomeOf);
    expect(outcomes.slice(0, 128)).toEqual(Array(128).fill("unknown"));
    expect(outcomes.slice(128)).toEqual([undefined, undefined]);
  });

  test("says so too of a commit after which the file is gone: it is found where the file is", async () => {
    const exec = connection.exec;
    watch.remember();
    connection.exec = (sql) => {
      exec(sql);
      if (sql === "COMMIT") renameSync(path, join(folder, "elsewhere"));
    };
    expect(outcomeOf(await createBucket("strict"))).toBe("unknown");
    expect(outcomeOf(await createBucket("strict"))).toBeUndefined();
    expect(connection.all("SELECT bucket FROM buckets")).toHaveLength(1);
  });

  test("says of a full disk that nothing is kept", async () => {
    failing = { errcode: 13 };
    const answer = await createBucket("strict");
    expect([codeOf(answer), outcomeOf(answer)]).toEqual(["DISK_FULL", undefined]);
    failing = undefined;
    expect(codeOf(await createBucket("strict"))).toBe("ok");
    expect(connection.all("SELECT bucket FROM buckets")).toHaveLength(1);
  });

  for (const [errno, errcode] of [
    ["fsync", 10 | (4 << 8)],
    ["write", 10 | (3 << 8)],
  ] as const) {
    test(`takes no more writes after a failed ${errno}: a second try would be answered as if all were there`, async () => {
      expect(codeOf(await createBucket("strict"))).toBe("ok");
      failing = { errcode };
      expect(codeOf(await createBucket("strict"))).toBe("METADATA_UNAVAILABLE");
      failing = undefined;
      expect(codeOf(await createBucket("strict"))).toBe("METADATA_UNAVAILABLE");
      expect(group.stopped).toBe(true);
      expect(connection.all("SELECT bucket FROM buckets")).toHaveLength(1);
    });
  }

  test("takes no more writes after a failed sync of batched ones", async () => {
    expect(codeOf(await createBucket("batched"))).toBe("ok");
    failing = { errcode: 10 | (4 << 8) };
    expect(() => group.sync()).toThrow(expect.objectContaining({ code: "METADATA_UNAVAILABLE" }));
    failing = undefined;
    expect(codeOf(await createBucket("os"))).toBe("METADATA_UNAVAILABLE");
  });

  test("lets batched writers wait for the disk once the window of the oldest unsynced one is used up", async () => {
    const isSynced = (): boolean => statements.includes("PRAGMA synchronous = FULL");
    await createBucket("strict");
    await createBucket("batched");
    statements = [];
    nowMs += BATCHED_SYNC_MS - 1;
    await createBucket("batched");
    expect([isSynced(), group.unsynced]).toEqual([false, true]);
    nowMs += 1;
    await createBucket("batched");
    expect([isSynced(), group.unsynced]).toEqual([true, false]);
  });

  test("does so too while a sync takes longer than the window", async () => {
    const exec = connection.exec;
    connection.exec = (sql) => {
      if (sql === "COMMIT") nowMs += BATCHED_SYNC_MS + 1;
      exec(sql);
    };
    await createBucket("strict");
    await createBucket("batched");
    expect(group.unsynced).toBe(false);
  });
});
