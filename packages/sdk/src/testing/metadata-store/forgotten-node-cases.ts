import { expect } from "vitest";
import type { MetadataStore } from "../../ports/index.ts";
import { expectCode } from "../chunk-store/expectations.ts";
import type { MetadataStoreCase } from "./contract-case.ts";
import { chunkedCommit, chunksOf, withBucket } from "./fixtures.ts";

const STATS = { chunkCount: 1, bytesUsed: 2, bytesFree: 3, bytesTotal: 4 };

const node = (nodeId: string, more: object = {}) => ({
  nodeId,
  url: `http://${nodeId}:1`,
  softwareVersion: "1",
  ...more,
});

/** Three nodes, the third of which has stopped and is out of the layout; chunks follow the layout with it. */
async function withRemoved(store: MetadataStore): Promise<number> {
  await withBucket(store);
  for (const nodeId of ["n1", "n2", "n3"]) await store.registerNode(node(nodeId));
  const [layout] = (await store.clusterSnapshot()).layouts;
  await store.commitObject(chunkedCommit("k", chunksOf(["a", "b"]), { layoutVersion: layout!.layoutVersion }));
  await store.stopNode("n3");
  await store.changeLayout({ removeNodeIds: ["n3"] });
  return layout!.layoutVersion;
}

/** Lets all chunks follow the newest layout. */
async function moveAll(store: MetadataStore, from: number): Promise<void> {
  const { layouts } = await store.clusterSnapshot();
  const chunks = chunksOf(["a", "b"]).map(({ chunkId }) => ({ chunkId, layoutVersion: from }));
  await store.advanceLayouts({ layoutVersion: layouts[0]!.layoutVersion, chunks });
}

const listed = async (store: MetadataStore): Promise<readonly string[]> =>
  (await store.clusterSnapshot()).nodes.map(({ nodeId }) => nodeId);

/** Nodes that are gone for good. */
export const FORGOTTEN_NODE_CASES: readonly MetadataStoreCase[] = [
  {
    name: "a node that no layout needs is forgotten without a new layout, and joins as a new node when it registers again",
    async run({ store }) {
      await moveAll(store, await withRemoved(store));
      const [before] = (await store.clusterSnapshot()).layouts;
      expect(await store.changeLayout({ forgetNodeIds: ["n3"] })).toEqual(before);
      expect(await listed(store)).toEqual(["n1", "n2"]);
      await expectCode(store.heartbeat({ nodeId: "n3", stats: STATS }), "NODE_NOT_FOUND");
      await expectCode(store.changeLayout({ forgetNodeIds: ["n3"] }), "NODE_NOT_FOUND");
      const answer = await store.registerNode(node("n3", { folderId: "f3", chunkCount: 2 }));
      expect(answer).toEqual({ layoutVersion: before!.layoutVersion + 1 });
      expect((await store.clusterSnapshot()).layouts[0]?.nodes).toHaveLength(3);
    },
  },
  {
    name: "a node that is up, in the layout, unknown, or needed by an older layout is not forgotten, and nothing is changed",
    async run({ store }) {
      const older = await withRemoved(store);
      await store.registerNode(node("n4"));
      await store.changeLayout({ weights: { n4: 0 } });
      await store.stopNode("n4");
      await store.registerNode(node("n5"));
      await store.changeLayout({ removeNodeIds: ["n5"] });
      const before = await store.clusterSnapshot();
      for (const [nodeId, reason] of [
        ["n1", "IN_LAYOUT"],
        ["n4", "IN_LAYOUT"],
        ["n5", "UP"],
        ["n3", "NEEDED"],
      ] as const) {
        const change = { forgetNodeIds: [nodeId], weights: { n2: 5 } };
        const refused = await expectCode(store.changeLayout(change), "PRECONDITION_FAILED");
        expect(refused.details, nodeId).toEqual({ nodeId, reason });
      }
      expect(
        (await expectCode(store.changeLayout({ forgetNodeIds: ["n3"] }), "PRECONDITION_FAILED")).message,
      ).toContain(`layout ${older}`);
      for (const nodeId of ["n1", "n5"])
        await expectCode(store.changeLayout({ forgetNodeIds: [nodeId], acceptLoss: true }), "PRECONDITION_FAILED");
      await expectCode(store.changeLayout({ forgetNodeIds: ["n9"] }), "NODE_NOT_FOUND");
      await expectCode(store.changeLayout({ forgetNodeIds: ["a b"] }), "INVALID_ARGUMENT");
      const after = await store.clusterSnapshot();
      expect(after.layouts).toEqual(before.layouts);
      expect(await listed(store)).toEqual(["n1", "n2", "n3", "n4", "n5"]);
    },
  },
  {
    name: "a node whose copies were given up comes back as one that lost its disk, whatever its folder holds",
    async run({ store }) {
      await withRemoved(store);
      await store.changeLayout({ forgetNodeIds: ["n3"], acceptLoss: true });
      expect(await listed(store)).toEqual(["n1", "n2"]);
      const held = async (): Promise<unknown> => (await store.copiesOf([chunksOf(["a"])[0]!.chunkId]))[0];
      expect(await held()).toMatchObject({ wanted: 3, held: 2 });
      const { lostDisk } = await store.registerNode(node("n3", { folderId: "f3", chunkCount: 2 }));
      expect(lostDisk).toMatchObject({ kind: "other", chunkCount: 0, isQueued: false });
      // Nobody knows what the folder holds: its copies count again when they were put, or found there.
      expect(await held()).toMatchObject({ wanted: 3, held: 2 });
      expect(await store.queueLostCopies({ limit: 10 })).toMatchObject({ copiesQueued: 2 });
      expect((await store.countRepairs()).map(({ nodeId, count }) => [nodeId, count])).toEqual([["n3", 2]]);
    },
  },
];
