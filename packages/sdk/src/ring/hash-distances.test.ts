import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { sha256Sync } from "../hash/index.ts";
import {
  buildRing,
  checkPlacement,
  createPlacement,
  type Layout,
  type LayoutNode,
  type Placement,
  shares,
  validateLayout,
} from "./index.ts";

const SEED = 20261130;

function layoutOf(nodes: readonly LayoutNode[], replicationFactor = 3): Layout {
  return { layoutVersion: 1, replicationFactor, virtualNodesPerNode: 150, placementFormat: 2, nodes };
}

function equal(count: number, prefix = "node-", zones = 0): LayoutNode[] {
  return Array.from({ length: count }, (_, index) => ({
    nodeId: `${prefix}${index + 1}`,
    weight: 1,
    ...(zones > 0 && { zone: `zone-${index % zones}` }),
  }));
}

/** Replicas on nodes that did not hold them before. */
function movedReplicas(before: Placement, after: Placement): number {
  let moved = 0;
  for (let partition = 0; partition < after.partitionCount; partition++) {
    const old = before.nodesOfPartition(partition);
    for (const node of after.nodesOfPartition(partition)) if (!old.includes(node)) moved++;
  }
  return moved;
}

function heldReplicas(placement: Placement, nodeId: string): number {
  let held = 0;
  for (let partition = 0; partition < placement.partitionCount; partition++)
    if (placement.nodesOfPartition(partition).includes(nodeId)) held++;
  return held;
}

const anyLayout: fc.Arbitrary<Layout> = fc
  .record({
    replicationFactor: fc.integer({ min: 1, max: 6 }),
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
        { minLength: 1, maxLength: 12, selector: (node) => node.nodeId },
      )
      .filter((nodes) => nodes.some((node) => node.weight > 0)),
  })
  .map(({ nodes, replicationFactor }) => layoutOf(nodes, replicationFactor));

describe("placement format 2", () => {
  test("keeps every invariant for any layout", { timeout: 120_000 }, () => {
    const property = fc.property(anyLayout, (layout) => {
      expect(checkPlacement(createPlacement(layout), layout)).toEqual([]);
    });
    fc.assert(property, { seed: SEED, numRuns: 25 });
  });

  test("does not depend on the order in which the layout lists its nodes", { timeout: 120_000 }, () => {
    const property = fc.property(anyLayout, fc.uint8Array({ minLength: 32, maxLength: 32 }), (layout, bytes) => {
      const reversed = { ...layout, nodes: [...layout.nodes].reverse() };
      const chunkId = sha256Sync(bytes);
      expect(createPlacement(reversed).nodesOf(chunkId)).toEqual(createPlacement(layout).nodesOf(chunkId));
    });
    fc.assert(property, { seed: SEED, numRuns: 15 });
  });

  test("keeps the bound and the spread with a thousand nodes in three zones", { timeout: 120_000 }, () => {
    const layout = layoutOf(equal(999, "node-", 3));
    const placement = createPlacement(layout);
    const loads = new Map<string, number>();
    for (let partition = 0; partition < placement.partitionCount; partition++) {
      const nodes = placement.nodesOfPartition(partition);
      expect(new Set(nodes.map((nodeId) => (Number(nodeId.slice(5)) - 1) % 3)).size).toBe(3);
      for (const nodeId of nodes) loads.set(nodeId, (loads.get(nodeId) ?? 0) + 1);
    }
    expect(Math.max(...loads.values())).toBeLessThanOrEqual(((1.05 * placement.partitionCount) / 999) * 3);
  });

  test("is another one than format 1, which layouts without a format have", () => {
    const { placementFormat: _, ...earlier } = layoutOf(equal(6));
    const [before, first, second] = [earlier, { ...earlier, placementFormat: 1 }, layoutOf(equal(6))].map(
      createPlacement,
    );
    expect([before?.partitionCount, first?.partitionCount, second?.partitionCount]).toEqual([4096, 4096, 65_536]);
    const tableOf = (placement: Placement | undefined): string[] =>
      Array.from({ length: 4096 }, (_, partition) => placement?.nodesOfPartition(partition).join() ?? "");
    expect(tableOf(first)).toEqual(tableOf(before));
    expect(tableOf(second)).not.toEqual(tableOf(before));
  });

  test("bounds no virtual nodes: weights are relative, and may be large", () => {
    const layout = layoutOf(equal(4).map((node) => ({ ...node, weight: 10_000 })));
    expect(checkPlacement(createPlacement(layout), layout)).toEqual([]);
  });

  test("a format that this release does not know is refused", () => {
    const layout = { ...layoutOf(equal(3)), placementFormat: 3 };
    for (const use of [validateLayout, buildRing, createPlacement, shares]) {
      expect(() => use(layout)).toThrow(
        expect.objectContaining({ code: "INVALID_ARGUMENT", details: { placementFormat: "3" } }),
      );
    }
  });
});

// Figures of docs/decisions/0057-placement-of-large-clusters.md. The least that must move is what the new node holds, or the lost one held.
describe("a layout change of placement format 2 moves little more than its share", () => {
  test.each([
    [3, 0, 1.001],
    [10, 0, 1.001],
    [12, 3, 1.001],
    [30, 0, 1.001],
    [100, 0, 1.01],
    [99, 3, 1.01],
  ])("%i nodes and one more, %i zones: at most %d times", { timeout: 120_000 }, (count, zones, most) => {
    for (const prefix of ["node-", "srv", "10.0.0."]) {
      const [few, many] = [layoutOf(equal(count, prefix, zones)), layoutOf(equal(count + 1, prefix, zones))];
      const [before, after] = [createPlacement(few), createPlacement(many)];
      // What `shares` would say, without a third table.
      const share = heldReplicas(after, `${prefix}${count + 1}`);
      expect(share).toBeGreaterThan(0);
      expect(movedReplicas(before, after) / share).toBeLessThanOrEqual(most);
      expect(movedReplicas(after, before) / share).toBeLessThanOrEqual(most);
      // The share itself is at most 1.1 of the mean; in a zone of its own size the node gets what the zone's others get.
      if (zones === 0)
        expect(movedReplicas(before, after)).toBeLessThanOrEqual(
          (1.1 * after.partitionCount * after.replicaCount) / (count + 1),
        );
    }
  });
});
