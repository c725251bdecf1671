import { constants } from "node:fs";
import { mkdir, readdir, rename, rm } from "node:fs/promises";
import { basename, dirname, join, relative } from "node:path";
import { encodeHex } from "@ashlar/sdk/hash";
import type { Durability, StreamingChunkStore } from "@ashlar/sdk/ports";
import { type TestChunk, testChunk, testChunks } from "@ashlar/sdk/testing";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type FileSystem, nodejsFileSystem } from "./file-system.ts";
import { type FsChunkStoreOptions, openFsChunkStore } from "./index.ts";
import { inspectFolder, makeFolder } from "./testing/fs-subject.ts";

let root: string;
let store: StreamingChunkStore;
/** What was asked of the disk, in order: `write`, `datasync`, `rename`, and `sync <folder>`. */
let steps: string[];
/** A step that fails, by its name. */
let failing: { readonly step: string; readonly errno: string } | undefined;

/** The real file system. It also records the steps that durability consists of, and fails one of them if the test asks for it. */
function watchedFileSystem(): FileSystem {
  const step = (name: string): void => {
    steps.push(name);
    if (failing !== undefined && name.startsWith(failing.step)) {
      throw Object.assign(new Error(failing.errno), { code: failing.errno, syscall: name });
    }
  };
  const open: FileSystem["open"] = async (path, flags) => {
    const isRead = typeof flags === "number" && (flags & constants.O_RDWR) === 0;
    if (isRead && /^[0-9a-f]{64}$/.test(basename(String(path)))) step("open");
    const handle = await nodejsFileSystem.open(path, flags);
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
  const renameStep: FileSystem["rename"] = async (from, to) => {
    step("rename");
    await nodejsFileSystem.rename(from, to);
  };
  return { ...nodejsFileSystem, open, rename: renameStep };
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
      // Up to the entry `chunks` of a fresh store's folder.
      const folders = [leaf, dirname(leaf), "chunks", ""];
      expect(steps.slice(4).sort()).toEqual(folders.map((folder) => `sync ${folder}`).sort());
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

    test("batched: synced before it is acknowledged too, so that no commit ever names what is not on the disk", async () => {
      await open({ durability: "batched" });
      const chunk = await testChunk(5000, 1);
      await write(chunk);
      expect(steps.slice(0, 4)).toEqual(["write", "write", "datasync", "rename"]);
      expect(steps).toContain(`sync ${leafOf(chunk)}`);
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

    test("a folder sync that fails ends the writes: a second try would sync nothing and succeed", async () => {
      await open();
      const chunk = await testChunk(5000, 1);
      const other = await testChunk(5000, 2);
      failing = { step: `sync ${leafOf(chunk)}`, errno: "EIO" };
      await expect(write(chunk)).rejects.toMatchObject({ code: "NODE_UNAVAILABLE", cause: { code: "EIO" } });
      failing = undefined;
      for (const each of [chunk, other]) {
        await expect(write(each)).rejects.toMatchObject({ code: "NODE_UNAVAILABLE", cause: { code: "EIO" } });
      }
      await expect(store.hasChunks([chunk.chunkId], { claim: true })).rejects.toMatchObject({
        code: "NODE_UNAVAILABLE",
      });
      await store.close();
      await open();
      expect(await write(other)).toMatchObject({ alreadyPresent: false });
    });
  });
}

describe("a put of wrong bytes", () => {
  const wrongPuts: Readonly<Record<string, (chunk: TestChunk) => Promise<unknown>>> = {
    putChunk: ({ chunkId }) => store.putChunk(chunkId, new Uint8Array(5000)),
    putChunkStream: ({ chunkId }) => store.putChunkStream(chunkId, sourceOf({ chunkId, bytes: new Uint8Array(5000) })),
  };
  for (const [method, put] of Object.entries(wrongPuts)) {
    test(`by ${method} leaves no folder`, async () => {
      await open();
      await expect(put(await testChunk(5000, 1))).rejects.toMatchObject({ code: "CHUNK_DIGEST_MISMATCH" });
      expect(await readdir(join(root, "chunks"), { recursive: true })).toEqual(["tmp"]);
    });
  }

  test("makes the same file system calls whether the chunk, or its folder, is there or not: the time would tell", async () => {
    const calls: string[] = [];
    const noted = new Proxy(nodejsFileSystem, {
      get:
        (target, name: keyof FileSystem) =>
        (path: unknown, ...rest: unknown[]) => {
          calls.push(`${name} ${String(path).replace(/[0-9a-f]{8}$/, "")}`);
          return (target[name] as (...args: unknown[]) => unknown)(path, ...rest);
        },
    });
    await open({ fileSystem: noted });
    await store.stats();
    const there = await testChunk(5000, 1);
    await WRITES.putChunkStream?.(there);
    const asked: string[][] = [];
    for (const chunk of [there, await testChunk(5000, 2), await testChunk(5000, 3)]) {
      calls.length = 0;
      await expect(wrongPuts.putChunkStream?.(chunk)).rejects.toMatchObject({ code: "CHUNK_DIGEST_MISMATCH" });
      asked.push([...calls]);
    }
    expect(asked[0]?.length).toBeGreaterThan(0);
    expect(asked[1]).toEqual(asked[0]);
    expect(asked[2]).toEqual(asked[0]);
  });
});

test("a file that could not be synced counts for nothing: the same chunk is written anew", async () => {
  await open({ durability: "os" });
  const chunk = await testChunk(5000, 1);
  const put = (): Promise<unknown> => store.putChunk(chunk.chunkId, chunk.bytes, { durability: "strict" });
  await store.putChunk(chunk.chunkId, chunk.bytes);
  failing = { step: "datasync", errno: "EIO" };
  await expect(put()).rejects.toMatchObject({ code: "NODE_UNAVAILABLE", cause: { code: "EIO" } });
  failing = undefined;
  // The kernel calls its pages clean by now: a sync of the same file would succeed.
  steps = [];
  expect(await put()).toMatchObject({ alreadyPresent: false });
  expect(steps.slice(0, 4)).toEqual(["write", "write", "datasync", "rename"]);
  expect(await store.stats()).toMatchObject({ chunkCount: 1, bytesUsed: 5000 });
  expect(await store.getChunk(chunk.chunkId)).toEqual(chunk.bytes);
});

test("a claim of a file that could not be synced finds nothing, once and again", async () => {
  await open({ durability: "os" });
  const chunk = await testChunk(5000, 1);
  await store.putChunk(chunk.chunkId, chunk.bytes);
  await store.close();
  await open();
  failing = { step: "datasync", errno: "EIO" };
  expect(await store.hasChunks([chunk.chunkId], { claim: true })).toEqual([undefined]);
  failing = undefined;
  expect(await store.hasChunks([chunk.chunkId], { claim: true })).toEqual([undefined]);
  expect(await store.putChunk(chunk.chunkId, chunk.bytes)).toMatchObject({ alreadyPresent: false });
  expect(await store.hasChunks([chunk.chunkId], { claim: true })).toEqual([{ sizeBytes: 5000 }]);
});

for (const durability of ["strict", "batched"] as const) {
  test(`a ${durability} put into a folder that was deleted, moved or exchanged is not acknowledged`, async () => {
    await open({ durability });
    const [first, second, third] = (await testChunks(3, 5000)) as [TestChunk, TestChunk, TestChunk];
    await store.putChunk(first.chunkId, first.bytes);
    await rename(root, `${root}-elsewhere`);
    for (const chunk of [first, second]) {
      await expect(store.putChunk(chunk.chunkId, chunk.bytes)).rejects.toMatchObject({ code: "NODE_UNAVAILABLE" });
    }
    await mkdir(root);
    await expect(store.putChunk(third.chunkId, third.bytes)).rejects.toMatchObject({ code: "NODE_UNAVAILABLE" });
    await rm(root, { recursive: true });
    await rename(`${root}-elsewhere`, root);
    expect(await store.putChunk(second.chunkId, second.bytes)).toMatchObject({ alreadyPresent: false });
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

test("an error on reading is an error and never 'absent'", async () => {
  await open();
  const chunk = await testChunk(5000, 1);
  await store.putChunk(chunk.chunkId, chunk.bytes);
  for (const [errno, code] of [
    ["EIO", "NODE_UNAVAILABLE"],
    ["EACCES", "NODE_UNAVAILABLE"],
    ["EMFILE", "OVERLOADED"],
    ["ENAMETOOLONG", "INTERNAL"],
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
