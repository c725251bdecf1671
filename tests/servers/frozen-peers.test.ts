import { createMemoryMetadataStore } from "@ashlar/adapters/metadata-store/memory";
import { createClient, gateway, type ObjectClient } from "@ashlar/sdk";
import { KIB, LIMITS } from "@ashlar/sdk/limits";
import type { MetadataStore, Transport } from "@ashlar/sdk/ports";
import { inProcessTransport } from "@ashlar/sdk/transport/in-process";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { testBytes } from "../support/test-bytes.ts";
import { startTestCluster, type TestCluster } from "../support/test-cluster.ts";
import { openTransport, type TransportName } from "../support/transports.ts";

const OVER_SOCKETS: readonly TransportName[] = ["fetch", "undici", "connect", "grpc-web", "grpc", "grpc-js"];
/** A call that hangs takes minutes without a limit of its own; even a very busy machine needs less than this for one that ends. */
const HANG_MS = 120_000;

/** What a slow store makes its callers wait, in ms: longer than a silent peer is waited for. */
const SLOW_MS = LIMITS.PEER_STALLED_AFTER_MS + 5000;

/** Of each connection through a slow network: a chunk takes SLOW_MS, and lies in buffers of the system for most of it. */
const BYTES_PER_SECOND = 24 * KIB;

let slow = false;

/** Metadata that take their time while `slow` is set. */
function slowMetadata(): MetadataStore {
  const store = createMemoryMetadataStore();
  // The target is empty: over a frozen store, a Proxy may only give the store's own methods.
  return new Proxy({} as MetadataStore, {
    get(_, name) {
      const member: unknown = Reflect.get(store, name);
      if (typeof member !== "function") return member;
      return async (...args: unknown[]) => {
        if (slow && name === "getBucket") await new Promise((resolve) => setTimeout(resolve, SLOW_MS));
        return await (Reflect.apply(member, store, args) as Promise<unknown>);
      };
    },
  });
}

let cluster: TestCluster;

function clientOf(name: TransportName, forMs = 0): ObjectClient {
  const transport: Transport = openTransport(name, cluster);
  return createClient(gateway({ url: cluster.url, apiKey: cluster.apiKey, transport, retry: { forMs } }));
}

beforeAll(async () => {
  cluster = await startTestCluster({ proxied: true, chunks: "memory", metadata: slowMetadata() });
  await using client = clientOf("undici");
  await client.createBucket({ bucket: "box" });
}, HANG_MS);

afterAll(async () => {
  cluster.proxy?.thaw();
  await cluster.close();
});

const bytes = testBytes(512 * KIB);

describe("a gateway that hangs", () => {
  test("fails calls as NODE_UNAVAILABLE, on every transport, and is used again when it goes on", {
    timeout: HANG_MS,
  }, async () => {
    const clients = OVER_SOCKETS.map((name) => clientOf(name));
    await Promise.all(clients.map((client) => client.headBucket({ bucket: "box" })));
    cluster.proxy?.freeze();
    const read = Promise.allSettled(clients.map((client) => client.headBucket({ bucket: "box" })));
    const written = Promise.allSettled(
      clients.map((client) => client.putObject({ bucket: "box", key: "frozen", body: bytes })),
    );
    for (const outcome of [...(await read), ...(await written)])
      expect(outcome).toMatchObject({
        status: "rejected",
        reason: { code: "NODE_UNAVAILABLE", retryable: true, details: { reason: "STALLED" } },
      });
    cluster.proxy?.thaw();
    for (const client of clients) {
      await expect
        .poll(() => client.headBucket({ bucket: "box" }), { timeout: HANG_MS })
        .toMatchObject({ bucket: "box" });
      await client[Symbol.asyncDispose]();
    }
  });

  test("in this process is found, too", { timeout: HANG_MS }, async () => {
    const transport = inProcessTransport({ fetch: () => new Promise(() => {}) });
    await using client = createClient(gateway({ url: "http://hangs", transport, retry: { forMs: 0 } }));
    await expect(client.listBuckets()).rejects.toMatchObject({
      code: "NODE_UNAVAILABLE",
      details: { reason: "STALLED" },
    });
  });
});

describe("a gateway that is slow", () => {
  test("with one answer is waited for, because it answers others", { timeout: HANG_MS }, async () => {
    const clients = OVER_SOCKETS.map((name) => clientOf(name));
    slow = true;
    try {
      const answers = await Promise.all(clients.map((client) => client.headBucket({ bucket: "box" })));
      expect(answers.map(({ bucket }) => bucket)).toEqual(OVER_SOCKETS.map(() => "box"));
    } finally {
      slow = false;
      for (const client of clients) await client.close();
    }
  });

  test("behind a slow network takes and gives whole chunks", { timeout: 2 * HANG_MS }, async () => {
    const clients = OVER_SOCKETS.map((name) => clientOf(name));
    cluster.proxy?.throttle(BYTES_PER_SECOND);
    try {
      await Promise.all(
        clients.map(async (client, index) => {
          const ref = { bucket: "box", key: `slow-${index}` };
          const body = testBytes(BYTES_PER_SECOND * (SLOW_MS / 1000), index);
          await client.putObject({ ...ref, body });
          expect(await (await client.getObject(ref)).bytes()).toEqual(body);
        }),
      );
    } finally {
      cluster.proxy?.throttle(undefined);
      for (const client of clients) await client.close();
    }
  });
});
