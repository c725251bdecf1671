import { rm } from "node:fs/promises";
import { basename, dirname, relative } from "node:path";
import { encodeHex } from "@ashlar/sdk/hash";
import type { Durability, StreamingChunkStore } from "@ashlar/sdk/ports";
import { type TestChunk, testChunk, testChunks } from "@ashlar/sdk/testing";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type FileSystem, nodeFileSystem } from "./file-system.ts";
import { type FsChunkStoreOptions, openFsChunkStore } from "./index.ts";
import { inspectFolder, makeFolder } from "./testing/fs-subject.ts";

let root: string;
let store: StreamingChunkStore;
/** What was asked of the disk, in order: `write`, `datasync`, `rename`, and `sync <folder>`. */
let steps: string[];
/** A step that fails, by its name. */
let failing: { readonly step: string; readonly errno: string } | undefined;

/** The real file system, which also writes down the steps that durability is made of, and may be told to fail one. */
function watchedFileSystem(): FileSystem {
  const step = (name: string): void => {
    steps.push(name);
    if (failing !== undefined && name.startsWith(failing.step)) {
      throw Object.assign(new Error(failing.errno), { code: failing.errno, syscall: name });
    }
  };
  const open: FileSystem["open"] = async (path, flags) => {
    if (flags === "r" && /^[0-9a-f]{64}$/.test(basename(String(path)))) step("open");
    const handle = await nodeFileSystem.open(path, flags);
    const { write, datasync, sync } = handle;
    handle.write = (async (...args: Parameters<typeof write>) => {
      step("write");
      return await write.apply(handle, args);
    }) as typeof write;
    handle.datasync = async () => {
      step("datasync");
      await datasync.call(handle);
    };
    handle.sync = async () => {
      step(`sync ${relative(root, String(path))}`);
      await sync.call(handle);
    };
    return handle;
  };
  const rename: FileSystem["rename"] = async (from, to) => {
    step("rename");
    await nodeFileSystem.rename(from, to);
  };
  return { ...nodeFileSystem, open, rename };
}

async function open(options: Partial<FsChunkStoreOptions> = {}): Promise<void> {
  store = await openFsChunkStore({ path: root, fileSystem: watchedFileSystem(), ...options });
  steps = [];
}

beforeEach(async () => {
  root = await makeFolder();
  steps = [];
  failing = undefined;
});

afterEach(async () => {
  failing = undefined;
  await store.close();
  await rm(root, { recursive: true, force: true });
});

const leafOf = ({ chunkId }: TestChunk): string => {
  const id = encodeHex(chunkId);
  return `chunks/${id.slice(0, 2)}/${id.slice(2, 4)}`;
};

async function* sourceOf({ bytes }: TestChunk): AsyncGenerator<Uint8Array> {
  yield bytes;
}

const WRITES: Readonly<Record<string, (chunk: TestChunk, durability?: Durability) => Promise<unknown>>> = {
  putChunk: (chunk, durability) => store.putChunk(chunk.chunkId, chunk.bytes, { durability }),
  putChunkStream: (chunk, durability) => store.putChunkStream(chunk.chunkId, sourceOf(chunk), { durability }),
};

for (const [method, write] of Object.entries(WRITES)) {
  describe(method, () => {
    test("strict: bytes synced, then renamed, then every new folder synced, then acknowledged", async () => {
      await open();
      const chunk = await testChunk(5000, 1);
      await write(chunk);
      const leaf = leafOf(chunk);
      expect(steps.slice(0, 4)).toEqual(["write", "write", "datasync", "rename"]);
      expect(steps.slice(4).sort()).toEqual([`sync ${leaf}`, `sync ${dirname(leaf)}`, "sync chunks"].sort());
    });

    test("strict: a chunk that is there by a weaker write is synced before it is acknowledged, once", async () => {
      await open({ durability: "os" });
      const chunk = await testChunk(5000, 1);
      await write(chunk);
      expect(steps).toEqual(["write", "write", "rename"]);
      steps = [];
      await store.putChunk(chunk.chunkId, chunk.bytes, { durability: "strict" });
      expect(steps[0]).toBe("datasync");
      expect(steps).toContain(`sync ${leafOf(chunk)}`);
      steps = [];
      await store.putChunk(chunk.chunkId, chunk.bytes, { durability: "strict" });
      expect(steps).toEqual([]);
    });

    test("batched: acknowledged unsynced, and synced in the background right after", async () => {
      await open({ durability: "batched" });
      const chunks = await testChunks(5, 5000);
      await Promise.all(chunks.map((chunk) => write(chunk)));
      const acknowledgedAtMs = performance.now();
      const isSynced = (): boolean => {
        const syncs = steps.filter((step) => step === "datasync").length;
        return syncs === chunks.length && chunks.every((chunk) => steps.includes(`sync ${leafOf(chunk)}`));
      };
      await expect.poll(isSynced, { interval: 2, timeout: 20_000 }).toBe(true);
      process.stdout.write(`${method}: 5 chunks synced ${Math.round(performance.now() - acknowledgedAtMs)} ms after\n`);
    });

    test("os: never synced", async () => {
      await open({ durability: "os" });
      await write(await testChunk(5000, 1));
      await store.close();
      expect(steps.filter((step) => step.includes("sync"))).toEqual([]);
    });

    for (const [step, errno, code] of [
      ["write", "ENOSPC", "DISK_FULL"],
      ["write", "EDQUOT", "DISK_FULL"],
      ["write", "EIO", "NODE_UNAVAILABLE"],
      ["datasync", "EIO", "NODE_UNAVAILABLE"],
      ["datasync", "ENOSPC", "DISK_FULL"],
      ["rename", "EROFS", "NODE_UNAVAILABLE"],
    ] as const) {
      test(`${errno} in ${step} is ${code} with its cause, nothing is kept, and the next write works`, async () => {
        await open();
        const chunk = await testChunk(5000, 1);
        failing = { step, errno };
        await expect(write(chunk)).rejects.toMatchObject({ code, details: { errno }, cause: { code: errno } });
        failing = undefined;
        expect(await inspectFolder(root)).toEqual({ chunks: new Map(), leftovers: [] });
        expect(await store.stats()).toMatchObject({ chunkCount: 0, bytesUsed: 0 });
        expect(await write(chunk)).toMatchObject({ alreadyPresent: false });
      });
    }

    test("a folder sync that fails is not acknowledged, and the next write syncs again", async () => {
      await open();
      const chunk = await testChunk(5000, 1);
      failing = { step: "sync chunks", errno: "EIO" };
      await expect(write(chunk)).rejects.toMatchObject({ code: "NODE_UNAVAILABLE", cause: { code: "EIO" } });
      failing = undefined;
      steps = [];
      expect(await write(chunk)).toMatchObject({ alreadyPresent: true });
      expect(steps).toContain(`sync ${leafOf(chunk)}`);
    });
  });
}

test("hasChunks with claim makes sure that what it calls present is durable in a strict store", async () => {
  await open();
  const chunk = await testChunk(5000, 1);
  await store.putChunk(chunk.chunkId, chunk.bytes, { durability: "os" });
  steps = [];
  await store.hasChunks([chunk.chunkId], { claim: true });
  expect(steps[0]).toBe("datasync");
  expect(steps).toContain(`sync ${leafOf(chunk)}`);
});

test("a failed background sync is logged and turns the store to refusing writes, not reads", async () => {
  const logged: string[] = [];
  const logger = {
    debug() {},
    info() {},
    warn() {},
    error: (_fields: unknown, message: string) => void logged.push(message),
    child: () => logger,
  };
  await open({ durability: "batched", logger });
  const [a, b] = (await testChunks(2, 5000)) as [TestChunk, TestChunk];
  failing = { step: "datasync", errno: "EIO" };
  await store.putChunk(a.chunkId, a.bytes);
  await expect.poll(() => logged).toEqual([expect.stringMatching(/background sync failed/)]);
  const refused = { code: "NODE_UNAVAILABLE", cause: { code: "EIO" } };
  await expect(store.putChunk(b.chunkId, b.bytes)).rejects.toMatchObject(refused);
  await expect(store.hasChunks([a.chunkId], { claim: true })).rejects.toMatchObject(refused);
  expect(await store.getChunk(a.chunkId)).toEqual(a.bytes);
});

test("an error on reading is an error and never 'absent'", async () => {
  await open();
  const chunk = await testChunk(5000, 1);
  await store.putChunk(chunk.chunkId, chunk.bytes);
  for (const [errno, code] of [
    ["EIO", "NODE_UNAVAILABLE"],
    ["EACCES", "NODE_UNAVAILABLE"],
    ["EMFILE", "OVERLOADED"],
    ["ELOOP", "INTERNAL"],
  ] as const) {
    failing = { step: "open", errno };
    await expect(store.getChunk(chunk.chunkId)).rejects.toMatchObject({ code, cause: { code: errno } });
  }
  failing = undefined;
  expect(await store.getChunk(chunk.chunkId)).toEqual(chunk.bytes);
});

test("leaf folders that vanish are made again", async () => {
  await open();
  const chunk = await testChunk(5000, 1);
  await store.putChunk(chunk.chunkId, chunk.bytes);
  await rm(`${root}/chunks`, { recursive: true });
  expect(await store.putChunk(chunk.chunkId, chunk.bytes)).toMatchObject({ alreadyPresent: false });
  expect(await store.getChunk(chunk.chunkId)).toEqual(chunk.bytes);
});
