import { fixed } from "@ashlar/sdk";
import { KIB } from "@ashlar/sdk/limits";
import type { ByteRange, TransferProgress } from "@ashlar/sdk/ports";
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
  return cluster.backend.putObject({ ...ref, attributes: {}, chunker: fixed(CHUNK) }, testStream(sizeBytes, { seed }));
}

async function read(cluster: MemoryCluster, range?: ByteRange): Promise<Uint8Array> {
  return readAll((await cluster.backend.openObject({ ...ref, range })).read());
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
    const opened = await cluster.backend.openObject({ ...ref, range });
    expect([opened.offset, opened.length]).toEqual([offset, length]);
    expect(await readAll(opened.read())).toEqual(bytes.subarray(offset, offset + length));
  });

  test.each<[string, ByteRange]>([
    ["at the end", { offset: SIZE }],
    ["past the end", { offset: SIZE + 1, length: 0 }],
    ["far past the end", { offset: 2 ** 50 }],
  ])("that starts %s is INVALID_RANGE", async (_, range) => {
    const cluster = await prepare(SIZE);
    const error = await expectCode(cluster.backend.openObject({ ...ref, range }), "INVALID_RANGE");
    expect(error.details.sizeBytes).toBe(String(SIZE));
  });

  test.each<[string, ByteRange]>([
    ["half a byte", { offset: 0.5 }],
    ["a negative length", { offset: 0, length: -1 }],
    ["no number", { offset: Number.NaN }],
    ["more than 2^53", { offset: 2 ** 53 }],
  ])("of %s is INVALID_ARGUMENT", async (_, range) => {
    const cluster = await prepare(SIZE);
    await expectCode(cluster.backend.openObject({ ...ref, range }), "INVALID_ARGUMENT");
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
    const opened = await cluster.backend.openObject(ref, { concurrency: 1 });
    const parts: Uint8Array[] = [];
    for await (const slice of opened.read()) {
      parts.push(slice);
      if (parts.length !== 1) continue;
      if (what === "deleted") await cluster.backend.deleteObject(ref);
      else await put(cluster, 8 * CHUNK, 2);
      // The collector keeps what was released less than the grace ago.
      await cluster.collect({ claimTtlMs: 0 });
    }
    expect(new Uint8Array(Buffer.concat(parts))).toEqual(testBytes(8 * CHUNK));
  });

  test("has no more than `concurrency` chunks on the way, and one given, however slow its reader", async () => {
    const cluster = await prepare(30 * CHUNK, 1);
    let asked = 0;
    cluster.nodes[0]!.faults.getChunk = ({ pass }) => {
      asked++;
      return pass();
    };
    const opened = await cluster.backend.openObject(ref, { concurrency: 3 });
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
    const opened = await cluster.backend.openObject(ref, { concurrency: 5 });
    expect(await readAll(opened.read())).toEqual(testBytes(12 * CHUNK));
    expect(most).toBe(5);
  });

  test("asks for nothing before its bytes are asked for", async () => {
    const cluster = await prepare(CHUNK);
    let asked = 0;
    for (const node of cluster.nodes) {
      node.faults.getChunk = ({ pass }) => {
        asked++;
        return pass();
      };
    }
    const opened = await cluster.backend.openObject(ref);
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
    const opened = await cluster.backend.openObject(ref, { concurrency: 4 });
    for await (const slice of opened.read()) {
      expect(slice.byteLength).toBe(CHUNK);
      break;
    }
    expect(asked).toBeGreaterThanOrEqual(4);
    expect(aborted).toBe(asked);
  });

  test("can be read once", async () => {
    const cluster = await prepare(CHUNK);
    const opened = await cluster.backend.openObject(ref);
    await readAll(opened.read());
    expect(() => opened.read()).toThrow(expect.objectContaining({ code: "INVALID_ARGUMENT" }));
  });

  test("gives what came before a chunk that is missing, then fails", async () => {
    const cluster = await prepare(4 * CHUNK, 1);
    const stored = await cluster.metadata.getObject(ref);
    const third = Buffer.from(stored!.page!.chunks[2]!.chunkId).toString("hex");
    cluster.nodes[0]!.chunks.delete(third);
    let received = 0;
    const opened = await cluster.backend.openObject(ref);
    const reading = (async () => {
      for await (const slice of opened.read()) received += slice.byteLength;
    })();
    await expectCode(reading, "CHUNK_MISSING");
    expect(received).toBe(2 * CHUNK);
  });

  test("reads manifests of several pages", async () => {
    const cluster = await createMemoryCluster({ nodeCount: 1 });
    let pages = 0;
    const backend = cluster.engine({
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
    const opened = await backend.openObject(ref);
    expect(await readAll(opened.read())).toEqual(testBytes(10 * CHUNK + 1));
    expect(pages).toBe(4);
    const late = await backend.openObject({ ...ref, range: { offset: 9 * CHUNK + 5 } });
    expect(await readAll(late.read())).toEqual(testBytes(10 * CHUNK + 1).subarray(9 * CHUNK + 5));
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
    const opened = await cluster.backend.openObject(
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

  test.each([0, 10])("of %i inline bytes is told once", async (sizeBytes) => {
    const cluster = await prepare(sizeBytes);
    const events: TransferProgress[] = [];
    const opened = await cluster.backend.openObject(ref, { onProgress: (event) => events.push(event) });
    await readAll(opened.read());
    expect(events).toEqual([{ transferredBytes: sizeBytes, totalBytes: sizeBytes }]);
  });
});

describe("the condition of a read", () => {
  test("ifMatch refuses another version, ifNoneMatch tells that the caller's copy is current", async () => {
    const cluster = await prepare(10);
    const { etag } = await cluster.backend.headObject(ref);
    for (const ask of [
      (condition: { ifMatch?: string; ifNoneMatch?: string }) => cluster.backend.openObject({ ...ref, condition }),
      (condition: { ifMatch?: string; ifNoneMatch?: string }) => cluster.backend.headObject({ ...ref, condition }),
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
    await expectCode(cluster.backend.openObject({ ...ref, key: "no" }), "OBJECT_NOT_FOUND");
    await expectCode(cluster.backend.openObject({ ...ref, bucket: "nowhere" }), "BUCKET_NOT_FOUND");
  });
});
