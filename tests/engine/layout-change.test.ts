import { fixed } from "@ashlar/sdk";
import { KIB } from "@ashlar/sdk/limits";
import { expect, test } from "vitest";
import { createManualClock } from "../support/manual-clock.ts";
import { createMemoryCluster } from "../support/memory-cluster.ts";
import { testStream } from "../support/test-bytes.ts";

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
