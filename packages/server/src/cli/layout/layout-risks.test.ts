import type { ClusterSnapshot } from "@ashlar/sdk";
import { AshlarError } from "@ashlar/sdk/errors";
import type { NodeRecord, NodeState } from "@ashlar/sdk/ports";
import { describe, expect, test } from "vitest";
import type { NodeAnswers } from "../health/ask-nodes.ts";
import type { Redundancy } from "../health/redundancy.ts";
import { assertDrainable, assertRemovable, layoutWarnings } from "./layout-risks.ts";

const HOUR_MS = 3_600_000;

function cluster(
  weights: Readonly<Record<string, number>>,
  { states = {}, older = {} }: { states?: Record<string, NodeState>; older?: Record<string, number> } = {},
): ClusterSnapshot {
  const ids = Object.keys({ ...older, ...weights });
  const layoutOf = (layoutVersion: number, entries: Readonly<Record<string, number>>) => ({
    ...{ layoutVersion, replicationFactor: 3, virtualNodesPerNode: 150 },
    nodes: Object.entries(entries).map(([nodeId, weight]) => ({ nodeId, weight })),
  });
  const nodes = ids.map(
    (nodeId): NodeRecord => ({
      ...{ nodeId, url: `http://${nodeId}`, weight: 1, softwareVersion: "1", registeredAtMs: 0 },
      ...{ lastHeartbeatAtMs: HOUR_MS, state: states[nodeId] ?? "up" },
    }),
  );
  return {
    nodes,
    layouts: [layoutOf(2, weights), ...(Object.keys(older).length === 0 ? [] : [layoutOf(1, older)])],
  };
}

const refusal = (run: () => void): { readonly code: string; readonly message: string } | undefined => {
  try {
    run();
    return undefined;
  } catch (error) {
    return AshlarError.from(error);
  }
};

describe("a drain", () => {
  const drain = (snapshot: ClusterSnapshot, nodeIds: readonly string[], force = false) =>
    refusal(() => assertDrainable(snapshot, nodeIds, { force }));

  test("is refused for an unknown node, whatever is forced", () => {
    expect(drain(cluster({ a: 1, b: 1, c: 1, d: 1 }), ["d", "x"], true)?.code).toBe("NODE_NOT_FOUND");
    expect(drain(cluster({ a: 1, b: 1, c: 1, d: 1 }), ["d"])).toBeUndefined();
  });

  test("that leaves fewer nodes than copies is refused, unless it is forced; weight 0 does not count as a node", () => {
    const refused = drain(cluster({ a: 1, b: 1, c: 1, d: 1, e: 0 }), ["c", "d"]);
    expect(refused?.code).toBe("PRECONDITION_FAILED");
    expect(refused?.message).toMatch(/3 copies .* only 2 nodes would take chunks \(a, b\).*--force/);
    expect(drain(cluster({ a: 1, b: 1, c: 1 }), ["c"], true)).toBeUndefined();
  });

  test("of the last nodes is refused, whatever is forced", () => {
    for (const force of [true, false])
      expect(drain(cluster({ a: 1, b: 0 }), ["a"], force)?.code).toBe("PRECONDITION_FAILED");
  });

  test("of a node that takes no chunks already is not refused: it waits for what is left of an earlier one", () => {
    expect(drain(cluster({ a: 1, b: 1, c: 0 }, { older: { a: 1, b: 1, c: 1 } }), ["c"])).toBeUndefined();
    expect(drain(cluster({ a: 1, b: 1 }, { older: { a: 1, b: 1, c: 1 } }), ["c"])).toBeUndefined();
  });
});

describe("a removal", () => {
  const refused: NodeAnswers = new Map([["d", { reason: "ECONNREFUSED", isRefused: true }]]);
  const counted = (byCopies: readonly number[], countedAtMs = 2 * HOUR_MS): Redundancy => ({
    countedAtMs,
    ...(byCopies.length > 0 && { copies: { byCopies, lost: 0, short: 0, countedAtMs } }),
  });
  const remove = (snapshot: ClusterSnapshot, figures: Redundancy, answers: NodeAnswers = new Map()) =>
    refusal(() => assertRemovable({ snapshot, answers, figures }, ["d"]));
  const all = { a: 1, b: 1, c: 1, d: 1 };
  const down = cluster(all, { states: { d: "down" } });

  test("of a node that is up is allowed, whatever is known: its copies move while it runs", () => {
    expect(remove(cluster(all), {})).toBeUndefined();
  });

  test("of a node that is not up is refused if no gateway tells of the copies", () => {
    for (const [snapshot, answers] of [
      [down, undefined],
      [cluster(all, { states: { d: "stopped" } }), undefined],
      // Killed a moment ago: the registry does not know it yet.
      [cluster(all), refused],
    ] as const) {
      const error = remove(snapshot, {}, answers);
      expect(error?.code).toBe("PRECONDITION_FAILED");
      expect(error?.message).toMatch(/^d is not up, and no gateway tells .*start it again.*layout drain.*--force$/);
    }
  });

  test("is refused if a chunk has no copy on a node that is up, or if the last count is from before the node was away", () => {
    expect(remove(down, counted([2, 0, 5]))?.message).toMatch(/2 chunks have no copy on a node that is up/);
    expect(remove(down, counted([0, 3, 5]))).toBeUndefined();
    expect(remove(down, counted([]))).toBeUndefined();
    expect(remove(down, counted([0, 3, 5], HOUR_MS + 29_000))?.message).toMatch(/has not counted the copies since/);
    expect(remove(cluster(all), counted([0, 3, 5], HOUR_MS + 29_000), refused)?.code).toBe("PRECONDITION_FAILED");
    const stopped = cluster(all, { states: { d: "stopped" } });
    expect(remove(stopped, counted([0, 3, 5], HOUR_MS + 1))).toBeUndefined();
  });

  test("of a node that was drained and then stopped is allowed: no layout in use places chunks there", () => {
    const drained = { ...all, d: 0 };
    expect(remove(cluster(drained, { states: { d: "stopped" } }), {})).toBeUndefined();
    const moving = cluster(drained, { states: { d: "stopped" }, older: all });
    expect(remove(moving, {})?.code).toBe("PRECONDITION_FAILED");
  });
});

test("warnings name too few nodes, too few zones and nodes of weight 0", () => {
  const of = (nodes: ReadonlyArray<readonly [string, number, string?]>) =>
    layoutWarnings({
      ...{ layoutVersion: 1, replicationFactor: 3, virtualNodesPerNode: 150 },
      nodes: nodes.map(([nodeId, weight, zone]) => ({ nodeId, weight, zone })),
    });
  expect(
    of([
      ["a", 1],
      ["b", 1],
      ["c", 1],
    ]),
  ).toEqual([]);
  expect(
    of([
      ["a", 1],
      ["b", 1],
      ["c", 0],
    ]),
  ).toEqual([
    "3 copies of each chunk are wanted, but only 2 nodes would take chunks",
    "c has weight 0: it takes no chunks",
  ]);
  expect(
    of([
      ["a", 1, "x"],
      ["b", 1, "x"],
      ["c", 1, "y"],
    ]),
  ).toEqual(["3 copies of each chunk are wanted, but there would be only 2 zones: some share one"]);
});

test("a large layout of placement format 1 is told of format 2", () => {
  const nodes = Array.from({ length: 51 }, (_, index) => ({ nodeId: `n${index}`, weight: 1 }));
  const layout = { layoutVersion: 1, replicationFactor: 3, virtualNodesPerNode: 150, nodes };
  expect(layoutWarnings(layout)).toEqual([
    expect.stringMatching(/format 1, .*51 nodes.*--placement-format 2 --dry-run/),
  ]);
  expect(layoutWarnings({ ...layout, placementFormat: 2 })).toEqual([]);
  expect(layoutWarnings({ ...layout, nodes: nodes.slice(1) })).toEqual([]);
});
