import { fixed } from "@ashlar/sdk";
import { AshlarError } from "@ashlar/sdk/errors";
import { KIB } from "@ashlar/sdk/limits";
import type { ByteRange, LocatedChunk, ManifestPage, ObjectEngine, TransferProgress } from "@ashlar/sdk/ports";
import { describe, expect, test } from "vitest";
import { expectCode } from "../support/expect-code.ts";
import { dead, delayed, failing } from "../support/faulty-chunk-store.ts";
import { createMemoryCluster, type MemoryCluster } from "../support/memory-cluster.ts";
import { readAll, testBytes, testStream } from "../support/test-bytes.ts";

const CHUNK = 64 * KIB;
const ref = { bucket: "box", key: "wall" };

async function prepare(sizeBytes: number, nodeCount: number = 3): Promise<MemoryCluster> {
  const cluster = await createMemoryCluster({ nodeCount });
  await put(cluster, sizeBytes);
  return cluster;
}

function put(cluster: MemoryCluster, sizeBytes: number, seed: number = 1): Promise<unknown> {
  return cluster.engine.putObject({ ...ref, attributes: {}, chunker: fixed(CHUNK) }, testStream(sizeBytes, { seed }));
}

async function read(cluster: MemoryCluster, range?: ByteRange): Promise<Uint8Array> {
  return readAll((await cluster.engine.openObject({ ...ref, range })).read());
}

describe("a range", () => {
  const SIZE = 3 * CHUNK + 100;
  const bytes = testBytes(SIZE);
  const borders = [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK - 1, 2 * CHUNK, 3 * CHUNK, SIZE - 1];
  const pairs = borders.flatMap((start) => borders.filter((end) => end >= start).map((end) => [start, end] as const));

  test("between any two chunk borders gives just its bytes", async () => {
    const cluster = await prepare(SIZE);
    for (const [start, end] of pairs) {
      const range = { offset: start, length: end - start + 1 };
      expect(await read(cluster, range), `${start}-${end}`).toEqual(bytes.subarray(start, end + 1));
    }
    expect(pairs.length).toBe(45);
  });

  test("asks only for the chunks that it touches, and of those only for its bytes", async () => {
    const cluster = await prepare(SIZE, 1);
    const asked: number[] = [];
    cluster.nodes[0]!.faults.getChunk = async ({ pass }) => {
      const answer = await pass();
      asked.push(answer!.byteLength);
      return answer;
    };
    await read(cluster, { offset: CHUNK + 10, length: CHUNK });
    expect(asked.sort((a, b) => a - b)).toEqual([10, CHUNK - 10]);
  });

  test.each<[string, ByteRange, number, number]>([
    ["counted from the end", { offset: -10 }, SIZE - 10, 10],
    ["counted from the end, with a length", { offset: -10, length: 4 }, SIZE - 10, 4],
    ["of more than all, counted from the end", { offset: -2 * SIZE }, 0, SIZE],
    ["that ends past the end", { offset: SIZE - 5, length: 100 }, SIZE - 5, 5],
    ["without a length", { offset: SIZE - 5 }, SIZE - 5, 5],
    ["of no bytes", { offset: 10, length: 0 }, 10, 0],
    ["of no bytes at the end", { offset: SIZE, length: 0 }, SIZE, 0],
  ])("%s is cut to what there is", async (_, range, offset, length) => {
    const cluster = await prepare(SIZE);
    const opened = await cluster.engine.openObject({ ...ref, range });
    expect([opened.offset, opened.length]).toEqual([offset, length]);
    expect(await readAll(opened.read())).toEqual(bytes.subarray(offset, offset + length));
  });

  test.each<[string, ByteRange]>([
    ["at the end", { offset: SIZE }],
    ["past the end", { offset: SIZE + 1, length: 0 }],
    ["far past the end", { offset: 2 ** 50 }],
  ])("that starts %s is INVALID_RANGE", async (_, range) => {
    const cluster = await prepare(SIZE);
    const error = await expectCode(cluster.engine.openObject({ ...ref, range }), "INVALID_RANGE");
    expect(error.details.sizeBytes).toBe(String(SIZE));
  });

  test.each<[string, ByteRange]>([
    ["half a byte", { offset: 0.5 }],
    ["a negative length", { offset: 0, length: -1 }],
    ["no number", { offset: Number.NaN }],
    ["more than 2^53", { offset: 2 ** 53 }],
  ])("of %s is INVALID_ARGUMENT", async (_, range) => {
    const cluster = await prepare(SIZE);
    await expectCode(cluster.engine.openObject({ ...ref, range }), "INVALID_ARGUMENT");
  });

  test("of an empty object gives nothing, wherever it counts from", async () => {
    const cluster = await prepare(0);
    expect((await read(cluster, { offset: 0 })).byteLength).toBe(0);
    expect((await read(cluster, { offset: -1 })).byteLength).toBe(0);
  });

  test("of an inline object gives just its bytes", async () => {
    const cluster = await prepare(100);
    expect(await read(cluster, { offset: 10, length: 5 })).toEqual(testBytes(100).subarray(10, 15));
  });
});

describe("a read in progress", () => {
  test.each(["overwritten", "deleted"])("still gives the old bytes when the object is %s", async (what) => {
    const cluster = await prepare(8 * CHUNK);
    const opened = await cluster.engine.openObject(ref, { concurrency: 1 });
    const parts: Uint8Array[] = [];
    for await (const slice of opened.read()) {
      parts.push(slice);
      if (parts.length !== 1) continue;
      if (what === "deleted") await cluster.engine.deleteObject(ref);
      else await put(cluster, 8 * CHUNK, 2);
      // The collector keeps what was released less than the grace ago.
      await cluster.collect({ claimTtlMs: 0 });
    }
    expect(new Uint8Array(Buffer.concat(parts))).toEqual(testBytes(8 * CHUNK));
  });

  test("has no more than `concurrency` chunks on the way, and one given out, however slow its reader is", async () => {
    const cluster = await prepare(30 * CHUNK, 1);
    let asked = 0;
    cluster.nodes[0]!.faults.getChunk = ({ pass }) => {
      asked++;
      return pass();
    };
    const opened = await cluster.engine.openObject(ref, { concurrency: 3 });
    let given = 0;
    for await (const slice of opened.read()) {
      given += slice.byteLength / CHUNK;
      await new Promise((resolve) => setTimeout(resolve, 2));
      expect(asked - given).toBeLessThanOrEqual(3);
    }
    expect(asked).toBe(30);
  });

  test("has `concurrency` chunks on the way at once", async () => {
    const cluster = await prepare(12 * CHUNK, 1);
    let running = 0;
    let most = 0;
    cluster.nodes[0]!.faults.getChunk = async (call) => {
      most = Math.max(most, ++running);
      const bytes = await delayed<Uint8Array | undefined>(3)(call);
      running--;
      return bytes;
    };
    const opened = await cluster.engine.openObject(ref, { concurrency: 5 });
    expect(await readAll(opened.read())).toEqual(testBytes(12 * CHUNK));
    expect(most).toBe(5);
  });

  /** A budget of `chunksMax` chunks that never waits: `take` fails when there is no room. */
  function budgetOf(chunksMax: number) {
    const budget = {
      held: 0,
      most: 0,
      tryTake(bytes: number) {
        if (budget.held + bytes > chunksMax * CHUNK) return undefined;
        budget.held += bytes;
        budget.most = Math.max(budget.most, budget.held);
        return () => {
          budget.held -= bytes;
        };
      },
      async take(bytes: number) {
        const giveBack = budget.tryTake(bytes);
        if (giveBack === undefined) throw new AshlarError("OVERLOADED", "no room");
        return giveBack;
      },
    };
    return budget;
  }

  test("under a budget holds one chunk until its reader comes back, then more, and gives all back", async () => {
    const cluster = await prepare(20 * CHUNK);
    const budget = budgetOf(100);
    const opened = await cluster.engine.openObject(ref, { budget });
    const iterator = opened.read()[Symbol.asyncIterator]();
    expect(budget.most).toBe(0);
    const held: number[] = [];
    for (let next = await iterator.next(); next.done !== true; next = await iterator.next())
      held.push(budget.held / CHUNK);
    // The one that was yielded, and those ahead of it.
    expect(held.slice(0, 5)).toEqual([1, 2, 3, 4, 4]);
    expect(budget.held).toBe(0);
  });

  test("under a budget that others fill goes on with one chunk at a time", async () => {
    const cluster = await prepare(10 * CHUNK);
    const budget = budgetOf(1);
    expect(await readAll((await cluster.engine.openObject(ref, { budget })).read())).toEqual(testBytes(10 * CHUNK));
    expect([budget.most, budget.held]).toEqual([CHUNK, 0]);
  });

  test.each(["leaves", "is refused", "meets a missing chunk"])(
    "under a budget gives all back when its reader %s",
    async (how) => {
      const cluster = await prepare(10 * CHUNK, 1);
      const budget = budgetOf(how === "is refused" ? 0 : 3);
      if (how === "meets a missing chunk") cluster.nodes[0]!.chunks.delete([...cluster.nodes[0]!.chunks.keys()][2]!);
      const reading = (async () => {
        let count = 0;
        for await (const _ of (await cluster.engine.openObject(ref, { budget })).read())
          if (++count === 3) return "left";
        return "ended";
      })();
      const codes: Record<string, string> = { "is refused": "OVERLOADED", "meets a missing chunk": "CHUNK_MISSING" };
      if (how === "leaves") expect(await reading).toBe("left");
      else await expectCode(reading, codes[how] as "OVERLOADED");
      expect(budget.held).toBe(0);
    },
  );

  test("asks for nothing before its bytes are asked for", async () => {
    const cluster = await prepare(CHUNK);
    let asked = 0;
    for (const node of cluster.nodes) {
      node.faults.getChunk = ({ pass }) => {
        asked++;
        return pass();
      };
    }
    const opened = await cluster.engine.openObject(ref);
    opened.read();
    await new Promise((resolve) => setTimeout(resolve, 10));
    expect(asked).toBe(0);
  });

  test("ends all its transfers when the reader leaves the loop", async () => {
    const cluster = await prepare(8 * CHUNK, 1);
    let asked = 0;
    let aborted = 0;
    cluster.nodes[0]!.faults.getChunk = ({ pass, options }) => {
      options.signal?.addEventListener("abort", () => aborted++);
      return asked++ === 0 ? pass() : dead();
    };
    const opened = await cluster.engine.openObject(ref, { concurrency: 4 });
    for await (const slice of opened.read()) {
      expect(slice.byteLength).toBe(CHUNK);
      break;
    }
    expect(asked).toBeGreaterThanOrEqual(4);
    expect(aborted).toBe(asked);
  });

  test("can be read once", async () => {
    const cluster = await prepare(CHUNK);
    const opened = await cluster.engine.openObject(ref);
    await readAll(opened.read());
    expect(() => opened.read()).toThrow(expect.objectContaining({ code: "INVALID_ARGUMENT" }));
  });

  test("gives what came before a chunk that is missing, then fails", async () => {
    const cluster = await prepare(4 * CHUNK, 1);
    const stored = await cluster.metadata.getObject(ref);
    const third = Buffer.from(stored!.page!.chunks[2]!.chunkId).toString("hex");
    cluster.nodes[0]!.chunks.delete(third);
    let received = 0;
    const opened = await cluster.engine.openObject(ref);
    const reading = (async () => {
      for await (const slice of opened.read()) received += slice.byteLength;
    })();
    await expectCode(reading, "CHUNK_MISSING");
    expect(received).toBe(2 * CHUNK);
  });

  test("reads manifests of several pages", async () => {
    const cluster = await createMemoryCluster({ nodeCount: 1 });
    let pages = 0;
    const engine = cluster.newEngine({
      catalog: {
        ...cluster.metadata,
        getObject: (query, options) => cluster.metadata.getObject({ ...query, chunkLimit: 3 }, options),
        getManifestPage: (query, options) => {
          pages++;
          if (pages === 1) return failing("METADATA_UNAVAILABLE")();
          return cluster.metadata.getManifestPage({ ...query, limit: 3 }, options);
        },
      },
    });
    await put(cluster, 10 * CHUNK + 1);
    const opened = await engine.openObject(ref);
    expect(await readAll(opened.read())).toEqual(testBytes(10 * CHUNK + 1));
    expect(pages).toBe(4);
    const late = await engine.openObject({ ...ref, range: { offset: 9 * CHUNK + 5 } });
    expect(await readAll(late.read())).toEqual(testBytes(10 * CHUNK + 1).subarray(9 * CHUNK + 5));
  });
});

describe("a manifest whose pages do not fit", () => {
  const SIZE = 10 * CHUNK;
  const cutShort = (page: ManifestPage): ManifestPage => ({ chunks: page.chunks.slice(0, -1) });
  const change = (page: ManifestPage, index: number, by: Partial<LocatedChunk>): ManifestPage => ({
    ...page,
    chunks: page.chunks.map((chunk, at) => (at === index ? { ...chunk, ...by } : chunk)),
  });
  const moved = (page: ManifestPage, by: number): ManifestPage => ({
    ...page,
    chunks: page.chunks.map((chunk) => ({ ...chunk, offset: chunk.offset + by })),
  });

  /** What a catalog may say of the page that begins at an offset; each is wrong. */
  const FAULTS: Readonly<Record<string, (page: ManifestPage, fromOffset: number) => ManifestPage>> = {
    "ends early": cutShort,
    "is empty": () => ({ chunks: [] }),
    "is empty and names a next one": (_, fromOffset) => ({ chunks: [], nextOffset: fromOffset }),
    "lacks a chunk": (page) => ({ ...page, chunks: page.chunks.toSpliced(1, 1) }),
    "has a chunk twice": (page) => ({ ...page, chunks: page.chunks.toSpliced(1, 0, page.chunks[0]!) }),
    "has two chunks exchanged": (page) => ({ ...page, chunks: page.chunks.toReversed() }),
    "has a chunk of no bytes": (page) => change(page, 1, { sizeBytes: 0 }),
    "has a chunk that overlaps the next one": (page) => change(page, 0, { sizeBytes: CHUNK + 1 }),
    "has a chunk at another offset": (page) => change(page, 1, { offset: page.chunks[1]!.offset + 64 }),
    "begins later": (page) => moved(page, CHUNK),
    "begins earlier": (page) => moved(page, -CHUNK),
    "names a wrong next one": (page) => ({ ...page, nextOffset: (page.nextOffset ?? 0) + CHUNK }),
    "names itself as the next one": (page, fromOffset) => ({ ...page, nextOffset: fromOffset }),
  };

  /** Seen only by a reader that goes on past the page. */
  const SEEN_BEYOND = new Set(["begins earlier", "names a wrong next one", "names itself as the next one"]);

  async function damaged(fault: (page: ManifestPage, fromOffset: number) => ManifestPage, from: number) {
    const cluster = await createMemoryCluster({ nodeCount: 1 });
    await put(cluster, SIZE);
    return cluster.newEngine({
      catalog: {
        ...cluster.metadata,
        async getObject(query, options) {
          const stored = await cluster.metadata.getObject({ ...query, chunkLimit: 3 }, options);
          if (stored?.page === undefined || (query.fromOffset ?? 0) < from) return stored;
          return { ...stored, page: fault(stored.page, query.fromOffset ?? 0) };
        },
        async getManifestPage(query, options) {
          const page = await cluster.metadata.getManifestPage({ ...query, limit: 3 }, options);
          return query.fromOffset < from ? page : fault(page, query.fromOffset);
        },
      },
    });
  }

  const attempt = async (engine: ObjectEngine, range?: ByteRange): Promise<Uint8Array> =>
    await readAll((await engine.openObject({ ...ref, range })).read());

  for (const [name, fault] of Object.entries(FAULTS)) {
    test(`because one ${name} is METADATA_CORRUPT, never bytes`, async () => {
      for (const from of [0, 3 * CHUNK]) {
        const engine = await damaged(fault, from);
        const within = { offset: from + 5, length: 2 * CHUNK };
        const ranges = [undefined, { offset: from + 5 }, ...(SEEN_BEYOND.has(name) ? [] : [within])];
        for (const range of ranges) {
          const failure = await attempt(engine, range).catch((error: AshlarError) => error);
          const { code, details } = failure instanceof AshlarError ? failure : { code: "bytes", details: {} };
          const found = { code, ...details };
          const expected = { code: "METADATA_CORRUPT", ...ref, offset: expect.any(String) as string };
          expect(found, `${name}, from ${from}, ${JSON.stringify(range)}`).toEqual(expected);
        }
      }
    });
  }

  test("because it is longer than the object is METADATA_CORRUPT", async () => {
    const cluster = await prepare(SIZE);
    const engine = cluster.newEngine({
      catalog: {
        ...cluster.metadata,
        async getObject(query, options) {
          const stored = await cluster.metadata.getObject(query, options);
          return stored && { ...stored, info: { ...stored.info, sizeBytes: SIZE - 7 } };
        },
      },
    });
    await expectCode(attempt(engine), "METADATA_CORRUPT");
  });
});

describe("progress of a download", () => {
  test("never goes back and ends with the length, also when replicas fail on the way", async () => {
    const cluster = await prepare(12 * CHUNK);
    let asked = 0;
    for (const node of cluster.nodes) {
      node.faults.getChunk = (call) =>
        ++asked % 4 === 0 ? failing("CHUNK_CORRUPT")() : delayed<Uint8Array | undefined>(10)(call);
    }
    const events: TransferProgress[] = [];
    const opened = await cluster.engine.openObject(
      { ...ref, range: { offset: 5 } },
      { onProgress: (event) => events.push(event), concurrency: 2 },
    );
    const bytes = await readAll(opened.read());
    expect(bytes).toEqual(testBytes(12 * CHUNK).subarray(5));
    expect(events.length).toBeGreaterThan(1);
    for (let index = 1; index < events.length; index++) {
      expect(events[index]!.transferredBytes).toBeGreaterThan(events[index - 1]!.transferredBytes);
    }
    expect(events.at(-1)).toEqual({ transferredBytes: bytes.byteLength, totalBytes: bytes.byteLength });
  });

  test.each([0, 10])("of %i inline bytes is reported once", async (sizeBytes) => {
    const cluster = await prepare(sizeBytes);
    const events: TransferProgress[] = [];
    const opened = await cluster.engine.openObject(ref, { onProgress: (event) => events.push(event) });
    await readAll(opened.read());
    expect(events).toEqual([{ transferredBytes: sizeBytes, totalBytes: sizeBytes }]);
  });
});

describe("a progress callback of a download", () => {
  test.each([0, 10, CHUNK, 3 * CHUNK])(
    "that throws once ends the read of %i bytes with that error",
    async (sizeBytes) => {
      const cluster = await prepare(sizeBytes);
      const own = new Error("the app's own bug");
      let events = 0;
      const onProgress = (): void => {
        if (events++ === 0) throw own;
      };
      const opened = await cluster.engine.openObject(ref, { onProgress });
      const error = await expectCode(readAll(opened.read()), "INVALID_ARGUMENT");
      expect(error.cause).toBe(own);
      expect(events).toBe(1);
    },
  );
});

describe("the condition of a read", () => {
  test("ifMatch refuses another object version, ifNoneMatch tells that the caller's copy is current", async () => {
    const cluster = await prepare(10);
    const { etag } = await cluster.engine.headObject(ref);
    for (const ask of [
      (condition: { ifMatch?: string; ifNoneMatch?: string }) => cluster.engine.openObject({ ...ref, condition }),
      (condition: { ifMatch?: string; ifNoneMatch?: string }) => cluster.engine.headObject({ ...ref, condition }),
    ]) {
      await ask({ ifMatch: etag });
      await ask({ ifMatch: "*" });
      await ask({ ifNoneMatch: "other" });
      await expectCode(ask({ ifMatch: "other" }), "PRECONDITION_FAILED");
      await expectCode(ask({ ifNoneMatch: etag }), "NOT_MODIFIED");
      await expectCode(ask({ ifNoneMatch: "*" }), "NOT_MODIFIED");
    }
  });

  test("an object that is not there is OBJECT_NOT_FOUND, a bucket BUCKET_NOT_FOUND", async () => {
    const cluster = await prepare(10);
    await expectCode(cluster.engine.openObject({ ...ref, key: "no" }), "OBJECT_NOT_FOUND");
    await expectCode(cluster.engine.openObject({ ...ref, bucket: "nowhere" }), "BUCKET_NOT_FOUND");
  });
});
