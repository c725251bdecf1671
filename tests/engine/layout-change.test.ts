import { fixed } from "@ashlar/sdk";
import { KIB } from "@ashlar/sdk/limits";
import type { PartInfo } from "@ashlar/sdk/ports";
import { expect, test } from "vitest";
import { expectCode } from "../support/expect-code.ts";
import { failing } from "../support/faulty-chunk-store.ts";
import { createManualClock } from "../support/manual-clock.ts";
import { createMemoryCluster } from "../support/memory-cluster.ts";
import { readAll, testBytes, testStream } from "../support/test-bytes.ts";

const CHUNK = 64 * KIB;

test("the first write after a pause goes where the current layout says", async () => {
  const clock = createManualClock();
  const cluster = await createMemoryCluster({ nodeCount: 4, clock, inlineMaxBytes: 0 });
  const put = (key: string) =>
    cluster.engine.putObject({ bucket: "box", key, attributes: {}, chunker: fixed(CHUNK) }, testStream(CHUNK), {});
  await put("before");
  const [drained] = cluster.nodes.filter(({ chunks }) => chunks.size > 0);
  await cluster.metadata.changeLayout({ weights: { [drained?.nodeId ?? ""]: 0 } });
  drained?.chunks.clear();
  clock.advance(3000);
  await put("after");
  expect(cluster.nodes.filter(({ chunks }) => chunks.size > 0)).toHaveLength(3);
  expect(drained?.chunks.size).toBe(0);
});

test("a read after a pause finds what others wrote meanwhile, where the current layout says", async () => {
  const clock = createManualClock();
  const cluster = await createMemoryCluster({ nodeCount: 4, clock, inlineMaxBytes: 0 });
  const other = cluster.newEngine({ topology: cluster.newTopology() });
  const ref = { bucket: "box", key: "k" };
  const request = { ...ref, attributes: {}, chunker: fixed(CHUNK) };
  for (const [index, { nodeId: alone }] of cluster.nodes.entries()) {
    const weigh = (weightOf: (isAlone: boolean) => number): Promise<unknown> =>
      cluster.metadata.changeLayout({
        weights: Object.fromEntries(cluster.nodes.map(({ nodeId }) => [nodeId, weightOf(nodeId === alone)])),
      });
    await weigh((isAlone) => (isAlone ? 1 : 0));
    clock.advance(60_000);
    await cluster.engine.putObject(request, testStream(CHUNK, { seed: 2 * index }), {});
    await weigh((isAlone) => (isAlone ? 0 : 1));
    clock.advance(60_000);
    const seed = 2 * index + 1;
    await other.putObject(request, testStream(CHUNK, { seed }), {});
    expect(await readAll((await cluster.engine.openObject(ref, {})).read())).toEqual(testBytes(CHUNK, seed));
  }
});

/** Something to wait for that the test opens. */
function gate() {
  let open = (): void => {};
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { opened, open: () => open() };
}

/** A cluster of twice as many nodes as copies, and a function that moves all new chunks to one half of them, as all clients then see. */
async function createHalves() {
  const clock = createManualClock();
  const cluster = await createMemoryCluster({ nodeCount: 6, clock, inlineMaxBytes: 0 });
  const moveTo = async (half: 0 | 1): Promise<void> => {
    const weights = cluster.nodes.map(({ nodeId }, index) => [nodeId, Number(index % 2 === half)] as const);
    await cluster.metadata.changeLayout({ weights: Object.fromEntries(weights) });
    clock.advance(3000);
  };
  const put = (key: string, body: AsyncIterable<Uint8Array>): Promise<unknown> =>
    cluster.engine.putObject({ bucket: "box", key, attributes: {}, chunker: fixed(CHUNK) }, body, { concurrency: 1 });
  const read = async (key: string): Promise<Uint8Array> =>
    await readAll((await cluster.engine.openObject({ bucket: "box", key }, {})).read());
  return { clock, cluster, moveTo, put, read };
}

/** An engine that has seen the first half only, and that tries once; the object was written to the second half meanwhile. */
async function idleReader() {
  const { clock, cluster, moveTo, put } = await createHalves();
  const registry = {
    isAway: false,
    async clusterSnapshot() {
      if (registry.isAway) throw new Error("the registry is away");
      return await cluster.metadata.clusterSnapshot();
    },
  };
  const reader = cluster.newEngine({ topology: cluster.newTopology(registry), retry: { forMs: 0 } });
  const read = async (range?: { offset: number; length: number }): Promise<Uint8Array> =>
    await readAll((await reader.openObject({ bucket: "box", key: "k", range }, {})).read());
  await moveTo(0);
  await put("k", testStream(CHUNK, { seed: 1 }));
  await read();
  // The old layout is named by no row any more.
  await cluster.engine.deleteObject({ bucket: "box", key: "k" });
  await cluster.collect({ claimTtlMs: 0, graceMs: 0 });
  await moveTo(1);
  await put("k", testStream(CHUNK, { seed: 2 }));
  clock.advance(3_600_000);
  return { cluster, registry, read, bytes: testBytes(CHUNK, 2) };
}

test.each([undefined, { offset: 1000, length: 5000 }])(
  "a read whose view cannot be renewed does not say that a chunk is missing: range %j",
  async (range) => {
    const { registry, read, bytes } = await idleReader();
    registry.isAway = true;
    const refused = await expectCode(read(range), "NODE_UNAVAILABLE");
    expect(refused.retryable).toBe(true);
    expect(refused.message).toContain("the registry is away");
    registry.isAway = false;
    expect(await read(range)).toEqual(range === undefined ? bytes : bytes.subarray(1000, 6000));
  },
);

test.each(["NODE_UNAVAILABLE", "CHUNK_CORRUPT"] as const)(
  "a node of the old view that fails with %s does not hide the nodes that came meanwhile",
  async (code) => {
    const { cluster, read, bytes } = await idleReader();
    for (const [index, { faults }] of cluster.nodes.entries()) if (index % 2 === 0) faults.getChunk = failing(code);
    expect(await read()).toEqual(bytes);
  },
);

test("a chunk is missing once every node of now said so, unless one of them is away", async () => {
  const { cluster, read } = await idleReader();
  for (const { chunks } of cluster.nodes) chunks.clear();
  await expectCode(read(), "CHUNK_MISSING");
  cluster.nodes[1]!.faults.getChunk = failing("NODE_UNAVAILABLE");
  await expectCode(read(), "NODE_UNAVAILABLE");
});

test("what was uploaded during one change of the layout is read after the next", async () => {
  const { moveTo, put, read } = await createHalves();
  const bytes = testBytes(8 * CHUNK);
  await moveTo(0);
  async function* body() {
    yield bytes.subarray(0, 4 * CHUNK);
    await moveTo(1);
    yield bytes.subarray(4 * CHUNK);
  }
  await put("k", body());
  for (const half of [0, 1, 0] as const) {
    await moveTo(half);
    expect(await read("k")).toEqual(bytes);
  }
});

test("an upload that holds another object's chunk leaves it where its copies are", async () => {
  const { moveTo, put, read } = await createHalves();
  const shared = testBytes(CHUNK, 1);
  await moveTo(0);
  await put("old", testStream(CHUNK, { seed: 1 }));
  await moveTo(1);
  async function* body() {
    yield testBytes(CHUNK, 2);
    await moveTo(0);
    yield shared;
  }
  await put("new", body());
  for (const half of [1, 0, 1] as const) {
    await moveTo(half);
    expect(await read("old")).toEqual(shared);
  }
});

test("parts of several layouts are read, copied and moved, and stay readable after the next changes", async () => {
  const { cluster, moveTo, read } = await createHalves();
  const { engine } = cluster;
  const bytes = testBytes(8 * CHUNK);
  await moveTo(0);
  const { uploadId } = await engine.createUpload({ bucket: "box", key: "k", attributes: {} });
  async function* body(first: number, half: 0 | 1) {
    yield bytes.subarray(first * CHUNK, (first + 2) * CHUNK);
    await moveTo(half);
    yield bytes.subarray((first + 2) * CHUNK, (first + 4) * CHUNK);
  }
  const write = (partNumber: number, source: AsyncIterable<Uint8Array>): Promise<PartInfo> =>
    engine.writePart({ uploadId, partNumber }, source, { concurrency: 1 });
  const parts = [await write(1, body(0, 1)), await write(2, body(4, 0))];
  await engine.completeUpload({ uploadId, parts });
  const names = { sourceBucket: "box", bucket: "box" };
  await engine.copyObject({ ...names, sourceKey: "k", key: "copy" });
  await engine.moveObject({ ...names, sourceKey: "copy", key: "moved" });
  await engine.deleteObject({ bucket: "box", key: "k" });
  await cluster.collect({ claimTtlMs: 0, graceMs: 0 });
  for (const half of [1, 0, 1, 1] as const) {
    await moveTo(half);
    expect(await read("moved")).toEqual(bytes);
  }
});

test("an upload under an older layout is found, although the collector took half of the chunk's copies meanwhile", async () => {
  const { clock, cluster, moveTo, put, read } = await createHalves();
  const HOUR_MS = 3_600_000;
  const shared = testBytes(CHUNK, 1);
  const isShared = (bytes: Uint8Array | undefined): boolean => bytes?.[0] === shared[0] && bytes?.[1] === shared[1];
  await moveTo(0);
  // Keeps the first layout in use, so that the collector asks its nodes too.
  await put("pin", testStream(CHUNK, { seed: 2 }));
  // The upload is placed under this layout, and its copies arrive later.
  const placed = gate();
  const arrive = gate();
  const arrived = gate();
  let arrivedCount = 0;
  for (const { faults } of cluster.nodes.filter((_, index) => index % 2 === 0)) {
    faults.putChunk = async ({ bytes, pass }) => {
      if (!isShared(bytes)) return await pass();
      placed.open();
      await arrive.opened;
      const result = await pass();
      if (++arrivedCount === 3) arrived.open();
      return result;
    };
  }
  const collected = gate();
  async function* body() {
    yield shared;
    await collected.opened;
    yield testBytes(CHUNK, 3);
  }
  const upload = put("new", body());
  await placed.opened;
  await moveTo(1);
  await put("old", testStream(CHUNK, { seed: 1 }));
  await cluster.engine.deleteObject({ bucket: "box", key: "old" });
  clock.advance(2 * HOUR_MS);
  arrive.open();
  await arrived.opened;
  await cluster.collect({ claimTtlMs: HOUR_MS, graceMs: 0 });
  collected.open();
  await upload;
  await cluster.engine.deleteObject({ bucket: "box", key: "pin" });
  await cluster.collect({ claimTtlMs: HOUR_MS, graceMs: 0 });
  // Twice: the first read may still use the view from before.
  for (let count = 0; count < 2; count++) {
    await moveTo(1);
    expect((await read("new")).subarray(0, CHUNK)).toEqual(shared);
  }
});
