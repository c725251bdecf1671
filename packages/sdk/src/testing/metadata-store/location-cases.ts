import { expect } from "vitest";
import { encodeHex } from "../../hash/index.ts";
import type { ChunkRef, MetadataStore, OutdatedChunk } from "../../ports/index.ts";
import { createPlacement } from "../../ring/index.ts";
import { expectCode } from "../chunk-store/expectations.ts";
import type { MetadataStoreCase } from "./contract-case.ts";
import { BUCKET, chunkedCommit, chunksOf, dropAll, withBucket } from "./fixtures.ts";

const PAGES_MAX = 1000;

async function join(store: MetadataStore, ...nodeIds: readonly string[]): Promise<number> {
  let newest = 0;
  for (const nodeId of nodeIds) {
    const node = { nodeId, url: `http://${nodeId}:1`, softwareVersion: "1" };
    newest = (await store.registerNode(node)).layoutVersion;
  }
  return newest;
}

async function commit(store: MetadataStore, key: string, chunks: readonly ChunkRef[], layoutVersion: number) {
  await store.commitObject(chunkedCommit(key, chunks, { layoutVersion }));
}

/** All pages of the outdated chunks. */
async function outdated(store: MetadataStore, limit = 100): Promise<readonly OutdatedChunk[]> {
  const found: OutdatedChunk[] = [];
  let cursor: string | undefined;
  for (let pages = 0; pages < PAGES_MAX; pages++) {
    const page = await store.listOutdatedChunks({ cursor, limit });
    found.push(...page.chunks);
    cursor = page.nextCursor;
    if (cursor === undefined) return found;
  }
  return expect.fail(`the walk does not end in ${PAGES_MAX} pages`);
}

const hexOf = (chunks: readonly ChunkRef[]): readonly string[] => chunks.map(({ chunkId }) => encodeHex(chunkId));
const named = (prefix: string, count: number): ChunkRef[] =>
  chunksOf(Array.from({ length: count }, (_, index) => `${prefix}${index}`));
const seenAt = (chunks: readonly ChunkRef[], layoutVersion: number) =>
  chunks.map(({ chunkId }) => ({ chunkId, layoutVersion }));

/** Which layout the copies of chunks follow, and how rows move to a newer one. */
export const LOCATION_CASES: readonly MetadataStoreCase[] = [
  {
    name: "chunks of older layouts are found page by page, in the order of their ids, and those of the newest are not",
    async run({ store }) {
      await withBucket(store);
      const first = await join(store, "n1");
      const old = named("old", 25);
      await commit(store, "old", old, first);
      expect(await outdated(store)).toEqual([]);
      expect(await store.countLayoutUse()).toEqual([{ layoutVersion: 1, chunkCount: 25 }]);
      const second = await join(store, "n2");
      await commit(store, "new", named("new", 10), second);
      // Chunks of a store without layouts have nowhere to go.
      await commit(store, "bare", named("bare", 3), 0);
      const found = await outdated(store, 4);
      expect(hexOf(found)).toEqual([...hexOf(old)].sort());
      expect(found[0]).toEqual({
        ...old.find(({ chunkId }) => encodeHex(chunkId) === hexOf(found)[0]),
        layoutVersion: 1,
      });
      expect(await store.countLayoutUse()).toEqual([
        { layoutVersion: second, chunkCount: 10 },
        { layoutVersion: first, chunkCount: 25 },
      ]);
    },
  },
  {
    name: "chunks that nothing names move if the caller saw that, and those that are being collected do not",
    async run({ store }) {
      await withBucket(store);
      const first = await join(store, "n1");
      await commit(store, "gone", named("gone", 3), first);
      await commit(store, "kept", named("kept", 2), first);
      const second = await join(store, "n2");
      await store.deleteObject({ bucket: BUCKET, key: "gone" });
      await dropAll(store);
      const found = await outdated(store);
      const unnamed = found.filter(({ isNamed }) => isNamed === false);
      expect(hexOf(unnamed)).toEqual([...hexOf(named("gone", 3))].sort());
      expect(hexOf(found.filter((chunk) => !unnamed.includes(chunk)))).toEqual([...hexOf(named("kept", 2))].sort());
      const all = [...named("gone", 3), ...named("kept", 2)];
      expect(await store.advanceLayouts({ layoutVersion: second, chunks: seenAt(all, first) })).toBe(2);
      const gone = seenAt(all, first).map((chunk) => ({ ...chunk, isNamed: false as const }));
      expect(await store.advanceLayouts({ layoutVersion: second, chunks: gone.slice(0, 1) })).toBe(1);
      await store.markCollecting({ graceMs: 0, limit: 10 });
      expect(await store.advanceLayouts({ layoutVersion: second, chunks: seenAt(all, first) })).toBe(0);
      expect(await store.advanceLayouts({ layoutVersion: second, chunks: gone })).toBe(0);
      expect(await store.settledLayouts(all.map(({ chunkId }) => chunkId))).toEqual([
        ...[undefined, undefined, undefined],
        ...[second, second],
      ]);
      expect(await outdated(store)).toEqual([]);
    },
  },
  {
    name: "a chunk that a commit names again stays where that commit placed it, also under the layout that was seen",
    async run({ store }) {
      await withBucket(store);
      const first = await join(store, "n1");
      const chunks = named("c", 2);
      await commit(store, "gone", chunks, first);
      const second = await join(store, "n2");
      await store.deleteObject({ bucket: BUCKET, key: "gone" });
      await dropAll(store);
      const seen = await outdated(store);
      expect(seen.map(({ isNamed }) => isNamed)).toEqual([false, false]);
      await commit(store, "again", chunks.slice(0, 1), first);
      const advance = seen.map(({ sizeBytes: _sizeBytes, ...chunk }) => chunk);
      expect(await store.advanceLayouts({ layoutVersion: second, chunks: advance })).toBe(1);
      expect(await store.countLayoutUse()).toEqual([{ layoutVersion: first, chunkCount: 1 }]);
    },
  },
  {
    name: "a row moves forward once, and the layout that no row needs retires",
    async run({ store }) {
      await withBucket(store);
      const first = await join(store, "n1");
      const chunks = named("c", 5);
      await commit(store, "object", chunks, first);
      const second = await join(store, "n2");
      const versions = async () => (await store.clusterSnapshot()).layouts.map(({ layoutVersion }) => layoutVersion);
      expect(await versions()).toEqual([second, first]);
      const advance = { layoutVersion: second, chunks: seenAt(chunks, first) };
      expect(await store.advanceLayouts({ ...advance, chunks: advance.chunks.slice(0, 2) })).toBe(2);
      expect(await versions()).toEqual([second, first]);
      expect(await store.advanceLayouts(advance)).toBe(3);
      expect(await store.advanceLayouts(advance)).toBe(0);
      expect(await versions()).toEqual([second]);
      expect(await store.settledLayouts(chunks.map(({ chunkId }) => chunkId))).toEqual(chunks.map(() => second));
    },
  },
  {
    name: "a row that names another layout than was seen stays: a commit has moved it meanwhile",
    async run({ store }) {
      await withBucket(store);
      const first = await join(store, "n1");
      const chunks = named("c", 2);
      await commit(store, "object", chunks, first);
      const second = await join(store, "n2");
      const third = await join(store, "n3");
      await commit(store, "again", chunks.slice(0, 1), second);
      expect(await store.advanceLayouts({ layoutVersion: third, chunks: seenAt(chunks, first) })).toBe(1);
      expect(await store.settledLayouts(chunks.map(({ chunkId }) => chunkId))).toEqual([second, third]);
    },
  },
  {
    name: "a layout that was never written moves nothing, and no row moves back",
    async run({ store }) {
      await withBucket(store);
      const first = await join(store, "n1");
      const chunks = named("c", 1);
      await commit(store, "object", chunks, first);
      await expectCode(store.advanceLayouts({ layoutVersion: 99, chunks: seenAt(chunks, first) }), "LAYOUT_STALE");
      await expectCode(
        store.advanceLayouts({ layoutVersion: first, chunks: seenAt(chunks, first) }),
        "INVALID_ARGUMENT",
      );
      expect(await store.countLayoutUse()).toEqual([{ layoutVersion: first, chunkCount: 1 }]);
    },
  },
  {
    name: "a row that moves keeps what is missing where the newer layout wants it, and drops what it wants no more",
    async run({ store }) {
      await withBucket(store);
      const first = await join(store, "n1", "n2", "n3");
      const chunks = named("c", 40).map((chunk) => ({ ...chunk, missedNodeIds: ["n1", "n2"] }));
      await store.commitObject(chunkedCommit("object", chunks, { layoutVersion: first }));
      await join(store, "n4");
      const { layoutVersion } = await store.changeLayout({ removeNodeIds: ["n1"] });
      const [layout] = (await store.clusterSnapshot()).layouts;
      const placement = createPlacement(layout!);
      expect(await store.settledLayouts(chunks.map(({ chunkId }) => chunkId))).toEqual(chunks.map(() => undefined));
      expect(await store.advanceLayouts({ layoutVersion, chunks: seenAt(chunks, first) })).toBe(40);
      const repairs = await store.listRepairs({ limit: 1000 });
      const wanted = chunks.filter(({ chunkId }) => placement.nodesOf(chunkId).includes("n2"));
      expect(wanted.length).toBeGreaterThan(10);
      expect(repairs.map(({ nodeId, chunkId }) => `${nodeId} ${encodeHex(chunkId)}`).sort()).toEqual(
        hexOf(wanted)
          .map((id) => `n2 ${id}`)
          .sort(),
      );
      expect(repairs.map((repair) => repair.layoutVersion)).toEqual(repairs.map(() => layoutVersion));
      const hurt = new Set(hexOf(wanted));
      expect(await store.settledLayouts(chunks.map(({ chunkId }) => chunkId))).toEqual(
        chunks.map(({ chunkId }) => (hurt.has(encodeHex(chunkId)) ? undefined : layoutVersion)),
      );
    },
  },
  {
    name: "a node that loses its disk gets what the newest layout wants there, also before the row has moved",
    async run({ store }) {
      await withBucket(store);
      const first = await join(store, "n1", "n2", "n3");
      const chunks = named("c", 40);
      await commit(store, "object", chunks, first);
      const node = { nodeId: "n4", url: "http://n4:1", softwareVersion: "1" };
      await store.registerNode({ ...node, folderId: "f1", chunkCount: 0 });
      await store.heartbeat({ nodeId: "n4", stats: { chunkCount: 9, bytesUsed: 9, bytesFree: 9, bytesTotal: 99 } });
      await store.registerNode({ ...node, folderId: "f2", chunkCount: 0 });
      while (!(await store.queueLostCopies({ limit: 7 })).isDone);
      const [layout] = (await store.clusterSnapshot()).layouts;
      const placement = createPlacement(layout!);
      const wanted = chunks.filter(({ chunkId }) => placement.nodesOf(chunkId).includes("n4"));
      const repairs = await store.listRepairs({ limit: 1000 });
      expect(repairs.map(({ nodeId, chunkId }) => `${nodeId} ${encodeHex(chunkId)}`).sort()).toEqual(
        hexOf(wanted)
          .map((id) => `n4 ${id}`)
          .sort(),
      );
    },
  },
];
