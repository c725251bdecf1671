import { nodeCryptoHasher } from "@ashlar/adapters/hash/node-crypto";
import { createClient, direct, fixed, gateway, KIB, MIB, type ObjectClient } from "@ashlar/sdk";
import { encodeHex } from "@ashlar/sdk/hash";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { expectCode } from "../support/expect-code.ts";
import type { TcpProxy } from "../support/tcp-proxy.ts";
import { digestOf, testStream } from "../support/test-bytes.ts";
import { startTestCluster, type TestCluster } from "../support/test-cluster.ts";
import { openTransport, type TransportName } from "../support/transports.ts";

const SIZE = 6 * MIB;
const CHUNK = 256 * KIB;

let cluster: TestCluster;

beforeAll(async () => {
  cluster = await startTestCluster({ proxied: true });
});
afterAll(() => cluster.close());

const proxies = (): readonly TcpProxy[] => [cluster.proxy!, ...cluster.nodes.map((node) => node.proxy!)];

function open(seat: "gateway" | "direct", transport: TransportName): ObjectClient {
  const options = {
    url: cluster.url,
    apiKey: cluster.apiKey,
    transport: openTransport(transport, cluster),
    hasher: nodeCryptoHasher,
    chunker: fixed(CHUNK),
    durability: "os" as const,
    // Long enough for a cut, and short enough to report soon that a connection is gone for good.
    retry: { forMs: 10_000 },
  };
  return createClient(seat === "gateway" ? gateway(options) : direct(options));
}

/** Cuts every connection when another quarter of the bytes has moved, three times in all. */
function cutter(): {
  readonly cuts: () => number;
  readonly onProgress: (progress: { transferredBytes: number }) => void;
} {
  let cuts = 0;
  return {
    cuts: () => cuts,
    onProgress({ transferredBytes }) {
      if (transferredBytes < ((cuts + 1) * SIZE) / 4 || cuts >= 3) return;
      cuts++;
      for (const proxy of proxies()) proxy.cut();
    },
  };
}

let buckets = 0;

describe.each([
  ["gateway", "undici"],
  ["gateway", "fetch"],
  ["gateway", "grpc"],
  ["gateway", "grpc-js"],
  ["gateway", "connect"],
  ["gateway", "grpc-web"],
  ["direct", "undici"],
  ["direct", "grpc"],
  ["direct", "grpc-js"],
] as const)("connections that are cut (%s over %s)", { timeout: 60_000 }, (seat, transport) => {
  test("three times in an upload and three times in a download cost neither bytes nor the transfer", async () => {
    const client = open(seat, transport);
    const ref = { bucket: `cut-${++buckets}`, key: "wall" };
    try {
      await client.createBucket({ bucket: ref.bucket });
      for (const proxy of proxies()) proxy.throttle(16 * MIB);
      const up = cutter();
      const put = await client.putObject({
        ...ref,
        body: testStream(SIZE, { seed: buckets }),
        onProgress: up.onProgress,
      });
      expect(up.cuts()).toBe(3);
      expect(put.sizeBytes).toBe(SIZE);
      const down = cutter();
      const got = await client.getObject({ ...ref, onProgress: down.onProgress });
      expect(await digestOf(got)).toEqual({ sizeBytes: SIZE, sha256: put.sha256 });
      expect(down.cuts()).toBe(3);
    } finally {
      for (const proxy of proxies()) proxy.throttle(undefined);
      await client.close();
    }
  });
});

/** Ids of the chunks of which no copy is missing. */
async function chunksOnAllNodes(): Promise<readonly string[]> {
  const lists = await Promise.all(
    cluster.nodes.map(async ({ store }) => (await store.listChunks()).chunks.map(({ chunkId }) => encodeHex(chunkId))),
  );
  const [first = [], ...others] = lists;
  return first.filter((id) => others.every((ids) => ids.includes(id)));
}

describe("a connection that is gone for good in the middle", { timeout: 60_000 }, () => {
  test("of an upload ends it with NODE_UNAVAILABLE and leaves nothing visible; when it is back, all works", async () => {
    const client = open("gateway", "undici");
    const ref = { bucket: `gone-${++buckets}`, key: "wall" };
    try {
      await client.createBucket({ bucket: ref.bucket });
      const before = await chunksOnAllNodes();
      let stopped = false;
      const upload = client.putObject({
        ...ref,
        body: testStream(SIZE, { seed: 99 }),
        onProgress({ transferredBytes }) {
          if (stopped || transferredBytes < SIZE / 4) return;
          stopped = true;
          cluster.proxy!.stop();
        },
      });
      const error = await expectCode(upload, "NODE_UNAVAILABLE");
      expect(error.retryable).toBe(true);
      expect(error.cause).toBeDefined();
      cluster.proxy!.resume();
      await expectCode(client.headObject(ref), "OBJECT_NOT_FOUND");
      // How far it came is a matter of luck. But a chunk that every node had by then is not sent again.
      const kept = (await chunksOnAllNodes()).filter((id) => !before.includes(id));
      const again = await client.putObject({ ...ref, body: testStream(SIZE, { seed: 99 }) });
      expect(again.deduplicatedBytes).toBeGreaterThanOrEqual(kept.length * CHUNK);
      expect(again.sizeBytes).toBe(SIZE);
    } finally {
      cluster.proxy!.resume();
      await client.close();
    }
  });
});
