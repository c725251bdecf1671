import { expect } from "vitest";
import type { ChunkRef, MetadataStore, NodeRegistration } from "../../ports/index.ts";
import { expectCode } from "../chunk-store/expectations.ts";
import type { MetadataStoreCase } from "./contract-case.ts";
import { BUCKET, chunkedCommit, chunksOf, dropAll, partOf, startUpload, withBucket } from "./fixtures.ts";

const STATS = { chunkCount: 1, bytesUsed: 2, bytesFree: 3, bytesTotal: 4 };

function node(nodeId: string, change: Partial<NodeRegistration> = {}): NodeRegistration {
  return { nodeId, url: `http://${nodeId}:50051`, softwareVersion: "1.0.0", ...change };
}

async function newestLayout(
  store: MetadataStore,
): Promise<{ version: number | undefined; nodes: Record<string, number> }> {
  const layout = (await store.clusterSnapshot()).layouts[0];
  return {
    version: layout?.layoutVersion,
    nodes: Object.fromEntries((layout?.nodes ?? []).map((one) => [one.nodeId, one.weight])),
  };
}

export const NODE_CASES: readonly MetadataStoreCase[] = [
  {
    name: "a change that changes nothing makes no new layout",
    async run({ store }) {
      await store.registerNode(node("n1"));
      await store.registerNode(node("n2"));
      const { layoutVersion } = await store.changeLayout({ weights: { n1: 2 } });
      expect(await store.changeLayout({ weights: { n1: 2 }, replicationFactor: 3 })).toMatchObject({ layoutVersion });
      expect(await newestLayout(store)).toEqual({ version: layoutVersion, nodes: { n1: 2, n2: 1 } });
      expect((await store.changeLayout({ weights: { n1: 1 } })).layoutVersion).toBe(layoutVersion + 1);
    },
  },
  {
    name: "a cluster without nodes has no layout",
    async run({ store }) {
      expect(await store.clusterSnapshot()).toEqual({ nodes: [], layouts: [] });
      await expectCode(store.changeLayout({ replicationFactor: 2 }), "INVALID_ARGUMENT");
    },
  },
  {
    name: "a node that registers is up and joins the layout by itself",
    async run({ store }) {
      expect(await store.registerNode(node("n2", { zone: "z", weight: 2 }))).toEqual({ layoutVersion: 1 });
      expect(await store.registerNode(node("n1"))).toEqual({ layoutVersion: 2 });
      const { nodes, layouts } = await store.clusterSnapshot();
      expect(layouts).toEqual([
        {
          ...{ layoutVersion: 2, replicationFactor: 3, virtualNodesPerNode: 150, placementFormat: 2 },
          nodes: [
            { nodeId: "n1", weight: 1 },
            { nodeId: "n2", zone: "z", weight: 2 },
          ],
        },
      ]);
      expect(nodes.map(({ nodeId, state, weight, zone }) => [nodeId, state, weight, zone])).toEqual([
        ["n1", "up", 1, undefined],
        ["n2", "up", 2, "z"],
      ]);
    },
  },
  {
    name: "a node that registers again updates its row and changes no layout",
    async run({ store }) {
      await store.registerNode(node("n1"));
      await store.stopNode("n1");
      const change = { url: "http://elsewhere:1", softwareVersion: "2.0.0" };
      expect(await store.registerNode(node("n1", change))).toEqual({ layoutVersion: 1 });
      const { nodes } = await store.clusterSnapshot();
      expect(nodes).toHaveLength(1);
      expect(nodes[0]).toMatchObject({ ...change, state: "up", weight: 1 });
    },
  },
  {
    name: "a node id that is up under one URL is refused for another URL, until that node has stopped",
    async run({ store }) {
      await store.registerNode(node("n1"));
      const elsewhere = node("n1", { url: "http://elsewhere:1", zone: "z", softwareVersion: "2.0.0" });
      const before = await store.clusterSnapshot();
      const refused = await expectCode(store.registerNode(elsewhere), "PRECONDITION_FAILED");
      expect(refused.details).toEqual({ nodeId: "n1", url: "http://n1:50051" });
      expect(await store.clusterSnapshot()).toEqual(before);
      // A node with the same URL may register again at once, also after a crash.
      await store.registerNode(node("n1"));
      await store.stopNode("n1");
      await store.registerNode(elsewhere);
      expect((await store.clusterSnapshot()).nodes[0]).toMatchObject({ url: "http://elsewhere:1", state: "up" });
    },
  },
  {
    name: "a heartbeat stores the statistics and returns the newest layout version; an unknown node has to register",
    async run({ store }) {
      await store.registerNode(node("n1"));
      const [before] = (await store.clusterSnapshot()).nodes;
      expect(before?.stats).toBeUndefined();
      expect(await store.heartbeat({ nodeId: "n1", stats: STATS })).toEqual({ layoutVersion: 1 });
      const [after] = (await store.clusterSnapshot()).nodes;
      expect(after?.stats).toEqual(STATS);
      expect(after?.lastHeartbeatAtMs).toBeGreaterThanOrEqual(before!.lastHeartbeatAtMs);
      expect(after?.registeredAtMs).toBe(before?.registeredAtMs);
      await expectCode(store.heartbeat({ nodeId: "n2", stats: STATS }), "NODE_NOT_FOUND");
    },
  },
  {
    name: "a stopped node says so and stays in the layout",
    async run({ store }) {
      await store.registerNode(node("n1"));
      await store.stopNode("n1");
      const { nodes, layouts } = await store.clusterSnapshot();
      expect(nodes[0]?.state).toBe("stopped");
      expect(layouts[0]?.nodes).toHaveLength(1);
      await expectCode(store.stopNode("n2"), "NODE_NOT_FOUND");
    },
  },
  {
    name: "ten nodes that register at once are all in the newest layout",
    async run({ store }) {
      const ids = Array.from({ length: 10 }, (_, index) => `n${index}`);
      await Promise.all(ids.map((id) => store.registerNode(node(id))));
      const { version, nodes } = await newestLayout(store);
      expect([version, Object.keys(nodes)]).toEqual([10, ids]);
    },
  },
  {
    name: "a layout keeps its placement format until an operator changes it",
    async run({ store }) {
      const formatOf = async (): Promise<number | undefined> =>
        (await store.clusterSnapshot()).layouts[0]?.placementFormat;
      await store.registerNode(node("n1"));
      expect(await formatOf()).toBe(2);
      expect(await store.changeLayout({ placementFormat: 2 })).toMatchObject({ layoutVersion: 1 });
      const earlier = await store.changeLayout({ placementFormat: 1 });
      expect([earlier.layoutVersion, earlier.placementFormat]).toEqual([2, undefined]);
      // As layouts of earlier releases are: they name no format.
      expect(await formatOf()).toBeUndefined();
      expect(await store.changeLayout({ placementFormat: 1 })).toMatchObject({ layoutVersion: 2 });
      await store.registerNode(node("n2"));
      expect((await store.changeLayout({ weights: { n2: 2 } })).placementFormat).toBeUndefined();
      expect(await formatOf()).toBeUndefined();
      const later = await store.changeLayout({ placementFormat: 2 });
      expect([later.layoutVersion, later.placementFormat]).toEqual([5, 2]);
      expect((await store.changeLayout({ weights: { n2: 1 } })).placementFormat).toBe(2);
      expect(await formatOf()).toBe(2);
      for (const placementFormat of [0, 3, 1.5])
        await expectCode(store.changeLayout({ placementFormat }), "INVALID_ARGUMENT");
    },
  },
  {
    name: "an operator changes replication and weights, and removes nodes for good",
    async run({ store }) {
      for (const id of ["n1", "n2", "n3"]) await store.registerNode(node(id));
      const layout = await store.changeLayout({ replicationFactor: 2, weights: { n1: 0.5 }, removeNodeIds: ["n3"] });
      expect([layout.layoutVersion, layout.replicationFactor]).toEqual([4, 2]);
      expect(await newestLayout(store)).toEqual({ version: 4, nodes: { n1: 0.5, n2: 1 } });
      // A restart of a node does not undo an operator's decision.
      await store.registerNode(node("n3"));
      await store.registerNode(node("n1", { weight: 1 }));
      expect(await newestLayout(store)).toEqual({ version: 4, nodes: { n1: 0.5, n2: 1 } });
      await store.changeLayout({ weights: { n3: 2 } });
      expect(await newestLayout(store)).toEqual({ version: 5, nodes: { n1: 0.5, n2: 1, n3: 2 } });
      const weights = (await store.clusterSnapshot()).nodes.map(({ nodeId, weight }) => [nodeId, weight]);
      expect(weights).toEqual([
        ["n1", 0.5],
        ["n2", 1],
        ["n3", 2],
      ]);
    },
  },
  {
    name: "a change that leaves no node, names an unknown one, or has bad numbers is refused and changes nothing",
    async run({ store }) {
      for (const id of ["n1", "n2"]) await store.registerNode(node(id));
      await expectCode(store.changeLayout({ removeNodeIds: ["n1", "n2"] }), "INVALID_ARGUMENT");
      await expectCode(store.changeLayout({ weights: { n1: 0, n2: 0 } }), "INVALID_ARGUMENT");
      await expectCode(store.changeLayout({ weights: { n3: 1 } }), "NODE_NOT_FOUND");
      await expectCode(store.changeLayout({ removeNodeIds: ["n3"] }), "NODE_NOT_FOUND");
      for (const bad of [-1, Number.NaN, Number.POSITIVE_INFINITY]) {
        await expectCode(store.changeLayout({ weights: { n1: bad } }), "INVALID_ARGUMENT");
      }
      for (const bad of [0, 17, 1.5])
        await expectCode(store.changeLayout({ replicationFactor: bad }), "INVALID_ARGUMENT");
      expect(await newestLayout(store)).toEqual({ version: 2, nodes: { n1: 1, n2: 1 } });
    },
  },
  {
    name: "older layouts are in use as long as a chunk row needs them",
    async run({ store }) {
      await withBucket(store);
      const versions = async (): Promise<number[]> =>
        (await store.clusterSnapshot()).layouts.map((one) => one.layoutVersion);
      await store.registerNode(node("n1"));
      await store.commitObject(chunkedCommit("k", chunksOf(["a"]), { layoutVersion: 1 }));
      await store.registerNode(node("n2"));
      await store.registerNode(node("n3"));
      expect(await versions()).toEqual([3, 1]);
      // A commit of the same chunk under a newer layout moves its row forward; an older one never moves it back.
      await store.commitObject(chunkedCommit("l", chunksOf(["a"]), { layoutVersion: 3 }));
      await store.commitObject(chunkedCommit("m", chunksOf(["a"]), { layoutVersion: 1 }));
      expect(await versions()).toEqual([3]);
      await store.commitObject(chunkedCommit("n", chunksOf(["b"]), { layoutVersion: 2 }));
      expect(await versions()).toEqual([3, 2]);
      await store.deleteObject({ bucket: BUCKET, key: "n" });
      await dropAll(store);
      await store.markCollecting({ graceMs: 0, limit: 10 });
      await store.finishCollecting([{ chunkId: chunksOf(["b"])[0]!.chunkId, removed: true }]);
      expect(await versions()).toEqual([3]);
    },
  },
  {
    name: "each chunk of a commit keeps the layout under which it was placed, and not another chunk's",
    async run({ store }) {
      await withBucket(store);
      const versions = async (): Promise<number[]> =>
        (await store.clusterSnapshot()).layouts.map((one) => one.layoutVersion);
      for (const id of ["n1", "n2", "n3", "n4"]) await store.registerNode(node(id));
      const [a, b] = chunksOf(["a", "b"]) as [ChunkRef, ChunkRef];
      await store.commitObject(chunkedCommit("old", [a], { layoutVersion: 3 }));
      const spanning = [
        { ...b, layoutVersion: 1 },
        { ...a, layoutVersion: 2 },
      ];
      await store.commitObject(chunkedCommit("spanning", spanning));
      expect(await versions()).toEqual([4, 3, 1]);
      const uploadId = await startUpload(store, "parts");
      const [c, d] = chunksOf(["c", "d"]) as [ChunkRef, ChunkRef];
      const part = [
        { ...c, layoutVersion: 2 },
        { ...d, layoutVersion: 4 },
      ];
      await store.putPart(partOf(uploadId, 1, part));
      expect(await versions()).toEqual([4, 3, 2, 1]);
      await expectCode(
        store.commitObject(chunkedCommit("unknown", [a, { ...b, layoutVersion: 5 }], { layoutVersion: 1 })),
        "LAYOUT_STALE",
      );
    },
  },
  {
    name: "a chunk that a commit takes back from the collector has the layout of that commit",
    async run({ store }) {
      await withBucket(store);
      for (const id of ["n1", "n2", "n3"]) await store.registerNode(node(id));
      await store.commitObject(chunkedCommit("k", chunksOf(["a"]), { layoutVersion: 2 }));
      await store.deleteObject({ bucket: BUCKET, key: "k" });
      await dropAll(store);
      await store.markCollecting({ graceMs: 0, limit: 10 });
      // An upload that began under an older layout: only the copies of that layout are sure to be kept.
      await store.commitObject(chunkedCommit("l", chunksOf(["a"]), { layoutVersion: 1 }));
      expect((await store.clusterSnapshot()).layouts.map((one) => one.layoutVersion)).toEqual([3, 1]);
    },
  },
  {
    name: "a chunk without references has the layout of the next commit, also an older one: the collector may have taken its copies",
    async run({ store }) {
      await withBucket(store);
      for (const id of ["n1", "n2", "n3"]) await store.registerNode(node(id));
      await store.commitObject(chunkedCommit("k", chunksOf(["a"]), { layoutVersion: 2 }));
      await store.deleteObject({ bucket: BUCKET, key: "k" });
      await dropAll(store);
      await store.markCollecting({ graceMs: 0, limit: 10 });
      // Some nodes deleted their copies; another one kept its own for an upload that began under an older layout.
      await store.finishCollecting([{ chunkId: chunksOf(["a"])[0]!.chunkId, removed: false }]);
      await store.commitObject(chunkedCommit("l", chunksOf(["a"]), { layoutVersion: 1 }));
      expect((await store.clusterSnapshot()).layouts.map((one) => one.layoutVersion)).toEqual([3, 1]);
    },
  },
  {
    name: "recent layouts are those under which an upload may have begun, even if no row needs them",
    async run({ store }) {
      const DAY_MS = 24 * 3600 * 1000;
      const versions = async (forMs: number, limit = 10): Promise<number[]> =>
        (await store.recentLayouts({ forMs, limit })).map((one) => one.layoutVersion);
      expect(await versions(DAY_MS)).toEqual([]);
      for (const id of ["n1", "n2", "n3"]) await store.registerNode(node(id));
      expect(await versions(DAY_MS)).toEqual([3, 2, 1]);
      expect(await store.recentLayouts({ forMs: DAY_MS, limit: 1 })).toEqual((await store.clusterSnapshot()).layouts);
      expect(await versions(DAY_MS, 2)).toEqual([3, 2]);
      expect(await versions(0)).toEqual([3]);
      for (const forMs of [-1, Number.NaN]) await expectCode(versions(forMs), "INVALID_ARGUMENT");
      for (const limit of [0, 65]) await expectCode(versions(0, limit), "INVALID_ARGUMENT");
    },
  },
  {
    name: "bad registrations are refused",
    async run({ store }) {
      const bad: ReadonlyArray<Partial<NodeRegistration>> = [
        { nodeId: "" },
        { nodeId: "a b" },
        { nodeId: "a".repeat(65) },
        { url: "n1:50051" },
        { url: "http://n1/" },
        // No transport can open these URLs.
        { url: "http://user:pa55word@n1:50051" },
        { url: "http://n1:50051/?zone=a" },
        { url: "http://n1:50051#a" },
        { url: "http://n1:500510" },
        { weight: -1 },
        { weight: Number.NaN },
        { zone: "" },
      ];
      for (const change of bad) await expectCode(store.registerNode(node("n1", change)), "INVALID_ARGUMENT");
      await expectCode(store.heartbeat({ nodeId: "n1", stats: { ...STATS, bytesUsed: -1 } }), "INVALID_ARGUMENT");
      expect((await store.clusterSnapshot()).nodes).toEqual([]);
    },
  },
];
