import { expect } from "vitest";
import { encodeHex } from "../../hash/index.ts";
import type { MetadataStore, NodeRegistration } from "../../ports/index.ts";
import { createPlacement } from "../../ring/index.ts";
import { expectCode } from "../chunk-store/expectations.ts";
import { ifPersistent, type MetadataStoreCase } from "./contract-case.ts";
import { BUCKET, chunkedCommit, chunkIdOf, chunksOf, dropAll, endRepairs, withBucket } from "./fixtures.ts";

const STATS = { chunkCount: 3, bytesUsed: 300, bytesFree: 3, bytesTotal: 400 };
const STEPS_MAX = 1000;

function node(nodeId: string, change: Partial<NodeRegistration> = {}): NodeRegistration {
  return { nodeId, url: `http://${nodeId}:50051`, softwareVersion: "1.0.0", ...change };
}

async function lostDiskOf(store: MetadataStore, nodeId = "n1"): Promise<unknown> {
  return (await store.clusterSnapshot()).nodes.find((one) => one.nodeId === nodeId)?.lostDisk;
}

/** A node that the registry knows with chunks in the folder `f1`. */
async function withFullNode(store: MetadataStore): Promise<void> {
  await store.registerNode(node("n1", { folderId: "f1", chunkCount: 0 }));
  await store.heartbeat({ nodeId: "n1", stats: STATS });
}

/** Commits chunks under the newest layout. @returns the ids of those that belong on a node, in hex and in order. */
async function withChunks(store: MetadataStore, count: number, nodeId: string): Promise<readonly string[]> {
  const [layout] = (await store.clusterSnapshot()).layouts;
  const chunks = chunksOf(Array.from({ length: count }, (_, index) => `lost ${index}`));
  await store.commitObject(chunkedCommit("chunked", chunks, { layoutVersion: layout!.layoutVersion }));
  const placement = createPlacement(layout!);
  return chunks
    .filter(({ chunkId }) => placement.nodesOf(chunkId).includes(nodeId))
    .map(({ chunkId }) => encodeHex(chunkId))
    .sort();
}

async function queued(store: MetadataStore): Promise<readonly string[]> {
  const repairs = await store.listRepairs({ limit: 1000 });
  return repairs.map(({ chunkId, nodeId }) => `${nodeId} ${encodeHex(chunkId)}`).sort();
}

/** Takes steps until the walk is done. @returns the chunk rows of each step. */
async function walk(store: MetadataStore, limit: number): Promise<readonly number[]> {
  const rows: number[] = [];
  for (let step = 0; step < STEPS_MAX; step++) {
    const { rowsWalked, isDone } = await store.queueLostCopies({ limit });
    rows.push(rowsWalked);
    if (isDone) return rows;
  }
  throw new Error(`the walk does not end in ${STEPS_MAX} steps`);
}

export const LOST_DISK_CASES: readonly MetadataStoreCase[] = [
  {
    name: "a node that comes back with its own folder, copied or not, has lost nothing",
    async run({ store }) {
      await withFullNode(store);
      expect(await store.registerNode(node("n1", { folderId: "f1", chunkCount: 3 }))).toEqual({ layoutVersion: 1 });
      // Chunks that were collected after the last heartbeat.
      await store.registerNode(node("n1", { folderId: "f1", chunkCount: 2 }));
      await store.stopNode("n1");
      await store.registerNode(node("n1", { url: "http://elsewhere:1", folderId: "f1", chunkCount: 3 }));
      // A node of an earlier release does not say which folder it has.
      await store.registerNode(node("n1", { url: "http://elsewhere:1" }));
      await store.registerNode(node("n1", { url: "http://elsewhere:1", folderId: "f1", chunkCount: 3 }));
      expect(await lostDiskOf(store)).toBeUndefined();
      expect(await store.heartbeat({ nodeId: "n1", stats: STATS })).toEqual({ layoutVersion: 1 });
      expect(await store.queueLostCopies({ limit: 10 })).toEqual({ rowsWalked: 0, copiesQueued: 0, isDone: true });
    },
  },
  {
    name: "a node that comes back without the chunks that its last heartbeat told of has lost its disk",
    async run({ store }) {
      await withFullNode(store);
      const { lostDisk } = await store.registerNode(node("n1", { folderId: "f2", chunkCount: 0 }));
      expect(lostDisk).toEqual({
        ...{ kind: "replaced", atMs: expect.any(Number), chunkCount: 3, bytesUsed: 300, isQueued: false },
      });
      expect(await lostDiskOf(store)).toEqual(lostDisk);
      // Registering again before the first heartbeat is no second loss.
      const again = await store.registerNode(node("n1", { folderId: "f2", chunkCount: 0 }));
      expect(again.lostDisk).toEqual(lostDisk);
      expect(await store.heartbeat({ nodeId: "n1", stats: { ...STATS, chunkCount: 1 } })).toEqual({
        layoutVersion: 1,
        hasLostDisk: true,
      });
      expect(await lostDiskOf(store)).toEqual(lostDisk);
    },
  },
  {
    name: "an emptied folder, a new folder and the folder of another time are told apart",
    async run({ store }) {
      const kindAfter = async (change: Partial<NodeRegistration>): Promise<unknown> => {
        await store.heartbeat({ nodeId: "n1", stats: STATS });
        return (await store.registerNode(node("n1", change))).lostDisk?.kind;
      };
      await withFullNode(store);
      expect(await kindAfter({ folderId: "f1", chunkCount: 0 })).toBe("emptied");
      expect(await kindAfter({ folderId: "f2", chunkCount: 0 })).toBe("replaced");
      expect(await kindAfter({ folderId: "f1", chunkCount: 2 })).toBe("other");
      // Without ids of folders, the count alone tells.
      await store.registerNode(node("n2"));
      await store.heartbeat({ nodeId: "n2", stats: STATS });
      expect((await store.registerNode(node("n2", { chunkCount: 1 }))).lostDisk).toBeUndefined();
      expect((await store.registerNode(node("n2", { folderId: "f9", chunkCount: 0 }))).lostDisk?.kind).toBe("emptied");
    },
  },
  {
    name: "a node that refuses to start after a loss is not registered, and nothing is changed",
    async run({ store }) {
      await withFullNode(store);
      const before = await store.clusterSnapshot();
      for (const change of [
        { folderId: "f2", chunkCount: 0 },
        { folderId: "f1", chunkCount: 0 },
        { folderId: "f2", chunkCount: 3 },
      ]) {
        const refused = store.registerNode(node("n1", { ...change, refuseLostDisk: true }));
        const { details } = await expectCode(refused, "PRECONDITION_FAILED");
        expect(details).toMatchObject({ reason: "LOST_DISK", nodeId: "n1", chunkCount: "3" });
      }
      expect(await store.clusterSnapshot()).toEqual(before);
      await store.registerNode(node("n1", { folderId: "f1", chunkCount: 3, refuseLostDisk: true }));
      await store.registerNode(node("n2", { folderId: "f3", chunkCount: 0, refuseLostDisk: true }));
      // Nothing is known to have been in the folder that is gone.
      await store.registerNode(node("n2", { folderId: "f4", chunkCount: 0, refuseLostDisk: true }));
    },
  },
  {
    name: "every chunk that belongs on a lost disk is queued for repair, in bounded steps, and nothing else",
    async run({ store }) {
      await withBucket(store);
      for (const id of ["n1", "n2", "n3", "n4", "n5"])
        await store.registerNode(node(id, { folderId: `of-${id}`, chunkCount: 0 }));
      await store.heartbeat({ nodeId: "n1", stats: STATS });
      const missing = await withChunks(store, 40, "n1");
      expect(missing.length).toBeGreaterThan(10);
      await store.registerNode(node("n1", { folderId: "new", chunkCount: 0 }));
      const rows = await walk(store, 7);
      expect(Math.max(...rows)).toBeLessThanOrEqual(7);
      expect(rows.reduce((sum, count) => sum + count, 0)).toBe(40);
      expect(await queued(store)).toEqual(missing.map((id) => `n1 ${id}`));
      expect(await lostDiskOf(store)).toMatchObject({ kind: "replaced", isQueued: true });
      // It has lost its disk until the last copy is back.
      const repairs = await store.listRepairs({ limit: 1000 });
      const ids = repairs.map(({ repairId }) => repairId);
      expect(await endRepairs(store, ids.slice(1))).toBe(ids.length - 1);
      await walk(store, 7);
      expect(await lostDiskOf(store)).toMatchObject({ isQueued: true });
      await endRepairs(store, ids.slice(0, 1));
      await walk(store, 7);
      expect(await lostDiskOf(store)).toBeUndefined();
      expect(await store.heartbeat({ nodeId: "n1", stats: STATS })).toEqual({ layoutVersion: 5 });
    },
  },
  {
    name: "a second loss during the walk begins it again",
    async run({ store }) {
      await withBucket(store);
      await withFullNode(store);
      const missing = await withChunks(store, 20, "n1");
      await store.registerNode(node("n1", { folderId: "f2", chunkCount: 0 }));
      await store.queueLostCopies({ limit: 15 });
      const repairs = await store.listRepairs({ limit: 1000 });
      expect(repairs).toHaveLength(15);
      const ids = repairs.map(({ repairId }) => repairId);
      expect(await endRepairs(store, ids)).toBe(15);
      await store.registerNode(node("n1", { folderId: "f3", chunkCount: 0 }));
      await walk(store, 15);
      expect(await queued(store)).toEqual(missing.map((id) => `n1 ${id}`));
      expect(await lostDiskOf(store)).toMatchObject({ kind: "replaced", chunkCount: 3 });
    },
  },
  {
    name: "the walk over a lost disk goes on where it was after reopening",
    applies: ifPersistent,
    async run({ subject }) {
      await withBucket(subject.store);
      await withFullNode(subject.store);
      const missing = await withChunks(subject.store, 20, "n1");
      await subject.store.registerNode(node("n1", { folderId: "f2", chunkCount: 0 }));
      expect((await subject.store.queueLostCopies({ limit: 15 })).rowsWalked).toBe(15);
      const store = await subject.reopen();
      expect(await walk(store, 15)).toEqual([5, 0]);
      expect(await queued(store)).toEqual(missing.map((id) => `n1 ${id}`));
    },
  },
  {
    name: "chunks are counted by their copies: what is queued for repair, lost or on a node that is away is not there",
    async run({ store }) {
      await withBucket(store);
      const count = async (limit: number): Promise<unknown> => {
        const sum = { held: [0, 0, 0, 0], reachable: [0, 0, 0, 0], shortCount: 0, chunkCount: 0 };
        let cursor: string | undefined;
        do {
          const page = await store.countCopies({ cursor, limit });
          expect(page.chunkCount).toBeLessThanOrEqual(limit);
          for (const name of ["held", "reachable"] as const)
            for (const [copies, chunks] of page[name].entries()) sum[name][copies]! += chunks;
          sum.shortCount += page.shortCount;
          sum.chunkCount += page.chunkCount;
          cursor = page.nextCursor;
        } while (cursor !== undefined);
        return sum;
      };
      await store.commitObject(chunkedCommit("local", chunksOf(["of one local store"])));
      expect(await store.copiesOf([chunkIdOf("of one local store"), chunkIdOf("nobody")])).toEqual([
        undefined,
        undefined,
      ]);
      for (const id of ["n1", "n2", "n3"]) await store.registerNode(node(id, { folderId: `${id}-1` }));
      const chunks = chunksOf(Array.from({ length: 10 }, (_, index) => `c${index}`)).map((chunk, index) => ({
        ...chunk,
        layoutVersion: 3,
        missedNodeIds: [[], ["n1"], ["n1", "n2"], ["n1", "n2", "n3"]][index] ?? [],
      }));
      await store.commitObject(chunkedCommit("k", chunks));
      for (const limit of [1, 3, 10, 1000]) {
        const held = [1, 1, 1, 7];
        expect(await count(limit)).toEqual({ held, reachable: held, shortCount: 3, chunkCount: 10 });
      }
      const ids = chunks.slice(0, 4).map(({ chunkId }) => chunkId);
      expect(await store.copiesOf(ids)).toEqual(
        [3, 2, 1, 0].map((copies) => ({ wanted: 3, held: copies, reachable: copies })),
      );
      await store.stopNode("n3");
      const away = { held: [1, 1, 1, 7], reachable: [2, 1, 7, 0], shortCount: 10, chunkCount: 10 };
      expect(await count(4)).toEqual(away);
      expect((await store.copiesOf(ids)).map((copies) => copies?.reachable)).toEqual([2, 1, 0, 0]);
      await store.registerNode(node("n3", { folderId: "n3-1" }));
      await store.registerNode(node("n1", { folderId: "n1-2", chunkCount: 0 }));
      // Before, during and after the walk.
      const lost = { held: [1, 1, 8, 0], reachable: [1, 1, 8, 0], shortCount: 10, chunkCount: 10 };
      expect(await count(4)).toEqual(lost);
      await store.queueLostCopies({ limit: 5 });
      expect(await count(4)).toEqual(lost);
      await walk(store, 5);
      expect(await count(4)).toEqual(lost);
      await store.deleteObject({ bucket: BUCKET, key: "k" });
      await dropAll(store);
      expect(await count(4)).toMatchObject({ chunkCount: 0 });
    },
  },
  {
    name: "a copy that a stand-in holds counts until the stand-in loses its disk, or the copy is where it belongs",
    async run({ store }) {
      await withBucket(store);
      for (const id of ["n1", "n2", "n3", "n4"]) await store.registerNode(node(id, { folderId: `${id}-1` }));
      const [short, whole] = chunksOf(["short", "whole"]);
      const missed = { layoutVersion: 3, missedNodeIds: ["n1", "n2"] };
      await store.commitObject(
        chunkedCommit("k", [
          { ...short!, ...missed, standInNodeIds: ["n4"] },
          { ...whole!, ...missed, missedNodeIds: ["n1"], standInNodeIds: ["n4"] },
        ]),
      );
      const ids = [short!.chunkId, whole!.chunkId];
      const counted = async (): Promise<unknown> => {
        const { held, reachable } = await store.countCopies({ limit: 100 });
        const copies = await store.copiesOf(ids);
        return [held, reachable, copies.map((each) => [each?.wanted, each?.held, each?.reachable])];
      };
      const both = [
        [3, 2, 2],
        [3, 3, 3],
      ];
      expect(await counted()).toEqual([[0, 0, 1, 1], [0, 0, 1, 1], both]);
      // Missed once more, by a write that needed no stand-in: the copy is where it was.
      await store.commitObject(chunkedCommit("again", [{ ...short!, ...missed }]));
      expect((await store.copiesOf(ids))[0]).toMatchObject({ held: 2 });
      await store.stopNode("n4");
      expect((await store.copiesOf(ids)).map((each) => [each?.held, each?.reachable])).toEqual([
        [2, 1],
        [3, 2],
      ]);
      await store.registerNode(node("n4", { folderId: "n4-2", chunkCount: 0 }));
      expect((await store.copiesOf(ids)).map((each) => each?.held)).toEqual([1, 2]);
      await walk(store, 100);
      expect((await store.copiesOf(ids)).map((each) => each?.held)).toEqual([1, 2]);
      await store.commitObject(chunkedCommit("third", [{ ...short!, ...missed, standInNodeIds: ["n4"] }]));
      const { leaseToken, entries } = await store.claimRepairs({ nodeId: "n1", limit: 10, leaseMs: 1000 });
      await store.finishRepairs({ leaseToken, outcomes: entries.map(({ repairId }) => ({ repairId })) });
      // Nobody stands in for n2, whose copy is still missing.
      expect((await store.copiesOf(ids)).map((each) => each?.held)).toEqual([2, 3]);
      const tooMany = { ...short!, ...missed, missedNodeIds: ["n1"], standInNodeIds: ["n4", "n5"] };
      await expectCode(store.commitObject(chunkedCommit("odd", [tooMany])), "INVALID_ARGUMENT");
    },
  },
  {
    name: "repairs are listed by node, page after page, and counted by node",
    async run({ store }) {
      await withBucket(store);
      const chunks = chunksOf(Array.from({ length: 9 }, (_, index) => `r${index}`));
      await store.commitObject(
        chunkedCommit(
          "k",
          chunks.map((chunk, index) => ({ ...chunk, missedNodeIds: index < 6 ? ["n1"] : ["n2"] })),
        ),
      );
      const counts = await store.countRepairs();
      expect([...counts].sort((a, b) => (a.nodeId < b.nodeId ? -1 : 1))).toMatchObject([
        { nodeId: "n1", count: 6 },
        { nodeId: "n2", count: 3 },
      ]);
      const met: string[] = [];
      let afterRepairId: string | undefined;
      for (let pages = 0; pages < 5; pages++) {
        const page = await store.listRepairs({ limit: 4, nodeId: "n1", afterRepairId });
        expect(page.every(({ nodeId }) => nodeId === "n1")).toBe(true);
        met.push(...page.map(({ chunkId }) => encodeHex(chunkId)));
        afterRepairId = page.at(-1)?.repairId;
        if (page.length < 4) break;
      }
      expect(met.sort()).toEqual(
        chunks
          .slice(0, 6)
          .map(({ chunkId }) => encodeHex(chunkId))
          .sort(),
      );
    },
  },
  {
    name: "a heartbeat that tells damaged copies queues those that belong on the node and that an object names, each once",
    async run({ store }) {
      await withBucket(store);
      for (const nodeId of ["n1", "n2", "n3", "n4"]) await store.registerNode(node(nodeId));
      const belonging = await withChunks(store, 40, "n1");
      const all = chunksOf(Array.from({ length: 40 }, (_, index) => `lost ${index}`)).map(({ chunkId }) => chunkId);
      expect(belonging.length).toBeGreaterThan(0);
      expect(belonging.length).toBeLessThan(all.length);
      const beat = { nodeId: "n1", stats: STATS, damagedChunkIds: [...all, chunkIdOf("nobody's"), ...all] };
      expect(await store.heartbeat(beat)).toEqual({ layoutVersion: 4 });
      const wanted = belonging.map((id) => `n1 ${id}`);
      expect(await queued(store)).toEqual(wanted);
      const [first] = await store.listRepairs({ limit: 1 });
      await store.heartbeat(beat);
      expect(await queued(store)).toEqual(wanted);
      // An entry that is there stays: a repair of it that runs now ends it.
      expect(await endRepairs(store, [first!.repairId])).toBe(1);
      await store.deleteObject({ bucket: BUCKET, key: "chunked" });
      await dropAll(store);
      await endRepairs(
        store,
        (await store.listRepairs({ limit: 1000 })).map(({ repairId }) => repairId),
      );
      await store.heartbeat(beat);
      expect(await queued(store)).toEqual([]);
    },
  },
  {
    name: "a heartbeat tells a bounded number of damaged copies, and an unknown node none",
    async run({ store }) {
      await store.registerNode(node("n1"));
      const many = chunksOf(Array.from({ length: 257 }, (_, index) => `many ${index}`)).map(({ chunkId }) => chunkId);
      const beat = { nodeId: "n1", stats: STATS };
      await store.heartbeat({ ...beat, damagedChunkIds: many.slice(1) });
      await expectCode(store.heartbeat({ ...beat, damagedChunkIds: many }), "INVALID_ARGUMENT");
      const short = [new Uint8Array(31) as never];
      await expectCode(store.heartbeat({ ...beat, damagedChunkIds: short }), "INVALID_ARGUMENT");
      await expectCode(store.heartbeat({ ...beat, nodeId: "n9", damagedChunkIds: many.slice(1) }), "NODE_NOT_FOUND");
    },
  },
];
