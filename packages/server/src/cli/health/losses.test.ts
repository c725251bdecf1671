import type { ClusterSnapshot } from "@ashlar/sdk";
import { LIMITS } from "@ashlar/sdk/limits";
import type { NodeRecord } from "@ashlar/sdk/ports";
import { expect, test } from "vitest";
import { lossesOf, lossesText } from "./losses.ts";
import { type Redundancy, redundancyFindings } from "./redundancy.ts";

const NOW_MS = 60 * 60_000;
const SEEN_MS = NOW_MS - 10 * 60_000;
const DOWN_AFTER_MS = LIMITS.HEARTBEAT_INTERVAL_MS * LIMITS.HEARTBEAT_MISSED_MAX;

function node(nodeId: string, more: Partial<NodeRecord> = {}): NodeRecord {
  const times = { registeredAtMs: 0, lastHeartbeatAtMs: NOW_MS };
  return { nodeId, url: `http://${nodeId}`, weight: 1, softwareVersion: "1", state: "up", ...times, ...more };
}

const down = { state: "down", lastHeartbeatAtMs: SEEN_MS } as const;
const emptied = { kind: "emptied", atMs: SEEN_MS, chunkCount: 1, bytesUsed: 1, isQueued: true } as const;

/** @param placed weights by layout, newest first. */
function snapshot(nodes: readonly NodeRecord[], ...placed: Readonly<Record<string, number>>[]): ClusterSnapshot {
  const layouts = placed.map((weights, index) => ({
    layoutVersion: placed.length - index,
    ...{ replicationFactor: 3, virtualNodesPerNode: 150 },
    nodes: Object.entries(weights).map(([nodeId, weight]) => ({ nodeId, weight })),
  }));
  return { nodes, layouts };
}

const losses = (...given: Parameters<typeof snapshot>) => lossesOf(snapshot(...given), new Map());

test("nodes are lost whose copies count by a layout in use: those that are away, and those without their disk", () => {
  const nodes = [node("a"), node("b", down), node("c", { lostDisk: emptied }), node("d", down)];
  expect(losses(nodes, { a: 1, b: 1, c: 1, d: 1 })?.nodeIds).toEqual(["b", "c", "d"]);
  expect(losses(nodes, { a: 1, c: 1 }, { a: 1, b: 1 })?.nodeIds).toEqual(["b", "c"]);
  expect(losses(nodes, { a: 1, d: 0 })).toBeUndefined();
  const killed = new Map([["a", { reason: "connect ECONNREFUSED", isRefused: true }]]);
  expect(lossesOf(snapshot(nodes, { a: 1 }), killed)?.nodeIds).toEqual(["a"]);
});

test("a count is from before if it is older than the last loss, as the registry saw it", () => {
  const lost = node("c", { lostDisk: emptied });
  expect(losses([lost], { c: 1 })?.sinceMs).toBe(SEEN_MS);
  expect(losses([lost, node("b", down)], { b: 1, c: 1 })?.sinceMs).toBe(SEEN_MS + DOWN_AFTER_MS);
});

test("many nodes are not all named", () => {
  expect(lossesText({ nodeIds: ["a", "b"] })).toBe("a, b");
  expect(lossesText({ nodeIds: ["a", "b", "c", "d", "e", "f", "g"] })).toBe("a, b, c, d, e and 2 others");
});

const REDUNDANCY: Redundancy = {
  copies: { byCopies: [0, 0, 0, 9], lost: 0, short: 0, countedAtMs: SEEN_MS },
  moves: { chunkCount: 5, layoutCount: 2, expectedEndAtMs: NOW_MS + 1000 },
  repairs: {
    ...{ kind: "moving", count: 2, sizeBytes: 10, failingCount: 0, bytesPerSecond: 1 },
    expectedEndAtMs: NOW_MS + 1000,
  },
};

test("while nodes are lost, figures claim neither that nothing is missing, nor an end, nor that an older count still holds", () => {
  const lost = losses([node("b", down), node("c", down)], { b: 1, c: 1 });
  const [moves, repairs, copies] = redundancyFindings(REDUNDANCY, NOW_MS, lost);
  expect(moves).toMatchObject({ level: "note", why: expect.stringMatching(/, and copies on b, c are missing$/) });
  expect(repairs).toMatchObject({ level: "warning", what: expect.stringMatching(/missing ones, and those that move/) });
  expect(copies).toMatchObject({
    level: "note",
    what: expect.stringMatching(/ago\), before b, c were lost or went away$/),
  });
  for (const finding of [moves, repairs]) expect(finding?.what).not.toMatch(/done in|about/);
});

test("without losses, or with a count since then, the count holds", () => {
  const [moves, repairs, copies] = redundancyFindings(REDUNDANCY, NOW_MS);
  expect([moves?.level, repairs?.level, copies?.level]).toEqual(["note", "note", "ok"]);
  for (const finding of [moves, repairs]) expect(finding?.what).toMatch(/done in about 1s/);
  const counted = { ...REDUNDANCY, copies: { ...REDUNDANCY.copies!, countedAtMs: NOW_MS } };
  expect(redundancyFindings(counted, NOW_MS, losses([node("b", down)], { b: 1 }))[2]?.level).toBe("ok");
});
