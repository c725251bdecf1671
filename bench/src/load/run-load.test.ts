import { createHash } from "node:crypto";
import { expect, test } from "vitest";
import type { LoadBody, ObjectStoreClient } from "./object-store-client.ts";
import { runPhase } from "./phase.ts";
import { type LoadPlan, runLoad } from "./run-load.ts";
import { uniqueBody, uniqueBytes } from "./unique-body.ts";

const MIB = 1024 * 1024;
const PLAN: LoadPlan = {
  ...{ bulkBytes: 6 * MIB, bulkObjectBytes: 2 * MIB, bulkInFlight: 2, singleBytes: 5 * MIB, largeLimitMs: 10_000 },
  ...{ smallCount: 200, smallLimitMs: 10_000, smallBytes: 4096, smallInFlight: 16 },
};

/** A store that keeps sizes, and counts. */
function countingStore(lost = 0): ObjectStoreClient & { readonly sizes: Map<string, number>; busiest: number } {
  const sizes = new Map<string, number>();
  let running = 0;
  const store = {
    sizes,
    busiest: 0,
    async put(key: string, body: LoadBody | Uint8Array) {
      store.busiest = Math.max(store.busiest, ++running);
      let received = 0;
      const slices = body instanceof Uint8Array ? [body] : body.open();
      for await (const slice of slices) received += slice.byteLength;
      await new Promise((resolve) => setTimeout(resolve, 1));
      sizes.set(key, received);
      running--;
    },
    get: async (key: string) => (sizes.get(key) ?? 0) - lost,
    list: async (prefix: string) => [...sizes.keys()].filter((key) => key.startsWith(prefix)).length,
    delete: async (key: string) => void sizes.delete(key),
    close: async () => {},
  };
  return store;
}

test("a load puts and gets what its plan says, through any client", async () => {
  const store = countingStore();
  const { putBulk, getBulk, putSingle, getSmall } = await runLoad(store, PLAN);
  expect(putBulk).toMatchObject({ objects: 3, sizeBytes: 6 * MIB });
  expect(getBulk).toMatchObject({ objects: 3, sizeBytes: 6 * MIB });
  expect(putSingle).toMatchObject({ objects: 1, sizeBytes: 5 * MIB });
  expect(getSmall).toMatchObject({ objects: 200, sizeBytes: 200 * 4096 });
  expect(await store.list("small/")).toBe(200);
  expect(store.busiest).toBe(16);
});

test("an object that comes back short ends the load", async () => {
  await expect(runLoad(countingStore(1), PLAN)).rejects.toThrow(/came back/);
});

test("a slow store moves fewer and smaller large objects", async () => {
  const store = countingStore();
  const slow = { ...store, put: (...[key, body]: Parameters<typeof store.put>) => delayed(() => store.put(key, body)) };
  const plan = { ...PLAN, bulkBytes: 200 * MIB, singleBytes: 200 * MIB, largeLimitMs: 200, smallCount: 0 };
  const { putBulk, getBulk, putSingle, getSingle } = await runLoad(slow, plan);
  expect(putBulk?.objects).toBeLessThan(20);
  expect(getBulk?.objects).toBe(putBulk?.objects);
  expect(putSingle?.sizeBytes).toBeLessThan(40 * MIB);
  expect(putSingle?.sizeBytes).toBeGreaterThanOrEqual(2 * MIB);
  expect(getSingle?.sizeBytes).toBe(putSingle?.sizeBytes);
});

async function delayed(work: () => Promise<void>): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, 100));
  await work();
}

test("what a plan leaves out is not run", async () => {
  const report = await runLoad(countingStore(), { ...PLAN, bulkBytes: 0, singleBytes: 0 });
  expect(Object.keys(report)).toEqual(["putSmall", "getSmall"]);
});

test("a phase ends at its time limit, and sees that the event loop was blocked", async () => {
  const block = async (): Promise<number> => {
    await new Promise((resolve) => setTimeout(resolve, 5));
    for (const begunAtMs = performance.now(); performance.now() - begunAtMs < 60; );
    return 1;
  };
  const report = await runPhase({ count: 1000, inFlight: 1, limitMs: 150 }, block);
  expect(report.objects).toBeGreaterThanOrEqual(1);
  expect(report.objects).toBeLessThan(10);
  expect(report.loopMaxMs).toBeGreaterThan(40);
  expect(report.latencyP50Ms).toBeGreaterThan(60);
});

test("no two MiB of any bodies are alike, opened twice or at the same time", async () => {
  const digests = new Set<string>();
  const one = uniqueBody(4 * MIB);
  const other = uniqueBody(3 * MIB + 1);
  await Promise.all(
    [one, one, other].map(async (body) => {
      for await (const slice of body.open()) {
        const digest = createHash("sha256").update(slice).digest("hex");
        await new Promise((resolve) => setImmediate(resolve));
        // A slice is valid until the next one is asked for, whatever the other bodies do.
        expect(createHash("sha256").update(slice).digest("hex")).toBe(digest);
        digests.add(digest);
      }
    }),
  );
  expect(digests.size).toBe(4 + 4 + 4);
  const small = Array.from({ length: 100 }, () => Buffer.from(uniqueBytes(4096)).toString("hex"));
  expect(new Set(small).size).toBe(100);
});
