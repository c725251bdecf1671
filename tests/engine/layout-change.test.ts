import { fixed } from "@ashlar/sdk";
import { KIB } from "@ashlar/sdk/limits";
import { expect, test } from "vitest";
import { createManualClock } from "../support/manual-clock.ts";
import { createMemoryCluster } from "../support/memory-cluster.ts";
import { readAll, testBytes, testStream } from "../support/test-bytes.ts";

const CHUNK = 64 * KIB;

test("the first write after a pause goes where the current layout says", async () => {
  const clock = createManualClock();
  const cluster = await createMemoryCluster({ nodeCount: 4, clock, inlineMaxBytes: 0 });
  const put = (key: string) =>
    cluster.backend.putObject({ bucket: "box", key, attributes: {}, chunker: fixed(CHUNK) }, testStream(CHUNK), {});
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
  const other = cluster.engine({ topology: cluster.newTopology() });
  const ref = { bucket: "box", key: "k" };
  const request = { ...ref, attributes: {}, chunker: fixed(CHUNK) };
  for (const [index, { nodeId: alone }] of cluster.nodes.entries()) {
    const weigh = (weightOf: (isAlone: boolean) => number): Promise<unknown> =>
      cluster.metadata.changeLayout({
        weights: Object.fromEntries(cluster.nodes.map(({ nodeId }) => [nodeId, weightOf(nodeId === alone)])),
      });
    await weigh((isAlone) => (isAlone ? 1 : 0));
    clock.advance(60_000);
    await cluster.backend.putObject(request, testStream(CHUNK, { seed: 2 * index }), {});
    await weigh((isAlone) => (isAlone ? 0 : 1));
    clock.advance(60_000);
    const seed = 2 * index + 1;
    await other.putObject(request, testStream(CHUNK, { seed }), {});
    expect(await readAll((await cluster.backend.openObject(ref, {})).read())).toEqual(testBytes(CHUNK, seed));
  }
});

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
    cluster.backend.putObject({ bucket: "box", key, attributes: {}, chunker: fixed(CHUNK) }, body, { concurrency: 1 });
  const read = async (key: string): Promise<Uint8Array> =>
    await readAll((await cluster.backend.openObject({ bucket: "box", key }, {})).read());
  return { moveTo, put, read };
}

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
