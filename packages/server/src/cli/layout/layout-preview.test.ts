import type { ClusterSnapshot } from "@ashlar/sdk";
import { expect, test } from "vitest";
import { previewLayout, previewText } from "./layout-preview.ts";

function cluster(count: number, replicationFactor = 3): ClusterSnapshot {
  const nodes = Array.from({ length: count }, (_, index) => ({ nodeId: `n${index + 1}`, weight: 1 }));
  return {
    nodes: nodes.map((node) => ({
      ...{ ...node, url: "http://x", softwareVersion: "1", state: "up", registeredAtMs: 0, lastHeartbeatAtMs: 0 },
    })),
    layouts: [{ layoutVersion: 4, replicationFactor, virtualNodesPerNode: 150, nodes }],
  };
}

test("a drain moves what the node holds, and no more", () => {
  const preview = previewLayout(cluster(6), { weights: { n3: 0 } });
  expect(preview.layoutVersion).toBe(5);
  const [drained] = preview.nodes.filter(({ nodeId }) => nodeId === "n3");
  expect(drained).toMatchObject({ weightBefore: 1, weightAfter: 0, shareAfter: 0 });
  expect(drained!.shareBefore).toBeGreaterThan(0.15);
  expect(preview.movingShare).toBeGreaterThanOrEqual(drained!.shareBefore - 1e-9);
  expect(preview.movingShare).toBeLessThan(drained!.shareBefore * 1.4);
  expect(preview.nodes.reduce((sum, { shareAfter }) => sum + shareAfter, 0)).toBeCloseTo(1);
  expect(preview.warnings).toEqual(["n3 has weight 0: it takes no chunks"]);
});

test("of three nodes with three copies each holds all: a fourth copy moves nothing of the others", () => {
  expect(previewLayout(cluster(3), {}).movingShare).toBe(0);
  // Two of three copies stay where they are.
  expect(previewLayout(cluster(3), { replicationFactor: 2 }).movingShare).toBe(0);
  expect(previewLayout(cluster(3, 2), { replicationFactor: 3 }).movingShare).toBeCloseTo(1 / 3);
});

test("a removal shows the node as gone, with what is wrong then", () => {
  const preview = previewLayout(cluster(3), { removeNodeIds: ["n3"] });
  expect(preview.nodes[2]).toMatchObject({ nodeId: "n3", weightBefore: 1, weightAfter: undefined, shareAfter: 0 });
  expect(preview.warnings).toEqual(["3 copies of each chunk are wanted, but only 2 nodes would take chunks"]);
  const text = previewText(preview);
  expect(text).toMatch(/^layout 5 would have 3 copies of each chunk in 2 zones; nothing was changed\n/);
  expect(text).toMatch(/n3 +1 +- +33\.33 % +0\.00 %/);
  expect(text).toContain("0.00 % of all copies would be made on other nodes");
  expect(text).toMatch(/warning: 3 copies/);
});

test("another placement format moves most copies, and the preview says how many bytes", () => {
  const [first, ...rest] = cluster(6).nodes;
  const stats = { chunkCount: 1, bytesUsed: 1024 ** 3, bytesFree: 0, bytesTotal: 0 };
  const snapshot = { ...cluster(6), nodes: [{ ...first!, stats }, { ...rest[0]!, stats }, ...rest.slice(1)] };
  const preview = previewLayout(snapshot, { placementFormat: 2 });
  expect(preview).toMatchObject({ layoutVersion: 5, placementFormat: 2 });
  // Of three copies on six nodes, half stay by chance.
  expect(preview.movingShare).toBeGreaterThan(0.4);
  expect(preview.movingShare).toBeLessThan(0.6);
  expect(preview.movingBytes).toBe(Math.round(preview.movingShare * 2 * 1024 ** 3));
  expect(previewText(preview)).toMatch(/% of all copies would be made on other nodes than now: about [\d.]+ [MG]iB$/);
  const back = { ...snapshot, layouts: [{ ...snapshot.layouts[0]!, placementFormat: 2 }] };
  expect(previewLayout(back, { placementFormat: 1 }).movingShare).toBeCloseTo(preview.movingShare);
  expect(previewLayout(back, {})).toMatchObject({ movingShare: 0, placementFormat: 2 });
});

test("an unknown node is refused as by the change itself", () => {
  expect(() => previewLayout(cluster(3), { removeNodeIds: ["x"] })).toThrow(/no node x/);
});
