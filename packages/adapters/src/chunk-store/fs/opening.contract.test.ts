import { spawnSync } from "node:child_process";
import { mkdir, readdir, readFile, rename, rm, stat, utimes, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { encodeHex } from "@ashlar/sdk/hash";
import { type Clock, type StreamingChunkStore, systemClock } from "@ashlar/sdk/ports";
import { type TestChunk, testChunk } from "@ashlar/sdk/testing";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { createOwner } from "./chunk-names.ts";
import { makeStoreFolder, openFsChunkStore } from "./index.ts";
import { makeFolder } from "./testing/fs-subject.ts";

const HOUR_MS = 3_600_000;

let base: string;
let root: string;
let opened: StreamingChunkStore[];

async function open(options: { clock?: Clock } = {}): Promise<StreamingChunkStore> {
  const store = await openFsChunkStore({ path: root, ...options });
  opened.push(store);
  return store;
}

/** The system's clock, some time ahead. */
const ahead = (ms: number): Clock => ({ ...systemClock, nowMs: () => systemClock.nowMs() + ms });

beforeEach(async () => {
  base = await makeFolder();
  root = base;
  opened = [];
});

afterEach(async () => {
  await Promise.all(opened.map((store) => store.close()));
  await rm(base, { recursive: true, force: true });
});

function pathOf({ chunkId }: TestChunk): string {
  const id = encodeHex(chunkId);
  return join(root, "chunks", id.slice(0, 2), id.slice(2, 4), id);
}

describe("opening a folder", () => {
  test("takes a relative path from where the process is at the call", async () => {
    const before = process.cwd();
    process.chdir(base);
    const opening = openFsChunkStore({ path: "relative" });
    process.chdir(before);
    opened.push(await opening);
    expect(await readdir(join(base, "relative"))).toContain("format.json");
  });

  test.runIf(process.platform === "linux")("fails where no folder can be made, and does not try forever", async () => {
    await expect(openFsChunkStore({ path: "/proc/ashlar/store" })).rejects.toMatchObject({ name: "AshlarError" });
    await expect(makeStoreFolder("/proc/ashlar/store")).rejects.toMatchObject({
      code: "INVALID_ARGUMENT",
      message: expect.stringContaining("/proc/ashlar/store is where no folder can be made"),
    });
  });

  test("makes it where there is none, marks its format, and opens it again", async () => {
    root = join(root, "deep", "er");
    const chunk = await testChunk(100, 1);
    await (await open()).putChunk(chunk.chunkId, chunk.bytes);
    expect(JSON.parse(await readFile(join(root, "format.json"), "utf8"))).toEqual({
      format: "ashlar-chunk-store",
      formatVersion: 1,
    });
    expect(await (await open()).getChunk(chunk.chunkId)).toEqual(chunk.bytes);
    expect((await readdir(root)).sort()).toEqual(["boot.json", "chunks", "format.json"]);
  });

  test("by 20 openers at once works for all", async () => {
    const stores = await Promise.all(Array.from({ length: 20 }, () => open()));
    const chunk = await testChunk(100, 1);
    await Promise.all(stores.map((store) => store.putChunk(chunk.chunkId, chunk.bytes)));
    for (const store of stores) expect(await store.getChunk(chunk.chunkId)).toEqual(chunk.bytes);
  });

  test("of a newer format, or of something else, is refused", async () => {
    const marker = join(root, "format.json");
    for (const text of ['{"format":"ashlar-chunk-store","formatVersion":2}', '{"format":"tar"}', "{", "null", ""]) {
      await writeFile(marker, text);
      await expect(open()).rejects.toMatchObject({ code: "STORE_INCOMPATIBLE" });
      expect(await readFile(marker, "utf8")).toBe(text);
    }
    await rm(marker);
    await mkdir(join(root, "chunks"));
    await expect(open()).rejects.toMatchObject({ code: "STORE_INCOMPATIBLE" });
  });

  test("that cannot be one is refused with the cause", async () => {
    await writeFile(join(root, "file"), "x");
    const path = join(root, "file", "store");
    await expect(openFsChunkStore({ path })).rejects.toMatchObject({ code: "INTERNAL", cause: { code: "ENOTDIR" } });
  });

  test("with illegal options is refused", async () => {
    const wrong = [{ path: "" }, { path: "a\0b" }, { path: root, durability: "no" }, { path: root, chunkMaxBytes: 0 }];
    for (const options of [...wrong, { path: root, chunkMaxBytes: 2 ** 31 }, {}]) {
      await expect(openFsChunkStore(options as never)).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
    }
  });
});

describe("what interrupted calls left behind", () => {
  const leaf = (): string => join(root, "chunks", "ab", "cd");

  /** Tokens of owners in other states, made from that of a real one. */
  async function tokens(): Promise<Record<"dead" | "running" | "elsewhere", string>> {
    const owner = await createOwner();
    owner.release();
    const [scope, , session] = owner.token.split("-");
    const { pid } = spawnSync(process.execPath, ["--version"]);
    const hex = (value: number): string => value.toString(16).padStart(8, "0");
    return {
      dead: `${scope}-${hex(pid)}-${session}`,
      running: `${scope}-${hex(process.ppid)}-${session}`,
      elsewhere: `00000000-${hex(pid)}-${session}`,
    };
  }

  /** Where temporary files are, and where earlier releases wrote them: beside the chunk. */
  const folders = { "in the folder for it": () => join(root, "chunks", "tmp"), "beside chunks": leaf };

  async function leave(at: string): Promise<void> {
    await (await open()).close();
    const { dead, running, elsewhere } = await tokens();
    await mkdir(at, { recursive: true });
    for (const token of [dead, running, elsewhere]) await writeFile(join(at, `tmp-${token}-00000001`), "part");
  }

  for (const [where, folder] of Object.entries(folders)) {
    test(`${where} by a dead process is swept; a running one, and one that cannot be asked, are given an hour`, async () => {
      await leave(folder());
      await (await open()).stats();
      expect(await readdir(folder())).toHaveLength(2);
      await (await open({ clock: ahead(HOUR_MS - 60_000) })).stats();
      expect(await readdir(folder())).toHaveLength(2);
      await (await open({ clock: ahead(HOUR_MS + 60_000) })).stats();
      expect(await readdir(folder())).toEqual([]);
    });

    test(`${where} is swept by a listing too`, async () => {
      const store = await open();
      await store.stats();
      const { dead } = await tokens();
      await mkdir(folder(), { recursive: true });
      await writeFile(join(folder(), `tmp-${dead}-00000001`), "part");
      await store.listChunks();
      expect(await readdir(folder())).toEqual([]);
    });
  }

  test("a chunk that was set aside for deletion comes back, and can be read before that", async () => {
    const store = await open();
    const chunk = await testChunk(5000, 1);
    await store.putChunk(chunk.chunkId, chunk.bytes);
    const { dead, running } = await tokens();
    await rename(pathOf(chunk), `${pathOf(chunk)}.deleting-${running}-00000001`);
    expect(await store.getChunk(chunk.chunkId)).toEqual(chunk.bytes);
    expect(await store.hasChunks([chunk.chunkId], { claim: true })).toEqual([undefined]);
    await rename(`${pathOf(chunk)}.deleting-${running}-00000001`, `${pathOf(chunk)}.deleting-${dead}-00000001`);
    const next = await open();
    expect(await next.stats()).toMatchObject({ chunkCount: 1, bytesUsed: 5000 });
    expect(await readdir(dirname(pathOf(chunk)))).toEqual([encodeHex(chunk.chunkId)]);
    expect(await next.getChunk(chunk.chunkId)).toEqual(chunk.bytes);
  });

  test("a chunk that was set aside does not replace one that was written since", async () => {
    const store = await open();
    const chunk = await testChunk(5000, 1);
    await store.putChunk(chunk.chunkId, chunk.bytes);
    const { dead } = await tokens();
    await rename(pathOf(chunk), `${pathOf(chunk)}.deleting-${dead}-00000001`);
    await store.putChunk(chunk.chunkId, chunk.bytes);
    const { ino } = await stat(pathOf(chunk));
    await (await open()).stats();
    expect(await readdir(dirname(pathOf(chunk)))).toEqual([encodeHex(chunk.chunkId)]);
    expect((await stat(pathOf(chunk))).ino).toBe(ino);
  });
});

describe("claims and reboots", () => {
  test("after a reboot no claim counts as older than the opening; within one run of the system its age is kept", async () => {
    const chunk = await testChunk(5000, 1);
    const store = await open();
    await store.putChunk(chunk.chunkId, chunk.bytes);
    await store.close();
    // A power loss may bring back an older time than the one that the last claim set.
    const longAgo = (systemClock.nowMs() - 48 * HOUR_MS) / 1000;
    await utimes(pathOf(chunk), longAgo, longAgo);
    await writeFile(join(root, "boot.json"), JSON.stringify({ bootId: "before the reboot", claimFloorMs: 5 }));
    const rebooted = await open();
    expect(await rebooted.deleteChunks([chunk.chunkId], { unclaimedForMs: HOUR_MS })).toEqual(["claimed"]);
    await rebooted.close();

    const { bootId, claimFloorMs } = JSON.parse(await readFile(join(root, "boot.json"), "utf8"));
    expect(claimFloorMs).toBeGreaterThan(systemClock.nowMs() - 60_000);
    await writeFile(join(root, "boot.json"), JSON.stringify({ bootId, claimFloorMs: 5 }));
    const again = await open();
    const [listed] = (await again.listChunks()).chunks;
    expect(listed?.unclaimedForMs).toBeGreaterThan(47 * HOUR_MS);
    expect(await again.deleteChunks([chunk.chunkId], { unclaimedForMs: HOUR_MS })).toEqual(["deleted"]);
  });

  test("a floor in the future, or a damaged one, is replaced by now", async () => {
    await (await open()).close();
    const path = join(root, "boot.json");
    const { bootId } = JSON.parse(await readFile(path, "utf8"));
    const future = systemClock.nowMs() + 100 * HOUR_MS;
    for (const text of [JSON.stringify({ bootId, claimFloorMs: future }), "{", JSON.stringify({ bootId })]) {
      await writeFile(path, text);
      await (await open()).close();
      expect(JSON.parse(await readFile(path, "utf8")).claimFloorMs).toBeLessThanOrEqual(systemClock.nowMs());
    }
  });
});
