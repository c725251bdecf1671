import { changedLayout, type Layout } from "@ashlar/sdk/ports";
import { describe, expect, test } from "vitest";
import { layoutWithNode, resolveLayoutDefaults } from "./layout-changes.ts";

const defaults = resolveLayoutDefaults({});
const two: Layout = {
  ...{ layoutVersion: 4, replicationFactor: 2, virtualNodesPerNode: 100 },
  nodes: [
    { nodeId: "a", weight: 1 },
    { nodeId: "c", zone: "z", weight: 2 },
  ],
};
const code = (run: () => unknown): unknown => {
  try {
    return run();
  } catch (error) {
    return (error as { code?: string }).code;
  }
};

describe("a node that registers", () => {
  test("joins in its place, and the numbers of the layout stay", () => {
    const next = layoutWithNode(two, { nodeId: "b", zone: "y", weight: 0.5 }, defaults);
    const nodes = [two.nodes[0], { nodeId: "b", zone: "y", weight: 0.5 }, two.nodes[1]];
    expect(next).toEqual({ ...two, layoutVersion: 5, nodes });
  });

  test("changes nothing if it is there, unless it has moved to another zone", () => {
    expect(layoutWithNode(two, { nodeId: "c", weight: 9 }, defaults)).toBeUndefined();
    expect(layoutWithNode(two, { nodeId: "c", zone: "z", weight: 9 }, defaults)).toBeUndefined();
    const moved = layoutWithNode(two, { nodeId: "c", zone: "x", weight: 9 }, defaults);
    expect(moved?.nodes[1]).toEqual({ nodeId: "c", zone: "x", weight: 2 });
  });

  test("begins the first layout, but not with a weight of 0", () => {
    expect(layoutWithNode(undefined, { nodeId: "a", weight: 1 }, defaults)).toEqual({
      ...{ layoutVersion: 1, replicationFactor: 3, virtualNodesPerNode: 150, placementFormat: 2 },
      nodes: [{ nodeId: "a", weight: 1 }],
    });
    expect(layoutWithNode(undefined, { nodeId: "a", weight: 0 }, defaults)).toBeUndefined();
  });
});

describe("an operator's change", () => {
  const registered = new Map([["b", { nodeId: "b", zone: "y", weight: 1 }]]);
  const context = { registered, defaults };

  test("sets weights, brings registered nodes in and takes others out", () => {
    const next = changedLayout(two, { weights: { a: 0, b: 3 }, removeNodeIds: ["c"] }, context);
    expect(next.nodes).toEqual([
      { nodeId: "a", weight: 0 },
      { nodeId: "b", zone: "y", weight: 3 },
    ]);
    expect([next.layoutVersion, next.replicationFactor, next.virtualNodesPerNode]).toEqual([5, 2, 100]);
  });

  test("is refused if it names an unknown node or leaves none", () => {
    expect(code(() => changedLayout(two, { weights: { x: 1 } }, context))).toBe("NODE_NOT_FOUND");
    expect(code(() => changedLayout(two, { removeNodeIds: ["b"] }, context))).toBe("NODE_NOT_FOUND");
    expect(code(() => changedLayout(two, { removeNodeIds: ["a", "c"] }, context))).toBe("INVALID_ARGUMENT");
    expect(code(() => changedLayout(undefined, {}, context))).toBe("INVALID_ARGUMENT");
    expect(code(() => changedLayout(two, { weights: { a: 1000, c: 1000, b: 1000 } }, context))).toBe(
      "INVALID_ARGUMENT",
    );
  });
});
