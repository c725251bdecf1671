import { embedded } from "@ashlar/adapters/embedded";
import { nodeCryptoHasher } from "@ashlar/adapters/hash/node-crypto";
import { direct, gateway } from "@ashlar/adapters/node";
import {
  type Chunker,
  createClient,
  fixed,
  KIB,
  type ObjectClient,
  type Seat,
  gateway as webGateway,
} from "@ashlar/sdk";
import type { Hasher, Logger, Tracer } from "@ashlar/sdk/ports";
import { traced } from "@ashlar/sdk/tracing";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { expectCode } from "../support/expect-code.ts";
import { unusedPort } from "../support/free-ports.ts";
import { createTempFolder, type TempFolder } from "../support/temp-folder.ts";
import { testBytes } from "../support/test-bytes.ts";
import { startTestCluster, type TestCluster } from "../support/test-cluster.ts";

let folder: TempFolder;
let cluster: TestCluster;
beforeAll(async () => {
  folder = await createTempFolder();
  cluster = await startTestCluster({ nodeCount: 3, metadata: "sqlite" });
});
afterAll(async () => {
  await cluster.close();
  await folder[Symbol.asyncDispose]();
});

/** Each of these would have ended the process. */
const unhandled: unknown[] = [];
const onUnhandled = (reason: unknown): number => unhandled.push(reason);
let told: ReturnType<typeof vi.spyOn>;
beforeEach(() => {
  process.on("unhandledRejection", onUnhandled);
  told = vi.spyOn(console, "error").mockImplementation(() => {});
});
afterEach(async () => {
  // Node reports unhandled rejections after the turn in which they came.
  await new Promise((resolve) => setImmediate(resolve));
  process.off("unhandledRejection", onUnhandled);
  told.mockRestore();
  expect(unhandled.splice(0)).toEqual([]);
});

const own = new Error("boom");
const fail = (): never => {
  throw own;
};
const rejects = (): Promise<never> => Promise.reject(own);
/** Ways in which a function of the app fails. */
const FAILURES: ReadonlyArray<readonly [string, () => never]> = [
  ["throws", fail],
  ["rejects", rejects as () => never],
];
const remote = { url: "http://127.0.0.1:1" };

let stores = 0;
const SEATS: ReadonlyArray<readonly [string, () => Seat]> = [
  ["embedded", () => embedded({ path: folder.at(`store-${++stores}`) })],
  ["gateway", () => gateway({ url: cluster.url, apiKey: cluster.apiKey })],
  ["direct", () => direct({ url: cluster.url, apiKey: cluster.apiKey })],
];

let buckets = 0;
async function useBucket(client: ObjectClient): Promise<string> {
  const bucket = `functions-${++buckets}`;
  await client.createBucket({ bucket });
  return bucket;
}

describe.each(SEATS)("in the %s seat", (_, seat) => {
  describe.each(FAILURES)("an onProgress that %s", (_name, onProgress) => {
    test.each([100, 300 * KIB])("ends the write of %i bytes and its read, by name and with its error", async (size) => {
      await using client = createClient(seat());
      const bucket = await useBucket(client);
      const body = testBytes(size);
      const write = client.putObject({ bucket, key: "a", body, chunker: fixed(64 * KIB), onProgress });
      const error = await expectCode(write, "INVALID_ARGUMENT");
      expect(error.message).toContain("onProgress failed: boom");
      expect(error.cause).toBe(own);
      await expectCode(client.headObject({ bucket, key: "a" }), "OBJECT_NOT_FOUND");
      await client.putObject({ bucket, key: "a", body, chunker: fixed(64 * KIB) });
      const read = (async () => await (await client.getObject({ bucket, key: "a", onProgress })).bytes())();
      expect((await expectCode(read, "INVALID_ARGUMENT")).message).toContain("onProgress failed: boom");
    });
  });

  describe.each(FAILURES)("a tracer that %s", (_name, failing) => {
    test.each(["start", "within", "headers", "set", "end"] as const)("in %s changes no outcome", async (name) => {
      const span = { traceId: "1".repeat(32), spanId: "2".repeat(16), set() {}, end() {} };
      const tracer = { start: () => span, within: (_: unknown, work: () => unknown) => work(), headers: () => ({}) };
      Object.assign(name === "set" || name === "end" ? span : tracer, { [name]: failing });
      await using client = createClient(traced(seat(), tracer as Tracer));
      const bucket = await useBucket(client);
      await client.putObject({ bucket, key: "a", body: testBytes(100 * KIB) });
      const got = await client.getObject({ bucket, key: "a" });
      expect((await got.bytes()).byteLength).toBe(100 * KIB);
      await expectCode(client.headObject({ bucket, key: "none" }), "OBJECT_NOT_FOUND");
    });
  });

  test.each<readonly [string, (cutter: { maxBytes: number }) => unknown, string]>([
    ["throws at its start", fail, "the chunker failed: boom"],
    ["rejects at its start", rejects, "the chunker"],
    ["gives no cutter", () => undefined, "the chunker"],
    ["gives a cutter without a length", () => ({ cut: fail }), "the chunker"],
    ["throws at a cut", (cutter) => ({ ...cutter, cut: fail }), "the chunker failed: boom"],
    ["rejects at a cut", (cutter) => ({ ...cutter, cut: rejects }), "the chunker failed: it answered [object Promise]"],
    ["cuts nothing", (cutter) => ({ ...cutter, cut: () => 0 }), "the chunker failed: it answered 0"],
  ])("a chunker that %s is the caller's error", async (_name, start, message) => {
    await using client = createClient(seat());
    const bucket = await useBucket(client);
    const chunker = { name: "own", start: () => start({ maxBytes: 64 * KIB }) } as Chunker;
    const error = await expectCode(
      client.putObject({ bucket, key: "a", body: testBytes(100), chunker }),
      "INVALID_ARGUMENT",
    );
    expect(error.message).toContain(message);
    if (message.endsWith("boom")) expect(error.cause).toBe(own);
  });
});

describe.each(FAILURES)("a logger that %s", (_name, line) => {
  test("does not change the outcome of a call, and is reported once", async () => {
    const logger = { debug: line, info: line, warn: line, error: line, child: line } as Logger;
    for (let round = 0; round < 2; round++) {
      await using client = createClient(embedded({ path: folder.at(`logged-${_name}`), logger }));
      await client.listBuckets();
    }
    expect(told).toHaveBeenCalledTimes(1);
    expect(told.mock.calls[0]).toEqual([expect.stringContaining("logger.debug"), own]);
  });
});

describe.each(FAILURES)("an onRetry that %s", (_name, onRetry) => {
  test("does not change how the call ends", async () => {
    await using client = createClient(
      gateway({ url: `http://127.0.0.1:${await unusedPort()}`, retry: { forMs: 50, onRetry } }),
    );
    const error = await expectCode(client.headBucket({ bucket: "none" }), "NODE_UNAVAILABLE");
    expect(error.message).not.toContain("boom");
    expect(told).toHaveBeenCalledTimes(1);
  });
});

test.each<readonly [string, Partial<Hasher>]>([
  ["throws in digest", { digest: fail }],
  ["rejects in digest", { digest: rejects }],
  ["throws in incremental", { incremental: fail }],
  ["rejects in incremental", { incremental: rejects }],
  ["throws in update", { incremental: () => ({ update: fail, digest: fail }) }],
  ["throws at its end", { incremental: () => ({ update: () => {}, digest: fail }) }],
])("a hasher that %s is the caller's error", async (_name, broken) => {
  const hasher = { ...nodeCryptoHasher, ...broken };
  await using client = createClient(gateway({ url: cluster.url, apiKey: cluster.apiKey, hasher }));
  const bucket = await useBucket(client);
  const write = client.putObject({ bucket, key: "a", body: testBytes(300 * KIB), chunker: fixed(64 * KIB) });
  const error = await expectCode(write, "INVALID_ARGUMENT");
  expect(error.message).toContain("the hasher failed: boom");
  expect(error.cause).toBe(own);
});

describe("an option that lacks the functions it needs is refused at once", () => {
  const refused = (make: () => unknown): void => {
    expect(make).toThrow(expect.objectContaining({ code: "INVALID_ARGUMENT" }) as Error);
  };
  test.each(["logger", "hasher", "clock", "random", "transport", "chunker"])("as %s", (name) => {
    refused(() => gateway({ ...remote, [name]: {} }));
    refused(() => direct({ ...remote, [name]: {} }));
    refused(() => webGateway({ ...remote, [name]: null }));
  });

  test("as logger and onRetry of the embedded seat, and as tracer", () => {
    refused(() => embedded({ path: folder.at("never"), logger: {} as Logger }));
    refused(() => embedded({ path: folder.at("never"), retry: { onRetry: "told" as never } }));
    refused(() => gateway({ ...remote, retry: { onRetry: "told" as never } }));
    refused(() => traced(gateway(remote), {} as Tracer));
  });

  test("the console is good as a logger, and our own parts as the other options", () => {
    const logger = console as unknown as Logger;
    const parts = { hasher: nodeCryptoHasher, chunker: fixed() };
    expect(gateway({ ...remote, logger, ...parts }).name).toBe("gateway");
  });
});
