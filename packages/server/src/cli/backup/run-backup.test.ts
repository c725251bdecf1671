import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openFsChunkStore } from "@ashlar/adapters/chunk-store/fs";
import { embedded } from "@ashlar/adapters/embedded";
import { openSqliteMetadataStore } from "@ashlar/adapters/metadata-store/sqlite";
import { fixed } from "@ashlar/sdk";
import { collect, singleStoreTopology } from "@ashlar/sdk/engine";
import { type ObjectEngine, type OpenedObject, silentLogger } from "@ashlar/sdk/ports";
import { afterEach, beforeEach, expect, test } from "vitest";
import { openBackupFolder } from "./backup-folder.ts";
import { openRecord, type RecordEntry } from "./record.ts";
import { restoreBackup } from "./restore-backup.ts";
import { type BackupOutcome, runBackup } from "./run-backup.ts";

const MIB = 1024 * 1024;

let path = "";
let engine: ObjectEngine;
/** Frees at once what nothing names any more. */
let collectAll: () => Promise<unknown>;
let closers: (() => Promise<void>)[] = [];

beforeEach(async () => {
  path = await mkdtemp(join(tmpdir(), "ashlar-backup-"));
  engine = await openStore("store");
  await engine.createBucket("box");
});

afterEach(async () => {
  for (const close of closers) await close();
  closers = [];
  await rm(path, { recursive: true, force: true });
});

async function openStore(name: string): Promise<ObjectEngine> {
  const opened = await embedded({
    path: join(path, name),
    durability: "os",
  }).open();
  collectAll = async () => {
    const metadata = await openSqliteMetadataStore({ path: join(path, name, "metadata.sqlite") });
    const topology = singleStoreTopology(await openFsChunkStore({ path: join(path, name) }));
    const report = await collect({ metadata, topology, logger: silentLogger, claimTtlMs: 0, graceMs: 0 });
    await topology.close();
    await metadata.close();
    return report;
  };
  closers.push(() => opened.close());
  return opened.engine;
}

/** Bytes in which no two chunks are the same. */
function bytesOf(seed: number, sizeBytes: number): Buffer {
  const bytes = Buffer.alloc(sizeBytes, `seed ${seed} `);
  for (let offset = 0; offset + 8 <= sizeBytes; offset += MIB) bytes.writeUInt32LE(offset, offset);
  return bytes;
}

async function put(key: string, bytes: Uint8Array): Promise<void> {
  const body = (async function* (): AsyncGenerator<Uint8Array> {
    yield bytes;
  })();
  await engine.putObject({ bucket: "box", key, attributes: {} }, body);
}

async function read(from: ObjectEngine, key: string): Promise<Buffer> {
  const slices: Uint8Array[] = [];
  for await (const slice of (await from.openObject({ bucket: "box", key })).read()) slices.push(slice);
  return Buffer.concat(slices);
}

/** The engine, with something that happens just after an object was opened. */
function disturbed(after: (key: string, opened: OpenedObject) => Promise<void>): ObjectEngine {
  return {
    ...engine,
    async openObject(request, options) {
      const opened = await engine.openObject(request, options);
      if (request.range === undefined) await after(request.key, opened);
      return opened;
    },
  };
}

async function backUp(from: ObjectEngine): Promise<BackupOutcome> {
  await using folder = await openBackupFolder(join(path, "backups"), { makes: true });
  const signal = new AbortController().signal;
  return await runBackup({ engine: from, folder, concurrency: 2, signal, onProgress: () => {}, onNote: () => {} });
}

async function keysOf(name: string): Promise<readonly string[]> {
  await using folder = await openBackupFolder(join(path, "backups"));
  const record = await openRecord(folder.recordFile(name));
  const entries: RecordEntry[] = [];
  for await (const entry of record.entries()) entries.push(entry);
  return entries.flatMap((entry) => (entry.kind === "object" ? [entry.object.key] : []));
}

interface RestoreTry {
  readonly commitChunksMax?: number;
  readonly overwrite?: boolean;
  readonly into?: ObjectEngine;
  /** What the restore must have done. */
  readonly did?: object;
}

async function restored({ did = {}, ...overrides }: RestoreTry = {}): Promise<ObjectEngine> {
  const target = overrides.into ?? (await openStore("restored"));
  await using folder = await openBackupFolder(join(path, "backups"));
  const record = await openRecord(folder.recordFile(folder.records().at(-1) ?? ""));
  const signal = new AbortController().signal;
  const outcome = await restoreBackup({
    ...{ engine: target, record, chunks: folder.chunks, bucket: undefined, prefix: undefined, overwrite: false },
    ...{ concurrency: 2, signal, onProgress: () => {}, ...overrides },
  });
  expect(outcome).toMatchObject({ damaged: { count: 0 }, ...did });
  return target;
}

test("an object that is overwritten while it is backed up is in the backup whole, as it is then", async () => {
  await put("large", bytesOf(1, 9 * MIB));
  await put("small", bytesOf(2, 100_000));
  let overwrites = 0;
  const outcome = await backUp(
    disturbed(async (key) => {
      // The chunks of the version that was opened are still to be read.
      if (overwrites >= 4) return;
      overwrites++;
      await put(key, bytesOf(10 + overwrites, key === "large" ? 9 * MIB : 100_000));
    }),
  );
  expect(overwrites).toBe(4);
  expect(outcome).toMatchObject({ objects: 2, unreadable: 0, isOneMoment: true });
  const target = await restored();
  for (const key of ["large", "small"]) expect((await read(target, key)).equals(await read(engine, key))).toBe(true);
});

test("a key that is overwritten faster than it can be read is backed up whole all the same", async () => {
  await put("hot", bytesOf(1, 9 * MIB));
  let count = 0;
  const outcome = await backUp(disturbed(async (key) => put(key, bytesOf(++count, 9 * MIB))));
  expect(outcome).toMatchObject({ objects: 1, unreadable: 0, isOneMoment: false, passes: 4 });
  expect(outcome.toMs).toBeGreaterThanOrEqual(outcome.fromMs);
  const target = await restored();
  const bytes = await read(target, "hot");
  const versions = Array.from({ length: count + 1 }, (_, seed) => bytesOf(seed, 9 * MIB));
  expect(versions.some((version) => bytes.equals(version))).toBe(true);
});

test("an object that is deleted after it was listed is not in the backup, and the others are", async () => {
  for (const key of ["a", "b", "c"]) await put(key, bytesOf(3, 50_000));
  let isDeleted = false;
  const gone: ObjectEngine = {
    ...engine,
    async openObject(request, options) {
      if (!isDeleted) {
        isDeleted = true;
        await engine.deleteObject({ bucket: "box", key: "b" });
      }
      return await engine.openObject(request, options);
    },
  };
  const outcome = await backUp(gone);
  expect(outcome.isOneMoment).toBe(true);
  expect(await keysOf(outcome.name)).toEqual(["a", "c"]);
});

test("an object whose chunks are freed under the reader is taken as it is then, or not at all", async () => {
  for (const key of ["deleted", "kept", "replaced"]) await put(key, bytesOf(key.length, 9 * MIB));
  const done = new Set<string>();
  const outcome = await backUp(
    disturbed(async (key) => {
      if (done.has(key) || key === "kept") return;
      done.add(key);
      if (key === "deleted") await engine.deleteObject({ bucket: "box", key });
      else await put(key, bytesOf(50, 9 * MIB));
      expect(await collectAll()).toMatchObject({ chunksDeleted: 3, storesRefusing: 0 });
    }),
  );
  expect(outcome).toMatchObject({ objects: 2, unreadable: 0, isOneMoment: true });
  expect(await keysOf(outcome.name)).toEqual(["kept", "replaced"]);
  const target = await restored();
  expect((await read(target, "replaced")).equals(bytesOf(50, 9 * MIB))).toBe(true);
  expect((await read(target, "kept")).equals(bytesOf(4, 9 * MIB))).toBe(true);
});

test("an object that moves to a key that was passed already is in the backup", async () => {
  await put("m", bytesOf(4, 50_000));
  await put("z", bytesOf(5, 50_000));
  let isMoved = false;
  const outcome = await backUp({
    ...engine,
    async listObjects(query, options) {
      const page = await engine.listObjects({ ...query, limit: 1 }, options);
      const isWalking = (await folderHasRecord()) && page.objects[0]?.key === "m";
      if (isWalking && !isMoved) {
        isMoved = true;
        await engine.moveObject({ sourceBucket: "box", sourceKey: "z", bucket: "box", key: "a" });
      }
      return page;
    },
  });
  expect(isMoved).toBe(true);
  expect(outcome).toMatchObject({ isOneMoment: true, objects: 2 });
  expect(await keysOf(outcome.name)).toEqual(["a", "m"]);
});

/** Whether a pass runs: before it, the sizes are only summed up. */
async function folderHasRecord(): Promise<boolean> {
  return (await readdir(join(path, "backups", "backups"))).some((name) => name.startsWith(".pass"));
}

test("chunks that the folder has are not read again, and an unchanged object is only looked at", async () => {
  await put("a", bytesOf(1, 9 * MIB));
  await put("same", bytesOf(1, 9 * MIB));
  const first = await backUp(engine);
  expect(first).toMatchObject({ chunksWritten: 3, chunksPresent: 3, objectsUnchanged: 0 });
  await put("b", bytesOf(2, 5 * MIB));
  const opened: string[] = [];
  const second = await backUp(disturbed(async (key) => void opened.push(key)));
  expect(second).toMatchObject({ chunksWritten: 2, chunksPresent: 0, objectsUnchanged: 2, objects: 3 });
  expect(opened).toEqual(["b"]);
});

test("a chunk that occurs again and again is read once, and the object is whole", async () => {
  await put("zeros", Buffer.alloc(30 * MIB));
  let reads = 0;
  const outcome = await backUp({
    ...engine,
    async openObject(request, options) {
      const opened = await engine.openObject(request, options);
      return {
        ...opened,
        async *read() {
          for await (const bytes of opened.read()) {
            reads++;
            yield bytes;
          }
        },
      };
    },
  });
  // Seven of 4 MiB and one of 2 MiB.
  expect(reads).toBe(2);
  expect(outcome).toMatchObject({ chunksWritten: 2, chunksPresent: 6 });
  expect((await read(await restored(), "zeros")).equals(Buffer.alloc(30 * MIB))).toBe(true);
});

test("an object of the same size that was put together from other parts is left alone, or replaced whole", async () => {
  const bytes = bytesOf(6, 25 * MIB);
  await put("large", bytes);
  await backUp(engine);
  const target = await openStore("restored");
  await target.createBucket("box");
  const changed = Buffer.from(bytes);
  changed[20 * MIB + 5] = 7;
  const { uploadId } = await target.createUpload({ bucket: "box", key: "large", attributes: {} });
  const parts = [];
  // The first part is cut as the object was, the others are not.
  for (const [index, [from, to]] of [
    [0, 8],
    [8, 11],
    [11, 25],
  ].entries()) {
    const body = (async function* (): AsyncGenerator<Uint8Array> {
      yield changed.subarray((from ?? 0) * MIB, (to ?? 0) * MIB);
    })();
    parts.push({
      partNumber: index + 1,
      etag: (await target.writePart({ uploadId, partNumber: index + 1 }, body)).etag,
    });
  }
  await target.completeUpload({ uploadId, parts });
  await restored({ into: target, did: { objectsRestored: 0, conflicts: { count: 1 } } });
  expect((await read(target, "large")).equals(changed)).toBe(true);
  await restored({ into: target, overwrite: true, did: { objectsRestored: 1, conflicts: { count: 0 } } });
  expect((await read(target, "large")).equals(bytes)).toBe(true);
});

test("an object with more chunks than a commit takes comes back in parts, with the same bytes, and is known again", async () => {
  const bytes = bytesOf(6, 25 * MIB);
  const body = (async function* (): AsyncGenerator<Uint8Array> {
    yield bytes;
  })();
  // Cut otherwise than parts are.
  await engine.putObject({ bucket: "box", key: "large", attributes: {}, chunker: fixed(3 * MIB) }, body);
  await backUp(engine);
  const target = await restored({ commitChunksMax: 3, did: { objectsRestored: 1, etagsChanged: 1 } });
  for (const overwrite of [false, true])
    await restored({ into: target, overwrite, did: { objectsRestored: 0, objectsPresent: 1 } });
  expect((await read(target, "large")).equals(bytes)).toBe(true);
  expect((await target.listUploads({ bucket: "box" })).uploads).toEqual([]);
});
