import { copyFile, mkdir, readdir, readFile, rename, rm, symlink, truncate, writeFile } from "node:fs/promises";
import { basename, dirname, join, relative } from "node:path";
import { crc32 } from "node:zlib";
import { type ScrubFault, type ScrubOptions, type ScrubReport, scrub } from "@ashlar/sdk/engine";
import { type Digest, encodeHex } from "@ashlar/sdk/hash";
import { type ScrubProgress, systemClock } from "@ashlar/sdk/ports";
import { type TestChunk, testChunks } from "@ashlar/sdk/testing";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { encodeTrailer } from "./chunk-format.ts";
import { type FileSystem, nodejsFileSystem } from "./file-system.ts";
import { openFsChunkStore } from "./index.ts";
import { chunkPath, createFsSubject, flipBitOnDisk } from "./testing/fs-subject.ts";

const BLOCK_BYTES = 65_536;
const SIZE_BYTES = 10 * BLOCK_BYTES + 500;
const COUNT = 12;

let subject: Awaited<ReturnType<typeof createFsSubject>>;
/** In the order of their ids. */
let chunks: readonly TestChunk[];
let faults: ScrubFault[];
/** Which files the disk does not give back, and why. */
let failing: ((path: string) => string | undefined) | undefined;

/** The real file system, whose reads may fail. */
const failingFileSystem: FileSystem = {
  ...nodejsFileSystem,
  open: (async (path: string, ...rest: []) => {
    const errno = failing?.(String(path));
    const handle = await nodejsFileSystem.open(path, ...rest);
    if (errno === undefined) return handle;
    handle.read = (async () => {
      throw Object.assign(new Error(errno), { code: errno, syscall: "read" });
    }) as unknown as typeof handle.read;
    return handle;
  }) as FileSystem["open"],
};

beforeEach(async () => {
  failing = undefined;
  faults = [];
  subject = await createFsSubject({ fileSystem: failingFileSystem, durability: "os" });
  const made = await testChunks(COUNT, SIZE_BYTES);
  chunks = [...made].sort((a, b) => Buffer.compare(a.chunkId, b.chunkId));
  for (const { chunkId, bytes } of chunks) await subject.store.putChunk(chunkId, bytes);
});

afterEach(() => subject.dispose());

const pathOf = ({ chunkId }: TestChunk): string => chunkPath(subject.root, chunkId);
const quarantined = (): Promise<readonly string[]> => readdir(join(subject.root, "quarantine")).catch(() => []);

function pass(options: Partial<ScrubOptions> = {}): Promise<ScrubReport> {
  const { store } = subject;
  const onFault = (fault: ScrubFault): void => void faults.push(fault);
  return scrub({ store, clock: systemClock, bytesPerSecond: Number.POSITIVE_INFINITY, onFault, ...options });
}

/** The pass finds exactly this chunk damaged, which is put aside and absent, while all others stay. */
async function expectFound(hurt: TestChunk, problem: RegExp): Promise<void> {
  const { progress, endedBy } = await pass();
  expect({ ...progress, endedBy }).toMatchObject({ chunkCount: COUNT, damagedCount: 1, endedBy: "end" });
  expect(faults).toEqual([{ kind: "damaged", chunkId: hurt.chunkId, problem: expect.stringMatching(problem) }]);
  const aside = await quarantined();
  expect(aside).toHaveLength(1);
  expect(aside[0]?.startsWith(encodeHex(hurt.chunkId))).toBe(true);
  expect(await subject.store.lostChunks()).toEqual([hurt.chunkId]);
  for (const chunk of chunks) {
    const there = await subject.store.getChunk(chunk.chunkId);
    expect(there === undefined).toBe(chunk === hurt);
  }
  // A second pass has nothing left to find.
  faults = [];
  expect((await pass()).progress).toMatchObject({ chunkCount: COUNT - 1, damagedCount: 0 });
  expect(faults).toEqual([]);
}

describe("a pass finds", () => {
  const hurtOne = (): TestChunk => chunks[5]!;
  const positions: Readonly<Record<string, (sizeBytes: number) => number>> = {
    "a bit flipped at the start": () => 0,
    "a bit flipped in a middle block": () => 5 * BLOCK_BYTES + 77,
    "a bit flipped in the last byte": (sizeBytes) => sizeBytes - 1,
    "a bit flipped in a checksum": (sizeBytes) => sizeBytes,
    "a bit flipped in the last byte of the file": (sizeBytes) => sizeBytes + 11 * 4 + 63,
  };
  for (const [what, positionIn] of Object.entries(positions)) {
    test(what, async () => {
      await flipBitOnDisk(pathOf(hurtOne()), positionIn(hurtOne().bytes.byteLength));
      await expectFound(hurtOne(), /./);
    });
  }

  for (const length of [0, 63, 1000, SIZE_BYTES, SIZE_BYTES + 44]) {
    test(`a file that was cut to ${length} bytes`, async () => {
      await truncate(pathOf(hurtOne()), length);
      await expectFound(hurtOne(), /./);
    });
  }

  test("a file that was lengthened", async () => {
    await truncate(pathOf(hurtOne()), SIZE_BYTES + 5000);
    await expectFound(hurtOne(), /./);
  });

  test("other bytes whose block checksums fit: only the digest tells", async () => {
    const payload = hurtOne().bytes.slice();
    payload[10] = payload[10]! ^ 1;
    const checksums = Array.from({ length: 11 }, (_, index) =>
      crc32(payload.subarray(index * BLOCK_BYTES, (index + 1) * BLOCK_BYTES)),
    );
    await writeFile(
      pathOf(hurtOne()),
      Buffer.concat([payload, encodeTrailer(hurtOne().chunkId, payload.byteLength, checksums)]),
    );
    await expectFound(hurtOne(), /another digest/);
  });

  test("another chunk's file under its name", async () => {
    await copyFile(pathOf(chunks[6]!), pathOf(hurtOne()));
    await expectFound(hurtOne(), /another chunk/);
  });

  test("a folder under its name, which no listing shows", async () => {
    await rm(pathOf(hurtOne()));
    await mkdir(pathOf(hurtOne()));
    await expectFound(hurtOne(), /no file/);
  });

  test("a link under its name", async () => {
    await rename(pathOf(hurtOne()), join(subject.root, "elsewhere"));
    await symlink(join(subject.root, "elsewhere"), pathOf(hurtOne()));
    await expectFound(hurtOne(), /no file/);
  });

  test("the first and the last chunk too", async () => {
    for (const chunk of [chunks[0]!, chunks.at(-1)!]) await flipBitOnDisk(pathOf(chunk), 1);
    await pass();
    expect(faults.map(({ chunkId }) => chunkId)).toEqual([chunks[0]!.chunkId, chunks.at(-1)!.chunkId]);
  });

  test("entries that are no chunks, each once, and leaves them where they are", async () => {
    const leaf = dirname(pathOf(hurtOne()));
    const moved = join(dirname(leaf), basename(pathOf(hurtOne())));
    await rename(pathOf(hurtOne()), moved);
    const other = dirname(pathOf(chunks[8]!));
    await copyFile(pathOf(chunks[7]!), join(other, basename(pathOf(chunks[7]!))));
    const strays = [
      moved,
      join(other, basename(pathOf(chunks[7]!))),
      join(other, "README"),
      join(subject.root, "chunks", "notes"),
    ];
    for (const path of strays.slice(2)) await writeFile(path, "hello");
    expect((await pass()).progress).toMatchObject({ chunkCount: COUNT - 1, damagedCount: 0 });
    expect(faults.every(({ kind }) => kind === "stray")).toBe(true);
    expect(faults.map(({ path }) => path).sort()).toEqual(strays.map((path) => relative(subject.root, path)).sort());
    for (const path of strays) await readFile(path);
    expect(await quarantined()).toEqual([]);
  });
});

describe("a file that the disk does not give back", () => {
  const cannotRead = (...hurt: readonly TestChunk[]): void => {
    const paths = new Set(hurt.map(pathOf));
    failing = (path) => (paths.has(path) ? "EIO" : undefined);
  };

  test("is put aside once another one could be read, and can be put again", async () => {
    cannotRead(chunks[3]!, chunks[4]!);
    const { progress, endedBy } = await pass();
    expect({ ...progress, endedBy }).toMatchObject({ chunkCount: COUNT, damagedCount: 2, endedBy: "end" });
    expect(faults.map(({ kind, problem }) => `${kind}: ${problem}`)).toEqual(
      Array.from({ length: 2 }, () => "damaged: it cannot be read: EIO"),
    );
    failing = undefined;
    expect(await subject.store.lostChunks()).toEqual([chunks[3]!.chunkId, chunks[4]!.chunkId]);
    const { chunkId, bytes } = chunks[3]!;
    expect(await subject.store.putChunk(chunkId, bytes)).toMatchObject({ alreadyPresent: false });
  });

  test("and that is the last one of all is put aside too", async () => {
    cannotRead(chunks.at(-1)!);
    expect((await pass()).progress).toMatchObject({ damagedCount: 1 });
    expect(await subject.store.lostChunks()).toEqual([chunks.at(-1)!.chunkId]);
  });

  test("and that can be read the second time is sound", async () => {
    let tries = 0;
    failing = (path) => (path === pathOf(chunks[3]!) && tries++ === 0 ? "EIO" : undefined);
    expect((await pass()).progress).toMatchObject({ chunkCount: COUNT, damagedCount: 0 });
    expect(faults).toEqual([]);
  });

  test("because this process may not read it stays where it is", async () => {
    failing = (path) => (path === pathOf(chunks[3]!) ? "EACCES" : undefined);
    expect((await pass()).progress).toMatchObject({ damagedCount: 1 });
    expect(faults).toMatchObject([{ kind: "unreadable", problem: expect.stringContaining("EACCES") }]);
    expect(await quarantined()).toEqual([]);
  });

  test("nor any other is a failing disk: the pass stops, nothing is put aside, and it goes on there later", async () => {
    const checked: ScrubProgress[] = [];
    const onProgress = (progress: ScrubProgress): void => void checked.push(progress);
    failing = (path) => (chunks.slice(2).some((chunk) => pathOf(chunk) === path) ? "EIO" : undefined);
    const { progress, endedBy } = await pass({ onProgress });
    expect(endedBy).toBe("disk");
    expect(progress).toMatchObject({ chunkCount: 2, damagedCount: 0, lastChunkId: encodeHex(chunks[1]!.chunkId) });
    expect(checked.at(-1)).toEqual(progress);
    expect(faults).toEqual([]);
    expect(await quarantined()).toEqual([]);
    failing = undefined;
    expect(await pass({ from: progress })).toMatchObject({ progress: { chunkCount: COUNT }, endedBy: "end" });
  });

  test("because the process has no more files ends the pass with an error, and says nothing about the file", async () => {
    failing = (path) => (path === pathOf(chunks[3]!) ? "EMFILE" : undefined);
    await expect(pass()).rejects.toMatchObject({ code: "OVERLOADED" });
    expect(faults).toEqual([]);
  });
});

describe("a pass that was interrupted", () => {
  test("goes on behind the chunk that it checked last, on later pages too", async () => {
    const seen: string[] = [];
    const progresses: ScrubProgress[] = [];
    const { store } = subject;
    // Small pages, which the pass takes as they come.
    const paged: typeof store = Object.assign(Object.create(store) as typeof store, {
      listChunks: (options?: Parameters<typeof store.listChunks>[0]) => store.listChunks({ ...options, limit: 5 }),
      scrubChunk: (chunkId: Digest, options?: Parameters<typeof store.scrubChunk>[1]) => {
        seen.push(encodeHex(chunkId));
        return store.scrubChunk(chunkId, options);
      },
      lostChunks: () => store.lostChunks(),
    });
    const onProgress = (progress: ScrubProgress): void => void progresses.push(progress);
    expect(await pass({ store: paged, onProgress })).toMatchObject({ progress: { chunkCount: COUNT } });
    const all = chunks.map(({ chunkId }) => encodeHex(chunkId));
    expect(seen).toEqual(all);
    for (const [index, from] of progresses.entries()) {
      seen.length = 0;
      // As it comes out of the file where it was kept.
      await store.writeScrubRecord({ sinceMs: 0, current: from });
      const { current } = (await store.readScrubRecord())!;
      expect(await pass({ store: paged, from: current })).toMatchObject({ progress: { chunkCount: COUNT } });
      expect(seen).toEqual(all.slice(index + 1));
    }
  });

  test("begins anew if what was kept of it is lost or odd", async () => {
    const file = join(subject.root, "scrub.json");
    const known = { format: "ashlar-scrub", formatVersion: 1, sinceMs: 1 };
    const counts = { startedAtMs: 1, chunkCount: 1, byteCount: 1, damagedCount: 0 };
    const odd = [
      "",
      "{",
      "[]",
      "null",
      '"x"',
      JSON.stringify({ ...known, formatVersion: 2 }),
      JSON.stringify({ ...known, sinceMs: -1 }),
    ];
    for (const text of odd) {
      await writeFile(file, text);
      expect(await subject.store.readScrubRecord(), text).toBeUndefined();
    }
    for (const current of [
      5,
      null,
      {},
      { ...counts, chunkCount: "1" },
      { ...counts, lastChunkId: "../x" },
      { ...counts, pageCursor: 5 },
    ]) {
      await writeFile(file, JSON.stringify({ ...known, current, last: { ...counts, endedAtMs: "now" } }));
      expect(await subject.store.readScrubRecord()).toEqual({ sinceMs: 1 });
    }
    await rm(file);
    expect(await subject.store.readScrubRecord()).toBeUndefined();
  });
});

test("chunks that are deleted, written and put aside by others while a pass runs are no damage", async () => {
  const other = await openFsChunkStore({ path: subject.root, durability: "os" });
  try {
    let stop = false;
    const churn = (async () => {
      while (!stop) {
        for (const { chunkId, bytes } of chunks) {
          await other.deleteChunks([chunkId], { unclaimedForMs: 0 });
          await other.putChunk(chunkId, bytes);
        }
      }
    })();
    for (let round = 0; round < 20; round++) expect(await pass()).toMatchObject({ progress: { damagedCount: 0 } });
    stop = true;
    await churn;
    expect(faults).toEqual([]);
    expect(await quarantined()).toEqual([]);
    for (const { chunkId, bytes } of chunks) expect(await subject.store.getChunk(chunkId)).toEqual(bytes);
  } finally {
    await other.close();
  }
});

test("a pass reads no faster than it may, and waits without work between its reads", async () => {
  const slept: number[] = [];
  let nowMs = 0;
  const clock = {
    nowMs: () => 0,
    monotonicMs: () => nowMs,
    sleep: async (ms: number) => {
      slept.push(ms);
      nowMs += ms;
    },
  };
  await pass({ clock, bytesPerSecond: 1_000_000 });
  // Every byte, and for each file what opening it costs; the last read is not waited for.
  const costMs = (COUNT * (SIZE_BYTES + BLOCK_BYTES)) / 1000;
  expect(nowMs).toBeGreaterThan(costMs - SIZE_BYTES / 1000 - 1);
  expect(nowMs).toBeLessThanOrEqual(costMs + 1);
  expect(Math.max(...slept)).toBeLessThanOrEqual(SIZE_BYTES / 1000 + 1);
});
