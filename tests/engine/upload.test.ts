import { type Chunker, fixed } from "@ashlar/sdk";
import { AshlarError } from "@ashlar/sdk/errors";
import { KIB, LIMITS } from "@ashlar/sdk/limits";
import type { PutObjectRequest, TransferOptions, TransferProgress } from "@ashlar/sdk/ports";
import { describe, expect, test } from "vitest";
import { endlessSlices, scriptedBody, slices } from "../support/bodies.ts";
import { expectCode, expectPrompt } from "../support/expect-code.ts";
import { dead, delayed, failing } from "../support/faulty-chunk-store.ts";
import { createMemoryCluster, type MemoryCluster } from "../support/memory-cluster.ts";
import { noJitter } from "../support/seeded-random.ts";
import { readAll, sha256Hex, testBytes, testStream } from "../support/test-bytes.ts";

const CHUNK = 64 * KIB;
const ref = { bucket: "box", key: "wall" };

function put(
  cluster: MemoryCluster,
  body: AsyncIterable<Uint8Array>,
  request: Partial<PutObjectRequest> = {},
  options: TransferOptions = {},
): ReturnType<typeof cluster.engine.putObject> {
  return cluster.engine.putObject({ ...ref, attributes: {}, chunker: fixed(CHUNK), ...request }, body, options);
}

async function read(cluster: MemoryCluster): Promise<Uint8Array> {
  return readAll((await cluster.engine.openObject(ref)).read());
}

const chunkCount = (cluster: MemoryCluster): number => cluster.nodes.reduce((sum, node) => sum + node.chunks.size, 0);

describe("an upload", () => {
  const sizes = [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 5 * CHUNK, 5 * CHUNK + 7];
  test.each(sizes)("of %i bytes comes back as it was, with its digest", async (sizeBytes) => {
    const cluster = await createMemoryCluster({ inlineMaxBytes: 0 });
    const bytes = testBytes(sizeBytes);
    const outcome = await put(cluster, testStream(sizeBytes, { sliceBytes: 10_000 }));
    expect(outcome.sizeBytes).toBe(sizeBytes);
    expect(outcome.sha256).toBe(sha256Hex(bytes));
    expect(outcome.chunkCount).toBe(Math.ceil(sizeBytes / CHUNK));
    expect(await read(cluster)).toEqual(bytes);
  });

  test.each([-1, 0, 1])("of INLINE_MAX_BYTES %i bytes goes inline up to the limit and not above", async (delta) => {
    const cluster = await createMemoryCluster();
    const sizeBytes = LIMITS.INLINE_MAX_BYTES + delta;
    const outcome = await put(cluster, testStream(sizeBytes));
    expect(outcome.chunkCount).toBe(delta <= 0 ? 0 : 1);
    expect(chunkCount(cluster)).toBe(delta <= 0 ? 0 : 3);
    expect(await read(cluster)).toEqual(testBytes(sizeBytes));
  });

  test("gives the same bytes the same etag, however they were sliced, and other bytes another", async () => {
    const cluster = await createMemoryCluster();
    const first = await put(cluster, testStream(3 * CHUNK, { sliceBytes: 100 }));
    const second = await put(cluster, testStream(3 * CHUNK, { sliceBytes: CHUNK * 4 }));
    const third = await put(cluster, testStream(3 * CHUNK, { seed: 2 }));
    expect(second.etag).toBe(first.etag);
    expect(third.etag).not.toBe(first.etag);
  });

  test("shows nothing before the commit: neither by head, nor in a listing", async () => {
    const cluster = await createMemoryCluster();
    let seen = 0;
    const body = async function* (): AsyncGenerator<Uint8Array> {
      yield* slices(4, CHUNK);
      await expect.poll(() => chunkCount(cluster)).toBeGreaterThan(0);
      await expectCode(cluster.engine.headObject(ref), "OBJECT_NOT_FOUND");
      expect((await cluster.engine.listObjects({ bucket: "box" })).objects).toEqual([]);
      seen++;
      yield testBytes(10);
    };
    await put(cluster, body());
    expect(seen).toBe(1);
    expect((await cluster.engine.headObject(ref)).sizeBytes).toBe(4 * CHUNK + 10);
  });

  test("sends a chunk that repeats once", async () => {
    const cluster = await createMemoryCluster();
    let puts = 0;
    for (const node of cluster.nodes) {
      node.faults.putChunk = ({ pass }) => {
        puts++;
        return pass();
      };
    }
    const body = new Uint8Array(10 * CHUNK + 5).fill(3);
    const outcome = await put(cluster, scriptedBody([body]));
    expect(outcome).toMatchObject({ chunkCount: 11, deduplicatedBytes: 9 * CHUNK, sizeBytes: body.byteLength });
    expect(puts).toBe(2 * 3);
    expect(await read(cluster)).toEqual(body);
  });

  test("of many chunks goes through few buffers, and keeps none that a replica may still be reading", async () => {
    const cluster = await createMemoryCluster();
    const buffers = new Set<ArrayBufferLike>();
    const late: { readonly bytes: Uint8Array; readonly digest: string }[] = [];
    const [slow] = cluster.nodes;
    for (const node of cluster.nodes) {
      node.faults.putChunk = (call) => {
        const bytes = call.bytes as Uint8Array;
        buffers.add(bytes.buffer);
        if (node !== slow || buffers.size < 2 || late.length === 2) return call.pass();
        // A replica that gets stuck, and looks at what it was given when the upload is over.
        late.push({ bytes, digest: sha256Hex(bytes) });
        return dead();
      };
    }
    const sizeBytes = 40 * CHUNK + 9;
    const outcome = await put(cluster, testStream(sizeBytes, { sliceBytes: 50_000 }), {}, { concurrency: 2 });
    expect(outcome).toMatchObject({ chunkCount: 41, sha256: sha256Hex(testBytes(sizeBytes)) });
    expect(late).toHaveLength(2);
    for (const { bytes, digest } of late) expect(sha256Hex(bytes)).toBe(digest);
    // Two in flight, one that is being filled, the first, the short last one, and those that the hanging replica keeps.
    expect(buffers.size).toBeLessThanOrEqual(5 + late.length);
    expect(await read(cluster)).toEqual(testBytes(sizeBytes));
  });

  test("that fails leaves the object that it would have replaced as it was", async () => {
    const cluster = await createMemoryCluster();
    await put(cluster, testStream(100));
    await expectCode(put(cluster, scriptedBody([...slices(3, CHUNK), new Error("disk on fire")])), "INVALID_ARGUMENT");
    expect(await read(cluster)).toEqual(testBytes(100));
  });
});

describe("a body", () => {
  test("that throws ends the upload with its error as the cause", async () => {
    const cluster = await createMemoryCluster();
    const broken = new Error("the socket is gone");
    const error = await expectCode(put(cluster, scriptedBody([testBytes(10), broken])), "INVALID_ARGUMENT");
    expect(error.cause).toBe(broken);
    expect(error.message).toBe("the body failed: the socket is gone");
    await expectCode(cluster.engine.headObject(ref), "OBJECT_NOT_FOUND");
  });

  test("that throws an Ashlar error passes it through", async () => {
    const cluster = await createMemoryCluster();
    const own = new AshlarError("CHECKSUM_MISMATCH", "own");
    expect(await expectCode(put(cluster, scriptedBody([own])), "CHECKSUM_MISMATCH")).toBe(own);
  });

  test.each([
    ["shorter", 3 * CHUNK + 1],
    ["longer", 3 * CHUNK - 1],
  ])("that is %s than declared is refused, and nothing is visible", async (_, sizeBytes) => {
    const cluster = await createMemoryCluster();
    const error = await expectCode(put(cluster, testStream(3 * CHUNK), { sizeBytes }), "INVALID_ARGUMENT");
    expect(error.details.declaredBytes).toBe(String(sizeBytes));
    await expectCode(cluster.engine.headObject(ref), "OBJECT_NOT_FOUND");
  });

  test.each([
    ["shorter", 11],
    ["longer", 9],
    ["not empty", 0],
  ])("that is small and %s than declared is refused too", async (_, sizeBytes) => {
    const cluster = await createMemoryCluster();
    await expectCode(put(cluster, testStream(10), { sizeBytes }), "INVALID_ARGUMENT");
    await expectCode(cluster.engine.headObject(ref), "OBJECT_NOT_FOUND");
  });

  test("longer than declared is not pulled to its end", async () => {
    const cluster = await createMemoryCluster();
    const body = scriptedBody(endlessSlices(CHUNK));
    await expectCode(put(cluster, body, { sizeBytes: 3 * CHUNK }), "INVALID_ARGUMENT");
    expect(body.pulls).toBeLessThanOrEqual(5);
    expect(body.returned).toBe(true);
  });

  test("declared larger than any object is refused before it is read", async () => {
    const cluster = await createMemoryCluster();
    const body = scriptedBody([testBytes(10)]);
    await expectCode(put(cluster, body, { sizeBytes: LIMITS.OBJECT_MAX_BYTES + 1 }), "OBJECT_TOO_LARGE");
    expect(body.pulls).toBe(0);
  });

  test.each([-1, 1.5, Number.NaN])("declared to have %d bytes is refused before it is read", async (sizeBytes) => {
    const cluster = await createMemoryCluster();
    const body = scriptedBody([testBytes(10)]);
    await expectCode(put(cluster, body, { sizeBytes }), "INVALID_ARGUMENT");
    expect(body.pulls).toBe(0);
  });

  test("is told to stop, and not pulled further, when a store fails mid-upload", async () => {
    const cluster = await createMemoryCluster();
    let puts = 0;
    for (const node of cluster.nodes) {
      node.faults.putChunk = ({ pass }) => (++puts > 6 ? failing("DISK_FULL")() : pass());
    }
    const body = scriptedBody(endlessSlices(CHUNK));
    await expectCode(put(cluster, body), "DISK_FULL");
    const { pulls } = body;
    expect(body.returned).toBe(true);
    expect(pulls).toBeLessThan(20);
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(body.pulls).toBe(pulls);
  });

  test("that hangs does not delay a store's error, and is told to stop", async () => {
    const cluster = await createMemoryCluster();
    for (const node of cluster.nodes) node.faults.putChunk = failing("DISK_FULL");
    const body = scriptedBody([...slices(2, CHUNK), "stall"]);
    await expectPrompt(expectCode(put(cluster, body), "DISK_FULL"));
    expect(body.returned).toBe(true);
  });

  test("of the wrong digest is refused, and nothing is visible", async () => {
    const cluster = await createMemoryCluster();
    for (const sizeBytes of [10, CHUNK, 3 * CHUNK]) {
      const sha256 = sha256Hex(testBytes(sizeBytes, 2));
      await expectCode(put(cluster, testStream(sizeBytes), { sha256 }), "CHECKSUM_MISMATCH");
      await expectCode(cluster.engine.headObject(ref), "OBJECT_NOT_FOUND");
    }
  });

  test("of the declared digest is taken, also in capitals", async () => {
    const cluster = await createMemoryCluster();
    const sha256 = sha256Hex(testBytes(3 * CHUNK)).toUpperCase();
    expect((await put(cluster, testStream(3 * CHUNK), { sha256 })).sizeBytes).toBe(3 * CHUNK);
  });

  test("with a chunk larger than a store takes is OBJECT_TOO_LARGE", async () => {
    const cluster = await createMemoryCluster({ chunkMaxBytes: CHUNK - 1 });
    await expectCode(put(cluster, testStream(CHUNK)), "OBJECT_TOO_LARGE");
  });
});

describe("the condition of a write", () => {
  test("ifNoneMatch * lets one create and refuses to replace", async () => {
    const cluster = await createMemoryCluster();
    const condition = { ifNoneMatch: "*" };
    await put(cluster, testStream(2 * CHUNK), { condition });
    await expectCode(put(cluster, testStream(2 * CHUNK, { seed: 2 }), { condition }), "PRECONDITION_FAILED");
    expect(await read(cluster)).toEqual(testBytes(2 * CHUNK));
  });

  test("ifMatch replaces only the object version that it names", async () => {
    const cluster = await createMemoryCluster();
    const { etag } = await put(cluster, testStream(10));
    const second = await put(cluster, testStream(20), { condition: { ifMatch: etag } });
    await expectCode(put(cluster, testStream(30), { condition: { ifMatch: etag } }), "PRECONDITION_FAILED");
    expect((await cluster.engine.headObject(ref)).etag).toBe(second.etag);
  });

  test("in a bucket that is not there is BUCKET_NOT_FOUND", async () => {
    const cluster = await createMemoryCluster();
    await expectCode(put(cluster, testStream(10), { bucket: "nowhere" }), "BUCKET_NOT_FOUND");
  });
});

describe("progress of an upload", () => {
  test.each([true, false])("never goes back, ends with the total (length declared: %s)", async (declared) => {
    const cluster = await createMemoryCluster({
      random: { ...noJitter, fraction: () => 0.5 },
    });
    for (const node of cluster.nodes) {
      let tries = 0;
      // Each third try fails, so that bytes are sent again: they must not count twice.
      node.faults.putChunk = (call) =>
        ++tries % 3 === 0 ? failing("NODE_UNAVAILABLE")() : delayed<Awaited<ReturnType<typeof call.pass>>>(5)(call);
    }
    const events: TransferProgress[] = [];
    const sizeBytes = 20 * CHUNK + 5;
    await put(cluster, testStream(sizeBytes), declared ? { sizeBytes } : {}, {
      onProgress: (event) => events.push(event),
    });
    expect(events.length).toBeGreaterThan(2);
    for (let index = 1; index < events.length; index++) {
      expect(events[index]!.transferredBytes).toBeGreaterThanOrEqual(events[index - 1]!.transferredBytes);
    }
    expect(events.at(-1)).toEqual({ transferredBytes: sizeBytes, totalBytes: sizeBytes });
    if (declared) for (const event of events) expect(event.totalBytes).toBe(sizeBytes);
    else expect(events[0]!.totalBytes).toBeUndefined();
  });

  test("of an inline and of an empty object is reported once, at the end", async () => {
    const cluster = await createMemoryCluster();
    for (const sizeBytes of [10, 0]) {
      const events: TransferProgress[] = [];
      await put(cluster, testStream(sizeBytes), {}, { onProgress: (event) => events.push(event) });
      expect(events).toEqual([{ transferredBytes: sizeBytes, totalBytes: sizeBytes }]);
    }
  });

  test("that throws ends the upload with that error", async () => {
    const cluster = await createMemoryCluster();
    const onProgress = (): void => {
      throw new TypeError("the app's own bug");
    };
    const error = await expectCode(put(cluster, testStream(8 * CHUNK), {}, { onProgress }), "INVALID_ARGUMENT");
    expect(error.cause).toBeInstanceOf(TypeError);
    expect(error.message).toBe("onProgress failed: the app's own bug");
  });
});

describe("a progress callback of an upload", () => {
  test.each([1, 2, 3, 4])(
    "that throws at its event %i alone ends the upload, whichever replica told it",
    async (at) => {
      const cluster = await createMemoryCluster();
      const own = new Error("the app's own bug");
      let events = 0;
      const onProgress = (): void => {
        if (++events === at) throw own;
      };
      const sizeBytes = CHUNK * at;
      for (const node of cluster.nodes) node.faults.putChunk = delayed(60);
      const error = await expectCode(
        put(cluster, testStream(sizeBytes), {}, { onProgress, concurrency: 1 }),
        "INVALID_ARGUMENT",
      );
      expect(error.cause).toBe(own);
      expect(events).toBe(at);
    },
  );
});

describe("memory of an upload", () => {
  test.each([1, 2, 4, 8])(
    "with concurrency %i: never more than concurrency + 2 chunks at once",
    async (concurrency) => {
      const cluster = await createMemoryCluster({ nodeCount: 1 });
      let inStore = 0;
      let most = 0;
      let open = (): void => {};
      const full = new Promise<void>((resolve) => {
        open = resolve;
      });
      cluster.nodes[0]!.faults.putChunk = async ({ pass }) => {
        inStore++;
        most = Math.max(most, inStore);
        // The first calls wait for each other. If one too many came, it would come within the next few ms.
        if (inStore >= concurrency) open();
        await full;
        await new Promise((resolve) => setTimeout(resolve, 3));
        const result = await pass();
        inStore--;
        return result;
      };
      // A cut makes a chunk's buffer, and the store releases it. Between the two it is alive.
      let cut = 0;
      let stored = 0;
      let mostAlive = 0;
      const inner = fixed(CHUNK);
      const chunker: Chunker = {
        name: "counting",
        start: (total) => {
          const cutter = inner.start(total);
          return {
            maxBytes: cutter.maxBytes,
            cut: (buffered, ended) => {
              const length = cutter.cut(buffered, ended);
              if (length !== undefined) cut++;
              mostAlive = Math.max(mostAlive, cut - stored);
              return length;
            },
          };
        },
      };
      const passing = cluster.nodes[0]!.faults.putChunk;
      cluster.nodes[0]!.faults.putChunk = async (call) => {
        const result = await passing(call);
        stored++;
        return result;
      };
      await put(cluster, testStream(40 * CHUNK), { chunker }, { concurrency });
      expect(most).toBe(concurrency);
      expect(mostAlive).toBeLessThanOrEqual(concurrency + 2);
    },
  );

  test("does not grow with a slow store: the body waits", async () => {
    const cluster = await createMemoryCluster({ nodeCount: 1 });
    cluster.nodes[0]!.faults.putChunk = () => new Promise(() => {});
    const body = scriptedBody(endlessSlices(CHUNK));
    const controller = new AbortController();
    const upload = put(cluster, body, {}, { signal: controller.signal, concurrency: 3 });
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(body.pulls).toBeLessThanOrEqual(5);
    controller.abort();
    await expectCode(upload, "CANCELED");
  });
});
