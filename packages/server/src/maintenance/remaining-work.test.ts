import { createMemoryChunkStore } from "@ashlar/adapters/chunk-store/memory";
import type { LayoutUse, NodeRepairs } from "@ashlar/sdk/ports";
import { beforeEach, expect, test } from "vitest";
import { type RemainingWorkCounter, remainingWorkCounter } from "./remaining-work.ts";

const MIB = 1024 * 1024;
let nowMs: number;
let versions: readonly number[];
let uses: readonly LayoutUse[];
let waiting: readonly NodeRepairs[];
/** How long a count takes. */
let countMs: number;
let counts: number;
let away: readonly string[];
let counter: RemainingWorkCounter;

beforeEach(() => {
  [nowMs, versions, uses, waiting, countMs, counts] = [0, [2, 1], [], [], 0, 0];
  away = [];
  const clock = { monotonicMs: () => nowMs, nowMs: () => 1_000_000 + nowMs };
  const layoutOf = (layoutVersion: number) => ({
    ...{ layoutVersion, replicationFactor: 3, virtualNodesPerNode: 150 },
    nodes: ["a", "b"].map((nodeId) => ({ nodeId, weight: 1 })),
  });
  const placementOf = (): never => {
    throw new Error("not asked");
  };
  counter = remainingWorkCounter({
    clock,
    topology: {
      view: { layoutsInUse: async () => versions.map(layoutOf), placementOf },
      allStores: async () =>
        ["a", "b"].map((nodeId) => ({ nodeId, store: createMemoryChunkStore(), available: !away.includes(nodeId) })),
    },
    metadata: {
      countLayoutUse: async () => uses,
      async countRepairs() {
        counts++;
        nowMs += countMs;
        return waiting;
      },
    },
  });
});

const behind = (chunkCount: number): readonly LayoutUse[] => [
  { layoutVersion: 2, chunkCount: 1000 },
  { layoutVersion: 1, chunkCount },
];
const queued = (count: number): readonly NodeRepairs[] => [
  { nodeId: "a", count, sizeBytes: count * MIB, claimedCount: 0, failingCount: 1 },
];

test("what is left is counted over all nodes and layouts, with the time of the count; before the first there is none", async () => {
  expect(counter.last()).toBeUndefined();
  uses = behind(7);
  waiting = [...queued(3), { ...queued(2)[0]!, nodeId: "b" }];
  nowMs = 60_000;
  expect(await counter.count({})).toEqual({
    ...{ layoutsInUse: 2, chunksBehind: 7, copiesWaiting: 5, copyBytesWaiting: 5 * MIB, copiesFailing: 2 },
    countedAtMs: 1_060_000,
  });
  versions = [2];
  expect(await counter.count({ always: true })).toMatchObject({ layoutsInUse: 1, chunksBehind: 0 });
});

test("the end is expected at the rate of the last counts, and not told while nothing becomes less, or when nothing is left", async () => {
  const endAt = async (chunkCount: number, atMs: number): Promise<number | undefined> => {
    uses = behind(chunkCount);
    nowMs = atMs;
    return (await counter.count({}))?.expectedEndAtMs;
  };
  expect(await endAt(1000, 0)).toBeUndefined();
  expect(await endAt(1000, 60_000)).toBeUndefined();
  // A quarter in a minute.
  expect(await endAt(750, 120_000)).toBe(1_000_000 + 120_000 + 180_000);
  // Nothing for ten minutes: a node is away.
  expect(await endAt(750, 420_000)).toBeDefined();
  expect(await endAt(750, 1_020_001)).toBeUndefined();
  // Another change of the layout.
  versions = [3, 2, 1];
  expect(await endAt(9000, 1_080_000)).toBeUndefined();
  versions = [3];
  expect(await endAt(0, 1_140_000)).toBeUndefined();
});

test("without chunks behind, the end is that of the copies that wait", async () => {
  versions = [2];
  waiting = queued(100);
  await counter.count({});
  nowMs = 60_000;
  waiting = queued(90);
  expect((await counter.count({}))?.expectedEndAtMs).toBe(1_000_000 + 60_000 + 9 * 60_000);
});

test("no end is told while something waits for a node that is away", async () => {
  versions = [2];
  waiting = queued(100);
  await counter.count({});
  nowMs = 60_000;
  waiting = queued(10);
  away = ["b"];
  expect((await counter.count({}))?.expectedEndAtMs).toBeDefined();
  away = ["a"];
  expect((await counter.count({ always: true }))?.expectedEndAtMs).toBeUndefined();
  [versions, waiting, away] = [[2, 1], [], ["b"]];
  const behindAt = async (chunkCount: number, atMs: number): Promise<number | undefined> => {
    [uses, nowMs] = [behind(chunkCount), atMs];
    return (await counter.count({}))?.expectedEndAtMs;
  };
  expect([await behindAt(100, 120_000), await behindAt(50, 180_000)]).toEqual([undefined, undefined]);
  away = [];
  expect(await behindAt(40, 240_000)).toBeDefined();
});

test("counts come at intervals, and after a long one later; what is left is told meanwhile as it was", async () => {
  countMs = 4000;
  waiting = queued(1);
  await counter.count({});
  waiting = queued(2);
  nowMs = 119_999;
  expect(await counter.count({})).toMatchObject({ copiesWaiting: 1 });
  expect(counts).toBe(1);
  nowMs = 120_000;
  expect(await counter.count({})).toMatchObject({ copiesWaiting: 2 });
  waiting = queued(3);
  expect(await counter.count({ always: true })).toMatchObject({ copiesWaiting: 3 });
});
