import { expect } from "vitest";
import type { MetadataStore } from "../../ports/index.ts";
import { expectCode } from "../chunk-store/expectations.ts";
import type { MetadataStoreCase } from "./contract-case.ts";

const STATS = { chunkCount: 1, bytesUsed: 2, bytesFree: 3, bytesTotal: 4 };
/** No case takes so long. */
const LONG_MS = 600_000;

const node = (nodeId: string, weight?: number) => ({ nodeId, url: `http://${nodeId}:1`, softwareVersion: "1", weight });

/** Nodes with two copies of each chunk. */
async function withNodes(store: MetadataStore, ...nodeIds: readonly string[]): Promise<void> {
  for (const nodeId of nodeIds) await store.registerNode(node(nodeId));
  await store.changeLayout({ replicationFactor: 2 });
}

async function layoutOf(store: MetadataStore): Promise<Readonly<Record<string, number>>> {
  const [layout] = (await store.clusterSnapshot()).layouts;
  return Object.fromEntries((layout?.nodes ?? []).map(({ nodeId, weight }) => [nodeId, weight]));
}

/** What a cluster does about nodes that are away. */
export const AWAY_NODE_CASES: readonly MetadataStoreCase[] = [
  {
    name: "a node that is away is left out of the layout, and joins again with its weight when it registers",
    async run({ store }) {
      await withNodes(store, "n1", "n2", "n3");
      await store.changeLayout({ weights: { n3: 4 } });
      await store.stopNode("n3");
      const layout = await store.leaveOutNode({ nodeId: "n3", awayForMs: 0 });
      expect(layout).toMatchObject({ replicationFactor: 2, nodes: [{ nodeId: "n1" }, { nodeId: "n2" }] });
      expect((await store.clusterSnapshot()).layouts[0]).toEqual(layout);
      expect(await layoutOf(store)).toEqual({ n1: 1, n2: 1 });
      expect(await store.leaveOutNode({ nodeId: "n3", awayForMs: 0 })).toBeUndefined();
      const { layoutVersion } = await store.registerNode(node("n3", 1));
      expect(layoutVersion).toBe(layout!.layoutVersion + 1);
      expect(await layoutOf(store)).toEqual({ n1: 1, n2: 1, n3: 4 });
      expect(await store.registerNode(node("n3", 1))).toEqual({ layoutVersion });
    },
  },
  {
    name: "a node that was left out and never ended is asked to register again",
    async run({ store }) {
      await withNodes(store, "n1", "n2", "n3");
      await store.stopNode("n3");
      await store.leaveOutNode({ nodeId: "n3", awayForMs: 0 });
      await expectCode(store.heartbeat({ nodeId: "n3", stats: STATS }), "NODE_NOT_FOUND");
      await store.registerNode(node("n3"));
      await store.heartbeat({ nodeId: "n3", stats: STATS });
      expect(await layoutOf(store)).toEqual({ n1: 1, n2: 1, n3: 1 });
    },
  },
  {
    name: "a node stays while it is up, was up lately, is not known, or takes no chunks",
    async run({ store }) {
      await withNodes(store, "n1", "n2", "n3", "n4");
      await store.changeLayout({ weights: { n4: 0 } });
      await store.stopNode("n3");
      await store.stopNode("n4");
      for (const query of [
        { nodeId: "n1", awayForMs: 0 },
        { nodeId: "n3", awayForMs: LONG_MS },
        { nodeId: "n9", awayForMs: 0 },
        { nodeId: "n4", awayForMs: 0 },
      ])
        expect(await store.leaveOutNode(query), query.nodeId).toBeUndefined();
      expect(await layoutOf(store)).toEqual({ n1: 1, n2: 1, n3: 1, n4: 0 });
    },
  },
  {
    name: "no node is left out if the others are too few for all copies, or no majority",
    async run({ store }) {
      await withNodes(store, "n1", "n2", "n3", "n4");
      await store.stopNode("n3");
      await store.stopNode("n4");
      // Two of four are up: enough for two copies, and perhaps the two that are cut off.
      expect(await store.leaveOutNode({ nodeId: "n3", awayForMs: 0 })).toBeUndefined();
      await store.registerNode(node("n4"));
      await store.changeLayout({ replicationFactor: 4 });
      expect(await store.leaveOutNode({ nodeId: "n3", awayForMs: 0 })).toBeUndefined();
      await store.changeLayout({ replicationFactor: 3 });
      expect(await store.leaveOutNode({ nodeId: "n3", awayForMs: 0 })).toBeDefined();
      expect(await layoutOf(store)).toEqual({ n1: 1, n2: 1, n4: 1 });
    },
  },
  {
    name: "a node that an operator took out stays out, whoever was away",
    async run({ store }) {
      await withNodes(store, "n1", "n2", "n3", "n4");
      await store.changeLayout({ removeNodeIds: ["n4"] });
      await store.stopNode("n4");
      expect(await store.leaveOutNode({ nodeId: "n4", awayForMs: 0 })).toBeUndefined();
      await store.registerNode(node("n4"));
      expect(await layoutOf(store)).toEqual({ n1: 1, n2: 1, n3: 1 });
    },
  },
];
