import { execFileSync } from "node:child_process";
import { mkdir, readdir, readFile, rename, rm, symlink, writeFile } from "node:fs/promises";
import { basename, dirname, join, relative } from "node:path";
import { encodeHex } from "@ashlar/sdk/hash";
import type { Logger } from "@ashlar/sdk/ports";
import { type TestChunk, testChunks } from "@ashlar/sdk/testing";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type FileSystem, nodejsFileSystem } from "./file-system.ts";
import { rebuildStoreFiles } from "./index.ts";
import { createFsSubject } from "./testing/fs-subject.ts";

/** Size of the hurt chunk; the sound chunk has one byte more. */
const SIZE_BYTES = 5000;

let subject: Awaited<ReturnType<typeof createFsSubject>>;
let logged: Array<Readonly<Record<string, unknown>>>;
let hurt: TestChunk;
let sound: TestChunk;
/** The disk cannot show paths with this end. */
let failing: { readonly end: string; readonly errno: string } | undefined;

/** The real file system, in which looking at one path may fail. */
function failingFileSystem(): FileSystem {
  const guarded = <Name extends "lstat" | "stat" | "readdir">(name: Name): FileSystem[Name] => {
    const call = nodejsFileSystem[name] as (path: unknown, options: unknown) => Promise<unknown>;
    return (async (path: unknown, options: unknown) => {
      if (failing !== undefined && String(path).endsWith(failing.end)) {
        throw Object.assign(new Error(failing.errno), { code: failing.errno, syscall: name });
      }
      return await call(path, options);
    }) as unknown as FileSystem[Name];
  };
  return { ...nodejsFileSystem, lstat: guarded("lstat"), stat: guarded("stat"), readdir: guarded("readdir") };
}

beforeEach(async () => {
  logged = [];
  failing = undefined;
  const logger: Logger = {
    debug() {},
    info() {},
    warn() {},
    error: (fields: Readonly<Record<string, unknown>>) => void logged.push(fields),
    child: () => logger,
  };
  subject = await createFsSubject({ logger, fileSystem: failingFileSystem() });
  [hurt, sound] = (await testChunks(2, SIZE_BYTES)) as [TestChunk, TestChunk];
  await subject.store.putChunk(hurt.chunkId, hurt.bytes);
  await subject.store.putChunk(sound.chunkId, sound.bytes);
});

afterEach(() => subject.dispose());

function pathOf({ chunkId }: TestChunk): string {
  const id = encodeHex(chunkId);
  return join(subject.root, "chunks", id.slice(0, 2), id.slice(2, 4), id);
}

/** Every way to put the hurt chunk. After each of them the chunk must be there. */
const puts: Readonly<Record<string, () => Promise<unknown>>> = {
  putChunk: () => subject.store.putChunk(hurt.chunkId, hurt.bytes),
  putChunkStream: () =>
    subject.store.putChunkStream(
      hurt.chunkId,
      (async function* () {
        yield hurt.bytes;
      })(),
    ),
};

/** What may lie under a chunk's name. */
const misplaced: Readonly<Record<string, (path: string) => Promise<unknown>>> = {
  "an empty folder": (path) => mkdir(path),
  "a folder with something in it": async (path) => {
    await mkdir(path);
    await writeFile(join(path, "x"), "x");
  },
  "a link in a circle": (path) => symlink(path, path),
  "a link that leads nowhere": (path) => symlink("/nonexistent/x", path),
  "a link to the same bytes elsewhere": async (path) => {
    await symlink(join(subject.root, "elsewhere"), path);
  },
  "a pipe": async (path) => execFileSync("mkfifo", [path]),
};

/** What may lie where a folder belongs. */
const inTheWay: Readonly<Record<string, (path: string) => Promise<unknown>>> = {
  "a file": (path) => writeFile(path, "no folder"),
  "a link in a circle": (path) => symlink(path, path),
  "a link that leads nowhere": (path) => symlink("/nonexistent/x", path),
};

describe.skipIf(process.platform === "win32")("under a chunk's name", () => {
  for (const [what, place] of Object.entries(misplaced)) {
    const exchange = async (): Promise<void> => {
      await rename(pathOf(hurt), join(subject.root, "elsewhere"));
      await place(pathOf(hurt));
    };

    for (const [how, range] of [
      ["whole", undefined],
      ["a range", { offset: 10, length: 5 }],
    ] as const) {
      test(`${what} is CHUNK_CORRUPT when it is read (${how}), put aside, and written anew`, async () => {
        await exchange();
        expect(await subject.store.hasChunks([hurt.chunkId], { claim: false })).toEqual([undefined]);
        await expect(subject.store.getChunk(hurt.chunkId, range)).rejects.toMatchObject({ code: "CHUNK_CORRUPT" });
        expect(await subject.store.getChunk(hurt.chunkId)).toBeUndefined();
        const [kept] = await readdir(join(subject.root, "quarantine"));
        expect(kept?.startsWith(encodeHex(hurt.chunkId))).toBe(true);
        expect(logged).toMatchObject([{ chunkId: encodeHex(hurt.chunkId) }]);
        expect(await puts.putChunk?.()).toMatchObject({ alreadyPresent: false });
        expect(await subject.store.getChunk(hurt.chunkId)).toEqual(hurt.bytes);
      });
    }

    for (const [method, put] of Object.entries(puts)) {
      test(`${what} is put aside by ${method}, which writes the chunk`, async () => {
        await exchange();
        expect(await subject.store.hasChunks([hurt.chunkId], { claim: true })).toEqual([undefined]);
        expect(await put()).toMatchObject({ alreadyPresent: false });
        expect(await subject.store.getChunk(hurt.chunkId)).toEqual(hurt.bytes);
        expect(await (await subject.reopen()).stats()).toMatchObject({ chunkCount: 2, bytesUsed: 2 * SIZE_BYTES + 1 });
      });
    }

    test(`${what} is passed over by the count, by listings and by deletes, and named`, async () => {
      await exchange();
      const store = await subject.reopen();
      const { chunkCount, bytesUsed, badEntries } = await store.stats();
      expect({ chunkCount, bytesUsed }).toEqual({ chunkCount: 1, bytesUsed: SIZE_BYTES + 1 });
      expect(badEntries).toMatchObject([{ path: relative(subject.root, pathOf(hurt)) }]);
      expect((await store.listChunks()).chunks).toMatchObject([{ chunkId: sound.chunkId }]);
      const ids = [hurt.chunkId, sound.chunkId];
      expect(await store.deleteChunks(ids, { unclaimedForMs: 0 })).toEqual(["absent", "deleted"]);
      expect(logged).toHaveLength(1);
    });
  }
});

describe.skipIf(process.platform === "win32")("where a folder belongs", () => {
  for (const [what, place] of Object.entries(inTheWay)) {
    for (const [where, folderOf] of [
      ["above the chunk", dirname],
      ["two above the chunk", (path: string) => dirname(dirname(path))],
    ] as const) {
      for (const [method, put] of Object.entries(puts)) {
        for (const when of ["of an open store", "before it is opened"]) {
          test(`${what}, ${where} ${when}, hides no other chunk and is put aside by ${method}`, async () => {
            const folder = folderOf(pathOf(hurt));
            await rm(folder, { recursive: true });
            await place(folder);
            if (when === "before it is opened") await subject.reopen();
            const { store } = subject;
            expect(await store.hasChunks([hurt.chunkId], { claim: false })).toEqual([undefined]);
            expect(await store.getChunk(sound.chunkId)).toEqual(sound.bytes);
            expect((await store.listChunks()).chunks).toMatchObject([{ chunkId: sound.chunkId }]);
            expect(await put()).toMatchObject({ alreadyPresent: false });
            expect(await store.getChunk(hurt.chunkId)).toEqual(hurt.bytes);
            expect(await readdir(join(subject.root, "quarantine"))).toHaveLength(1);
            expect(await (await subject.reopen()).stats()).toMatchObject({ chunkCount: 2 });
          });
        }
      }
    }
  }

  test("a file is named, and reading what lay below finds nothing", async () => {
    const leaf = dirname(pathOf(hurt));
    await rm(leaf, { recursive: true });
    await writeFile(leaf, "no folder");
    const store = await subject.reopen();
    expect(await store.getChunk(hurt.chunkId)).toBeUndefined();
    expect(await store.deleteChunks([hurt.chunkId], { unclaimedForMs: 0 })).toEqual(["absent"]);
    const { chunkCount, badEntries } = await store.stats();
    expect(chunkCount).toBe(1);
    expect(badEntries).toMatchObject([{ path: relative(subject.root, leaf) }]);
    await puts.putChunk?.();
    const [kept] = await readdir(join(subject.root, "quarantine"));
    expect(await readFile(join(subject.root, "quarantine", kept ?? ""), "utf8")).toBe("no folder");
  });

  test("a file where temporary ones are written is put aside too", async () => {
    await rm(join(subject.root, "chunks", "tmp"), { recursive: true });
    await writeFile(join(subject.root, "chunks", "tmp"), "no folder");
    await rm(pathOf(hurt));
    expect(await puts.putChunk?.()).toMatchObject({ alreadyPresent: false });
    await rm(pathOf(hurt));
    await subject.reopen();
    expect(await puts.putChunk?.()).toMatchObject({ alreadyPresent: false });
  });

  test("the chunks' own folder stays what it is: a link that leads nowhere is a disk that is not mounted", async () => {
    await rename(join(subject.root, "chunks"), join(subject.root, "unmounted"));
    await symlink("/nonexistent/disk", join(subject.root, "chunks"));
    await expect(puts.putChunk?.()).rejects.toMatchObject({ name: "AshlarError" });
    expect(await readdir(subject.root)).not.toContain("quarantine");
  });
});

describe("an entry that the disk cannot show", () => {
  const entries: Readonly<Record<string, (path: string) => string>> = {
    "a chunk's file": (path) => path,
    "the folder above": dirname,
    "the folder above that": (path) => dirname(dirname(path)),
  };
  for (const [what, entryOf] of Object.entries(entries)) {
    test(`${what}: is passed over, named and logged once, and hides nothing else`, async () => {
      const entry = relative(subject.root, entryOf(pathOf(hurt)));
      failing = { end: `/${entry}`, errno: "EIO" };
      const store = await subject.reopen();
      expect(await store.stats()).toMatchObject({
        ...{ chunkCount: 1, bytesUsed: SIZE_BYTES + 1 },
        badEntries: [{ path: entry, problem: expect.stringContaining("EIO") }],
      });
      expect((await store.listChunks()).chunks).toMatchObject([{ chunkId: sound.chunkId }]);
      expect(logged).toMatchObject([{ entry }]);
      expect(await store.getChunk(sound.chunkId)).toEqual(sound.bytes);
    });
  }

  test("does not stop the deletion of other chunks in the batch, and stays itself", async () => {
    failing = { end: basename(pathOf(hurt)), errno: "EIO" };
    const ids = [hurt.chunkId, sound.chunkId];
    expect(await subject.store.deleteChunks(ids, { unclaimedForMs: 0 })).toEqual(["claimed", "deleted"]);
    failing = undefined;
    expect(await subject.store.getChunk(hurt.chunkId)).toEqual(hurt.bytes);
  });

  test("is an error for a caller that asks for it alone, never absent", async () => {
    failing = { end: basename(pathOf(hurt)), errno: "EIO" };
    await expect(subject.store.hasChunks([hurt.chunkId], { claim: false })).rejects.toMatchObject({
      code: "NODE_UNAVAILABLE",
    });
  });

  test("because the process has no more files is no bad entry: the count fails, and is right the next time", async () => {
    failing = { end: basename(pathOf(hurt)), errno: "EMFILE" };
    const store = await subject.reopen();
    await expect(store.stats()).rejects.toMatchObject({ code: "OVERLOADED" });
    failing = undefined;
    expect(await store.stats()).toEqual({
      ...{ chunkCount: 2, bytesUsed: 2 * SIZE_BYTES + 1 },
      ...{ bytesFree: expect.any(Number), bytesTotal: expect.any(Number) },
    });
  });
});

test.skipIf(process.platform === "win32")(
  "format.json is written anew by any good chunk, whatever lies beside it",
  async () => {
    await rm(pathOf(hurt));
    await mkdir(pathOf(hurt));
    await symlink("circle", join(subject.root, "chunks", "circle"));
    await symlink("00", join(subject.root, "chunks", "00"));
    await writeFile(join(subject.root, "format.json"), "");
    expect(await rebuildStoreFiles(subject.root)).toEqual(["format.json"]);
  },
);
