import { getEventListeners } from "node:events";
import { fixed } from "@ashlar/sdk";
import { AshlarError } from "@ashlar/sdk/errors";
import { KIB } from "@ashlar/sdk/limits";
import { describe, expect, test } from "vitest";
import { scriptedBody, slices } from "../support/bodies.ts";
import { expectAborts, expectCode } from "../support/expect-code.ts";
import { dead, failing, hanging } from "../support/faulty-chunk-store.ts";
import { createManualClock } from "../support/manual-clock.ts";
import { createMemoryCluster, type MemoryCluster } from "../support/memory-cluster.ts";
import { readAll, testStream } from "../support/test-bytes.ts";

const CHUNK = 64 * KIB;
const ref = { bucket: "box", key: "wall" };
const turn = (ms: number = 10): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

function put(cluster: MemoryCluster, body: AsyncIterable<Uint8Array>, signal: AbortSignal): Promise<unknown> {
  return cluster.engine.putObject({ ...ref, attributes: {}, chunker: fixed(CHUNK) }, body, { signal });
}

const listeners = (signal: AbortSignal): number => getEventListeners(signal, "abort").length;

describe("aborting an upload", () => {
  test("before it began rejects without touching the body", async () => {
    const cluster = await createMemoryCluster();
    const body = scriptedBody(slices(4, CHUNK));
    await expectCode(put(cluster, body, AbortSignal.abort()), "CANCELED");
    expect(body.pulls).toBe(0);
    await expectCode(cluster.engine.headObject(ref), "OBJECT_NOT_FOUND");
  });

  test.each<[string, number]>([
    ["hangs at its start", 0],
    ["hangs after some chunks", 3],
  ])("whose body %s rejects and stops the body", async (_, count) => {
    const cluster = await createMemoryCluster();
    const body = scriptedBody([...slices(count, CHUNK), "stall"]);
    const controller = new AbortController();
    const upload = put(cluster, body, controller.signal);
    await turn();
    await expectAborts(controller, upload);
    expect(body.returned).toBe(true);
    expect(listeners(controller.signal)).toBe(0);
    await expectCode(cluster.engine.headObject(ref), "OBJECT_NOT_FOUND");
  });

  test.each<[string, () => Promise<never>]>([
    ["honour the abort", undefined as never],
    ["never answer", dead],
  ])("whose stores hang and %s rejects", async (name, fault) => {
    const cluster = await createMemoryCluster();
    for (const node of cluster.nodes) node.faults.putChunk = name === "never answer" ? fault : hanging;
    const body = scriptedBody(slices(20, CHUNK));
    const controller = new AbortController();
    const upload = put(cluster, body, controller.signal);
    await turn();
    await expectAborts(controller, upload);
    expect(body.returned).toBe(true);
    await turn();
    expect(listeners(controller.signal)).toBe(0);
  });

  test("during a backoff does not wait for its end", async () => {
    // Its time stands still, so the backoff never ends.
    const clock = createManualClock();
    const cluster = await createMemoryCluster({ clock });
    for (const node of cluster.nodes) node.faults.putChunk = failing("NODE_UNAVAILABLE");
    const controller = new AbortController();
    const upload = put(cluster, scriptedBody(slices(4, CHUNK)), controller.signal);
    await expect.poll(() => clock.sleeperCount).toBeGreaterThan(0);
    await expectAborts(controller, upload);
    await turn();
    expect(listeners(controller.signal)).toBe(0);
  });

  test("while it commits rejects, even if the catalog hangs", async () => {
    const cluster = await createMemoryCluster();
    const engine = cluster.newEngine({ catalog: { ...cluster.metadata, commitObject: () => dead() } });
    const controller = new AbortController();
    const upload = engine.putObject({ ...ref, attributes: {} }, testStream(CHUNK), { signal: controller.signal });
    await turn(30);
    await expectAborts(controller, upload);
    expect(listeners(controller.signal)).toBe(0);
  });

  test("with a timeout's signal is DEADLINE_EXCEEDED, with an Ashlar error as reason that error", async () => {
    const cluster = await createMemoryCluster();
    const timeout = AbortSignal.timeout(10);
    await expectCode(put(cluster, scriptedBody(["stall"]), timeout), "DEADLINE_EXCEEDED");
    const controller = new AbortController();
    const upload = put(cluster, scriptedBody(["stall"]), controller.signal);
    const reason = new AshlarError("OVERLOADED", "own");
    await turn();
    controller.abort(reason);
    expect(await expectCode(upload, "OVERLOADED")).toBe(reason);
  });
});

describe("aborting a download", () => {
  async function prepare(): Promise<MemoryCluster> {
    const cluster = await createMemoryCluster();
    await cluster.engine.putObject({ ...ref, attributes: {}, chunker: fixed(CHUNK) }, testStream(10 * CHUNK));
    return cluster;
  }

  test("before it began rejects", async () => {
    const cluster = await prepare();
    await expectCode(cluster.engine.openObject(ref, { signal: AbortSignal.abort() }), "CANCELED");
  });

  test.each<[string, typeof hanging]>([
    ["hang and honour the abort", hanging],
    ["never answer", dead],
  ])("whose stores %s rejects", async (_, fault) => {
    const cluster = await prepare();
    for (const node of cluster.nodes) node.faults.getChunk = fault;
    const controller = new AbortController();
    const opened = await cluster.engine.openObject(ref, { signal: controller.signal });
    const reading = readAll(opened.read());
    await turn();
    await expectAborts(controller, reading);
    await turn();
    expect(listeners(controller.signal)).toBe(0);
  });

  test("between two slices ends it at the next one", async () => {
    const cluster = await prepare();
    const controller = new AbortController();
    const opened = await cluster.engine.openObject(ref, { signal: controller.signal, concurrency: 2 });
    let received = 0;
    const reading = (async () => {
      for await (const slice of opened.read()) {
        received += slice.byteLength;
        controller.abort();
      }
    })();
    await expectCode(reading, "CANCELED");
    expect(received).toBe(CHUNK);
    expect(listeners(controller.signal)).toBe(0);
  });

  test("while a further page of the manifest is asked for rejects", async () => {
    const cluster = await prepare();
    const engine = cluster.newEngine({
      catalog: {
        ...cluster.metadata,
        getObject: (query, options) => cluster.metadata.getObject({ ...query, chunkLimit: 2 }, options),
        getManifestPage: () => dead(),
      },
    });
    const controller = new AbortController();
    const opened = await engine.openObject(ref, { signal: controller.signal });
    const reading = readAll(opened.read());
    await turn();
    await expectAborts(controller, reading);
  });
});

describe("a transfer that ends well or badly leaves no listener on the caller's signal", () => {
  test("upload, download, head, failed upload, failed download", async () => {
    const cluster = await createMemoryCluster();
    const { signal } = new AbortController();
    await put(cluster, testStream(6 * CHUNK), signal);
    await put(cluster, testStream(10), signal);
    await put(cluster, testStream(6 * CHUNK), signal);
    await readAll((await cluster.engine.openObject(ref, { signal })).read());
    await cluster.engine.headObject(ref, { signal });
    await expectCode(put(cluster, scriptedBody([...slices(2, CHUNK), new Error("no")]), signal), "INVALID_ARGUMENT");
    for (const node of cluster.nodes) node.chunks.clear();
    const opened = await cluster.engine.openObject(ref, { signal });
    await expectCode(readAll(opened.read()), "CHUNK_MISSING");
    await turn();
    expect(listeners(signal)).toBe(0);
  });
});

describe("closing the engine", () => {
  test("ends transfers that run with STORE_CLOSED, and refuses further calls", async () => {
    const cluster = await createMemoryCluster();
    await cluster.engine.putObject({ ...ref, attributes: {}, chunker: fixed(CHUNK) }, testStream(4 * CHUNK));
    const body = scriptedBody([...slices(2, CHUNK), "stall"]);
    const upload = cluster.engine.putObject({ ...ref, key: "b", attributes: {}, chunker: fixed(CHUNK) }, body);
    const opened = await cluster.engine.openObject(ref, { concurrency: 1 });
    const iterator = opened.read()[Symbol.asyncIterator]();
    await iterator.next();
    await turn();
    const failed = expectCode(upload, "STORE_CLOSED");
    await cluster.engine.close();
    await failed;
    await expectCode(iterator.next(), "STORE_CLOSED");
    expect(body.returned).toBe(true);
    await expectCode(cluster.engine.headObject(ref), "STORE_CLOSED");
    await expectCode(cluster.engine.listBuckets(), "STORE_CLOSED");
    await cluster.engine.close();
  });
});
