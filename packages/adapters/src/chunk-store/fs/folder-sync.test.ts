import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { silentLogger } from "@ashlar/sdk/ports";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { ChunkNames } from "./chunk-names.ts";
import { type FileSystem, nodejsFileSystem } from "./file-system.ts";
import { FolderSync, LeafFolders } from "./folder-sync.ts";

let root: string;
let synced: string[];
let fileSystem: FileSystem;

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "ashlar-sync-"));
  synced = [];
  // The real file system, which also writes down what it syncs.
  const open: FileSystem["open"] = async (path, flags) => {
    const handle = await nodejsFileSystem.open(path, flags);
    const sync = handle.sync.bind(handle);
    handle.sync = async () => {
      synced.push(String(path));
      await sync();
    };
    return handle;
  };
  fileSystem = { ...nodejsFileSystem, open };
});

afterEach(() => rm(root, { recursive: true, force: true }));

describe("folder syncs", () => {
  test("one fsync serves all waiting callers, and no caller that came while it ran", async () => {
    const folders = new FolderSync(fileSystem);
    await Promise.all(Array.from({ length: 100 }, () => folders.sync(root)));
    expect(synced).toEqual([root, root]);
    await folders.sync(root);
    expect(synced).toHaveLength(3);
  });

  test("a caller is never served by an fsync that began before it called", async () => {
    const folders = new FolderSync(fileSystem);
    for (let round = 0; round < 50; round++) {
      const before = folders.sync(root);
      // At some point during the running fsync.
      for (let turn = 0; turn < round % 7; turn++) await Promise.resolve();
      const begun = synced.length;
      await folders.sync(root);
      expect(synced.length).toBeGreaterThan(begun);
      await before;
    }
  });

  test("a failed fsync fails those who waited for it, and the next one is tried anew", async () => {
    let failures = 1;
    const open: FileSystem["open"] = (path, flags) =>
      failures-- > 0
        ? Promise.reject(Object.assign(new Error("no"), { code: "EIO" }))
        : nodejsFileSystem.open(path, flags);
    const folders = new FolderSync({ ...nodejsFileSystem, open });
    const [first, second] = [folders.sync(root), folders.sync(root)];
    await expect(first).rejects.toMatchObject({ code: "EIO" });
    // The second caller's renames may have been in the fsync that failed.
    await expect(second).rejects.toMatchObject({ code: "EIO" });
    await expect(folders.sync(root)).resolves.toBeUndefined();
  });

  test("a leaf folder's parents are synced once per run, the leaf each time", async () => {
    const names = new ChunkNames(root, "");
    const leaf = names.leafFolder("ab", "cd");
    const folders = new LeafFolders({
      ...{ fileSystem, names, logger: silentLogger },
      folderSync: new FolderSync(fileSystem),
      assertHome: async () => {},
      onFailure() {},
    });
    await folders.ensure(leaf);
    await folders.sync(leaf);
    expect(synced.toSorted()).toEqual([root, join(root, "chunks"), join(root, "chunks", "ab"), leaf]);
    await folders.sync(leaf);
    expect(synced).toHaveLength(5);
    expect(synced.at(-1)).toBe(leaf);
  });
});
