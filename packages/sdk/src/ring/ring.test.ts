import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { AshlarError } from "../errors/index.ts";
import { sha256Sync } from "../hash/index.ts";
import {
  buildRing,
  checkPlacement,
  checkRing,
  createPlacement,
  type Layout,
  type LayoutNode,
  PARTITION_COUNT,
  type Placement,
  shares,
  validateLayout,
} from "./index.ts";

const SEED = 20261124;

function layoutOf(nodes: readonly LayoutNode[], replicationFactor = 3): Layout {
  return { layoutVersion: 1, replicationFactor, virtualNodesPerNode: 150, nodes };
}

function equal(count: number, options: { prefix?: string; zones?: number } = {}): LayoutNode[] {
  const { prefix = "node-", zones } = options;
  return Array.from({ length: count }, (_, index) => ({
    nodeId: `${prefix}${index + 1}`,
    weight: 1,
    zone: zones === undefined ? undefined : `zone-${index % zones}`,
  }));
}

/** Replicas on nodes that did not hold them before. */
function movedReplicas(before: Placement, after: Placement): number {
  let moved = 0;
  for (let partition = 0; partition < PARTITION_COUNT; partition++) {
    const old = before.nodesOfPartition(partition);
    moved += after.nodesOfPartition(partition).filter((node) => !old.includes(node)).length;
  }
  return moved;
}

const anyLayout: fc.Arbitrary<Layout> = fc.record({
  layoutVersion: fc.nat(),
  replicationFactor: fc.integer({ min: 1, max: 6 }),
  virtualNodesPerNode: fc.constantFrom(1, 10, 150),
  nodes: fc
    .uniqueArray(
      fc.record({
        nodeId: fc.stringMatching(/^[A-Za-z0-9._-]{1,12}$/),
        weight: fc.oneof(
          fc.constant(1),
          fc.constantFrom(0, 0.25, 0.5, 2, 3),
          fc.integer({ min: 1, max: 400 }).map((n) => n / 100),
        ),
        zone: fc.constantFrom(undefined, "a", "b", "c"),
      }),
      { minLength: 1, maxLength: 9, selector: (node) => node.nodeId },
    )
    .filter((nodes) => nodes.some((node) => node.weight > 0)),
});

describe("ring", () => {
  test("has 150 virtual nodes per node at weight 1, in ascending order", () => {
    const ring = buildRing(layoutOf(equal(6)));
    expect(ring.tokens).toHaveLength(900);
    expect(checkRing(ring, layoutOf(equal(6)))).toEqual([]);
  });

  test("scales virtual nodes with the weight: none at 0, at least one above", () => {
    const weights = [0, 0.001, 0.5, 1, 2];
    const layout = layoutOf(weights.map((weight, index) => ({ nodeId: `s${index}`, weight })));
    expect(shares(layout).map((share) => share.virtualNodes)).toEqual([0, 1, 75, 150, 300]);
    expect(checkRing(buildRing(layout), layout)).toEqual([]);
  });

  test("checkRing reports a missing, a foreign and an unordered token", () => {
    const layout = layoutOf(equal(2));
    const ring = buildRing(layout);
    const tokens = ring.tokens.slice();
    tokens[5] = (tokens[5] ?? 0n) ^ (1n << 63n);
    const problems = checkRing({ ...ring, tokens }, layout);
    expect(problems.some((problem) => problem.includes("smaller than the one before"))).toBe(true);
    expect(problems.some((problem) => problem.includes("lacks the token of virtual node"))).toBe(true);
  });
});

describe("placement", () => {
  test("keeps every invariant for any layout", () => {
    const property = fc.property(anyLayout, (layout) => {
      expect(checkPlacement(createPlacement(layout), layout)).toEqual([]);
    });
    fc.assert(property, { seed: SEED, numRuns: 100 });
  });

  test("does not depend on the order in which the layout lists its nodes", () => {
    const property = fc.property(anyLayout, fc.uint8Array({ minLength: 32, maxLength: 32 }), (layout, bytes) => {
      const reversed = { ...layout, nodes: [...layout.nodes].reverse() };
      const chunkId = sha256Sync(bytes);
      expect(createPlacement(reversed).nodesOf(chunkId)).toEqual(createPlacement(layout).nodesOf(chunkId));
    });
    fc.assert(property, { seed: SEED, numRuns: 30 });
  });

  test.each([1, 2, 3, 4, 6, 7, 10, 20, 60])("keeps the fullest of %i equal nodes within 1.05 of the mean", (count) => {
    for (const prefix of ["node-", "srv", "10.0.0."]) {
      for (const factor of [1, 2, 3]) {
        const loads = shares(layoutOf(equal(count, { prefix }), factor)).map((share) => share.totalShare);
        expect(Math.max(...loads) * count).toBeLessThanOrEqual(1.05 + 1e-9);
      }
    }
  });

  test("places no replica twice in a zone while another zone is free, and repeats zones evenly after", () => {
    const three = createPlacement(layoutOf(equal(6, { zones: 3 })));
    const two = createPlacement(layoutOf(equal(6, { zones: 2 }), 4));
    const zoneOf = (nodeId: string, zones: number): number => (Number(nodeId.slice(5)) - 1) % zones;
    for (let partition = 0; partition < PARTITION_COUNT; partition++) {
      expect(new Set(three.nodesOfPartition(partition).map((id) => zoneOf(id, 3))).size).toBe(3);
      const zones = two.nodesOfPartition(partition).map((id) => zoneOf(id, 2));
      expect([new Set(zones.slice(0, 2)).size, new Set(zones.slice(2)).size]).toEqual([2, 2]);
    }
  });

  test("prefers the spread over zones to balance: a zone of one node holds a replica of everything", () => {
    const layout = layoutOf([...equal(6, { zones: 2 }), { nodeId: "lone", weight: 1, zone: "z" }]);
    expect(shares(layout).find((share) => share.nodeId === "lone")?.totalShare).toBeCloseTo(1 / 3, 12);
  });

  test("places nothing on a node of weight 0", () => {
    const layout = layoutOf([...equal(3), { nodeId: "drained", weight: 0 }], 4);
    const placement = createPlacement(layout);
    expect(placement.replicaCount).toBe(3);
    expect(shares(layout).find((share) => share.nodeId === "drained")?.totalShare).toBe(0);
  });

  test("checkPlacement reports every kind of violation", () => {
    const layout = layoutOf([...equal(6, { zones: 3 }), { nodeId: "drained", weight: 0 }]);
    const good = createPlacement(layout);
    const broken = (nodes: readonly string[]): readonly string[] =>
      checkPlacement(
        { ...good, nodesOfPartition: (partition) => (partition === 7 ? nodes : good.nodesOfPartition(partition)) },
        layout,
      );
    expect(broken(["node-1", "node-2"])).toContain("partition 7 has 2 nodes instead of 3");
    expect(broken(["node-1", "node-1", "node-2"])).toContain("partition 7 has a node twice");
    expect(broken(["node-1", "node-2", "drained"])).toContain("partition 7 has a node that takes no chunks");
    expect(broken(["node-1", "node-2", "unknown"])).toContain("partition 7 has a node that takes no chunks");
    expect(broken(["node-1", "node-4", "node-2"])).toContain("partition 7 is not spread over the zones");
    const lopsided = checkPlacement({ ...good, nodesOfPartition: () => ["node-1", "node-2", "node-3"] }, layout);
    expect(lopsided.filter((problem) => problem.endsWith("2150 at most"))).toHaveLength(3);
  });

  test("refuses a partition that does not exist", () => {
    const placement = createPlacement(layoutOf(equal(3)));
    for (const partition of [-1, PARTITION_COUNT, 0.5, Number.NaN]) {
      expect(() => placement.nodesOfPartition(partition)).toThrow(
        expect.objectContaining({ code: "INVALID_ARGUMENT" }),
      );
    }
  });
});

// Figures of docs/decisions/0010-placement.md. The share of a change is what must move at least: the new node's load, or the lost one's.
describe("a layout change moves little more than its share", () => {
  const prefixes = ["node-", "srv", "stone.", "10.0.0."];

  test.each([
    [4, 3, undefined],
    [6, 1, undefined],
    [6, 3, undefined],
    [10, 3, undefined],
    [20, 3, undefined],
    [6, 3, 3],
  ])("%i nodes and one more, %i copies, %s zones", (count, factor, zones) => {
    for (const prefix of prefixes) {
      const options = zones === undefined ? { prefix } : { prefix, zones };
      const [few, many] = [layoutOf(equal(count, options), factor), layoutOf(equal(count + 1, options), factor)];
      const [before, after] = [createPlacement(few), createPlacement(many)];
      const added = shares(many).find((share) => share.nodeId === `${prefix}${count + 1}`);
      const share = (added?.totalShare ?? 0) * PARTITION_COUNT * factor;
      expect(share).toBeGreaterThan(0);
      expect(movedReplicas(before, after) / share).toBeLessThanOrEqual(1.1);
      expect(movedReplicas(after, before) / share).toBeLessThanOrEqual(1.1);
    }
  });

  test("a node whose weight doubles takes no more than the growth of its fair share", () => {
    for (const prefix of prefixes) {
      const nodes = equal(6, { prefix });
      const heavier = nodes.map((node, index) => (index === 2 ? { ...node, weight: 2 } : node));
      const [before, after] = [layoutOf(nodes), layoutOf(heavier)];
      const growth = (shares(after)[2]?.fairShare ?? 0) - (shares(before)[2]?.fairShare ?? 0);
      const moved = movedReplicas(createPlacement(before), createPlacement(after));
      expect(moved / (growth * PARTITION_COUNT * 3)).toBeLessThanOrEqual(1.1);
    }
  });
});

describe("a layout is refused", () => {
  const good = layoutOf(equal(3));
  test.each<[string, Layout]>([
    ["without nodes", { ...good, nodes: [] }],
    ["without a node of weight > 0", { ...good, nodes: [{ nodeId: "a", weight: 0 }] }],
    ["with a node named twice", { ...good, nodes: [...good.nodes, { nodeId: "node-1", weight: 2 }] }],
    ["with an empty node id", { ...good, nodes: [{ nodeId: "", weight: 1 }] }],
    ["with a node id of 65 characters", { ...good, nodes: [{ nodeId: "a".repeat(65), weight: 1 }] }],
    ["with a node id that has a #", { ...good, nodes: [{ nodeId: "a#1", weight: 1 }] }],
    ["with a node id that ends in a line feed", { ...good, nodes: [{ nodeId: "a\n", weight: 1 }] }],
    ["with an illegal zone", { ...good, nodes: [{ nodeId: "a", weight: 1, zone: "a:b" }] }],
    ["with a negative weight", { ...good, nodes: [{ nodeId: "a", weight: -1 }] }],
    ["with a weight that is no number", { ...good, nodes: [{ nodeId: "a", weight: Number.NaN }] }],
    ["with an infinite weight", { ...good, nodes: [{ nodeId: "a", weight: Number.POSITIVE_INFINITY }] }],
    ["with weights that ask for too many virtual nodes", { ...good, nodes: [{ nodeId: "a", weight: 4000 }] }],
    ["with 1,025 nodes", { ...good, nodes: equal(1025) }],
    ["with no copies", { ...good, replicationFactor: 0 }],
    ["with 17 copies", { ...good, replicationFactor: 17 }],
    ["with half a copy", { ...good, replicationFactor: 1.5 }],
    ["without virtual nodes", { ...good, virtualNodesPerNode: 0 }],
    ["with a negative version", { ...good, layoutVersion: -1 }],
  ])("%s", (_, layout) => {
    for (const use of [validateLayout, buildRing, createPlacement, shares]) {
      expect(() => use(layout)).toThrow(AshlarError);
      expect(() => use(layout)).toThrow(expect.objectContaining({ code: "INVALID_ARGUMENT" }));
    }
  });
});
