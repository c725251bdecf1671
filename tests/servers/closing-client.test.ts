/** Calls that run when a client is closed: they end at once, whatever they wait for, and no part of them goes on. */
import { getEventListeners } from "node:events";
import { createServer as createHttp2Server } from "node:http2";
import { type AddressInfo, createServer } from "node:net";
import { embedded } from "@ashlar/adapters/embedded";
import { inMemory } from "@ashlar/adapters/memory";
import { createClient, direct, gateway, type ObjectClient, type Seat } from "@ashlar/sdk";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { scriptedBody, slices } from "../support/bodies.ts";
import { expectCode, expectPrompt } from "../support/expect-code.ts";
import { type ListeningServer, listen } from "../support/listening-server.ts";
import { createTempFolder } from "../support/temp-folder.ts";
import { startTestCluster, type TestCluster } from "../support/test-cluster.ts";
import { openTransport, type TransportName } from "../support/transports.ts";

const TRANSPORTS: readonly TransportName[] = ["fetch", "undici", "connect", "grpc-web", "grpc", "grpc-js"];
const MATRIX = TRANSPORTS.flatMap((name) => (["gateway", "direct"] as const).map((seat) => [seat, name] as const));
const SEATS = { gateway, direct };
const NOBODY = { fetch: () => Promise.reject(new Error("nothing runs in this process")) };
const ref = { bucket: "photos", key: "a" };

type Options = { readonly signal?: AbortSignal; readonly timeoutMs?: number };

const CALLS: Readonly<Record<string, (client: ObjectClient, options: Options) => Promise<unknown>>> = {
  createBucket: (client, options) => client.createBucket({ bucket: "photos", ...options }),
  headBucket: (client, options) => client.headBucket({ bucket: "photos", ...options }),
  listBuckets: (client, options) => client.listBuckets(options),
  deleteBucket: (client, options) => client.deleteBucket({ bucket: "photos", ...options }),
  putObject: (client, options) => client.putObject({ ...ref, body: "x", ...options }),
  "putObject in chunks": (client, options) => client.putObject({ ...ref, body: new Uint8Array(100_000), ...options }),
  getObject: (client, options) => client.getObject({ ...ref, ...options }),
  headObject: (client, options) => client.headObject({ ...ref, ...options }),
  deleteObject: (client, options) => client.deleteObject({ ...ref, ...options }),
  deleteObjects: (client, options) => client.deleteObjects({ bucket: "photos", keys: ["a", "b"], ...options }),
  listObjects: (client, options) => firstOf(client.listObjects({ bucket: "photos", ...options })),
  copyObject: (client, options) => client.copyObject({ ...ref, sourceBucket: "photos", sourceKey: "b", ...options }),
  createUpload: (client, options) => client.createUpload({ ...ref, ...options }),
  writePart: (client, options) => client.writePart({ uploadId: "u", partNumber: 1, body: "x", ...options }),
  listParts: (client, options) => firstOf(client.listParts({ uploadId: "u", ...options })),
  listUploads: (client, options) => firstOf(client.listUploads({ bucket: "photos", ...options })),
  completeUpload: (client, options) =>
    client.completeUpload({ uploadId: "u", parts: [{ partNumber: 1, etag: "e" }], ...options }),
  abortUpload: (client, options) => client.abortUpload({ uploadId: "u", ...options }),
  createAccessToken: (client, options) => client.createAccessToken({ bucket: "photos", ...options }),
  cluster: (client, options) => client.cluster(options),
};

async function firstOf(items: AsyncIterable<unknown>): Promise<unknown> {
  for await (const item of items) return item;
  return undefined;
}

/** All calls at once, then `close()`: each rejects with STORE_CLOSED, and leaves no listener on its signal. */
async function expectAllEnd(client: ObjectClient, isRunning: () => boolean): Promise<void> {
  const { signal } = new AbortController();
  const running = Object.entries(CALLS).flatMap(([name, call]) =>
    [{}, { signal }, { timeoutMs: 600_000 }].map((options) => [name, call(client, options)] as const),
  );
  const ended = Promise.all(
    running.map(async ([name, call]) => [name, (await expectCode(call, "STORE_CLOSED")).code] as const),
  );
  ended.catch(() => {});
  await expect.poll(isRunning).toBe(true);
  await expectPrompt(client.close());
  await expectPrompt(ended);
  expect(getEventListeners(signal, "abort")).toEqual([]);
}

describe("at a server that accepts and never answers", () => {
  let server: ListeningServer;
  let received = 0;

  /** HTTP/2 clients send no request before the handshake with the server is done. */
  async function start(isHttp2: boolean): Promise<void> {
    received = 0;
    const noteRequest = (): void => void received++;
    server = await listen(
      isHttp2 ? createHttp2Server(noteRequest) : createServer((socket) => socket.on("data", noteRequest)),
    );
  }

  afterEach(() => server.close());

  test.each(MATRIX)("close() ends all calls of the %s seat over %s, and their requests", async (seat, name) => {
    await start(name === "grpc" || name === "grpc-js");
    const { url } = server;
    const client = createClient(SEATS[seat]({ url, apiKey: "ashlar_0_0", transport: openTransport(name, NOBODY) }));
    await expectAllEnd(client, () => received > 0);
    await expect.poll(server.socketCount).toBe(0);
  });
});

describe("while the app is asked for its key", () => {
  let cluster: TestCluster;

  beforeAll(async () => {
    cluster = await startTestCluster({ nodeCount: 1 });
  });
  afterAll(() => cluster.close());

  test.each(MATRIX)("close() ends all calls of the %s seat over %s that wait for the first one", async (seat, name) => {
    let asked = 0;
    const apiKey = (): Promise<string> => {
      asked++;
      return new Promise(() => {});
    };
    const transport = openTransport(name, NOBODY);
    await expectAllEnd(createClient(SEATS[seat]({ url: cluster.url, apiKey, transport })), () => asked > 0);
  });

  test.each(MATRIX)("close() ends all calls of the %s seat over %s that wait for another one", async (seat, name) => {
    let asked = 0;
    const apiKey = (): string | Promise<string> => (++asked === 1 ? "ashlar_0_0" : new Promise<string>(() => {}));
    const transport = openTransport(name, NOBODY);
    await expectAllEnd(createClient(SEATS[seat]({ url: cluster.url, apiKey, transport })), () => asked > 1);
  });
});

test.each(["gateway", "direct"] as const)("close() ends the wait for another try in the %s seat", async (seat) => {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  await new Promise((resolve) => server.close(resolve));
  const sleeps = new Set<AbortSignal | undefined>();
  const clock = {
    nowMs: () => 0,
    monotonicMs: () => 0,
    sleep: (_: number, options?: { readonly signal?: AbortSignal | undefined }) =>
      new Promise<void>((_resolve, reject) => {
        const signal = options?.signal;
        sleeps.add(signal);
        signal?.addEventListener("abort", () => {
          sleeps.delete(signal);
          reject(signal.reason as Error);
        });
      }),
  };
  const client = createClient(SEATS[seat]({ url, transport: openTransport("undici", NOBODY), clock }));
  await expectAllEnd(client, () => sleeps.size > Object.keys(CALLS).length);
  // No sleep goes on for a closed client.
  await expect.poll(() => sleeps.size).toBe(0);
});

test("close() ends writes whose body has stalled, in the seats without servers", async () => {
  await using folder = await createTempFolder();
  const seats: readonly Seat[] = [embedded({ path: folder.path }), inMemory()];
  for (const seat of seats) {
    const client = createClient(seat);
    await client.createBucket({ bucket: "photos" });
    const { uploadId } = await client.createUpload({ bucket: "photos", key: "b" });
    const [first, second] = [scriptedBody([...slices(1, 10), "stall"]), scriptedBody(["stall"])] as const;
    const ended = [
      expectCode(client.putObject({ ...ref, body: first }), "STORE_CLOSED"),
      expectCode(client.writePart({ uploadId, partNumber: 1, body: second }), "STORE_CLOSED"),
    ];
    await expect.poll(() => [first.pulls, second.pulls]).toEqual([2, 1]);
    await expectPrompt(client.close());
    await expectPrompt(Promise.all(ended));
    await expect.poll(() => [first.returned, second.returned]).toEqual([true, true]);
  }
});

test("close() ends calls while a seat opens that never does", async () => {
  const client = createClient({ name: "slow", open: () => new Promise(() => {}) });
  const ended = [
    expectCode(client.listBuckets(), "STORE_CLOSED"),
    expectCode(client.getObject(ref), "STORE_CLOSED"),
    expectCode(firstOf(client.listObjects({ bucket: "photos" })), "STORE_CLOSED"),
  ];
  void client.close(); // waits for the seat, which never opens
  await expectPrompt(Promise.all(ended));
});
