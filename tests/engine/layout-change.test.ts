import { fixed } from "@ashlar/sdk";
import { KIB } from "@ashlar/sdk/limits";
import { expect, test } from "vitest";
import { createManualClock } from "../support/manual-clock.ts";
import { createMemoryCluster } from "../support/memory-cluster.ts";
import { readAll, testBytes, testStream } from "../support/test-bytes.ts";

const CHUNK = 64 * KIB;

test("the first write after a pause goes where the layout of now says", async () => {
  const clock = createManualClock();
  const cluster = await createMemoryCluster({ nodeCount: 4, clock, inlineMaxBytes: 0 });
  const put = (key: string) =>
    cluster.backend.putObject({ bucket: "box", key, attributes: {}, chunker: fixed(CHUNK) }, testStream(CHUNK), {});
  await put("before");
  const [drained] = cluster.nodes.filter(({ chunks }) => chunks.size > 0);
  await cluster.metadata.changeLayout({ weights: { [drained?.serverId ?? ""]: 0 } });
  drained?.chunks.clear();
  clock.advance(3000);
  await put("after");
  expect(cluster.nodes.filter(({ chunks }) => chunks.size > 0)).toHaveLength(3);
  expect(drained?.chunks.size).toBe(0);
});

test("a read after a pause finds what others wrote meanwhile, where the layout of now says", async () => {
  const clock = createManualClock();
  const cluster = await createMemoryCluster({ nodeCount: 4, clock, inlineMaxBytes: 0 });
  const other = cluster.engine({ topology: cluster.newTopology() });
  const ref = { bucket: "box", key: "k" };
  const request = { ...ref, attributes: {}, chunker: fixed(CHUNK) };
  for (const [index, { serverId: alone }] of cluster.nodes.entries()) {
    const weigh = (weightOf: (isAlone: boolean) => number): Promise<unknown> =>
      cluster.metadata.changeLayout({
        weights: Object.fromEntries(cluster.nodes.map(({ serverId }) => [serverId, weightOf(serverId === alone)])),
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
