import { expect } from "vitest";
import type { ChunkRef, MetadataStore, ServerRegistration } from "../../ports/index.ts";
import { expectCode } from "../chunk-store/expectations.ts";
import type { MetadataStoreCase } from "./contract-case.ts";
import { BUCKET, chunkedCommit, chunksOf, dropAll, partOf, startUpload, withBucket } from "./fixtures.ts";

const STATS = { chunkCount: 1, bytesUsed: 2, bytesFree: 3, bytesTotal: 4 };

function server(serverId: string, change: Partial<ServerRegistration> = {}): ServerRegistration {
  return { serverId, url: `http://${serverId}:50051`, softwareVersion: "1.0.0", ...change };
}

async function newestLayout(
  store: MetadataStore,
): Promise<{ version: number | undefined; servers: Record<string, number> }> {
  const layout = (await store.clusterSnapshot()).layouts[0];
  return {
    version: layout?.layoutVersion,
    servers: Object.fromEntries((layout?.servers ?? []).map((one) => [one.serverId, one.weight])),
  };
}

export const SERVER_CASES: readonly MetadataStoreCase[] = [
  {
    name: "a cluster without servers has no layout",
    async run({ store }) {
      expect(await store.clusterSnapshot()).toEqual({ servers: [], layouts: [] });
      await expectCode(store.changeLayout({ replicationFactor: 2 }), "INVALID_ARGUMENT");
    },
  },
  {
    name: "a server that registers is up and joins the layout by itself",
    async run({ store }) {
      expect(await store.registerServer(server("n2", { zone: "z", weight: 2 }))).toEqual({ layoutVersion: 1 });
      expect(await store.registerServer(server("n1"))).toEqual({ layoutVersion: 2 });
      const { servers, layouts } = await store.clusterSnapshot();
      expect(layouts).toEqual([
        {
          ...{ layoutVersion: 2, replicationFactor: 3, virtualNodesPerServer: 150 },
          servers: [
            { serverId: "n1", weight: 1 },
            { serverId: "n2", zone: "z", weight: 2 },
          ],
        },
      ]);
      expect(servers.map(({ serverId, state, weight, zone }) => [serverId, state, weight, zone])).toEqual([
        ["n1", "up", 1, undefined],
        ["n2", "up", 2, "z"],
      ]);
    },
  },
  {
    name: "a server that registers again updates its row and changes no layout",
    async run({ store }) {
      await store.registerServer(server("n1"));
      await store.stopServer("n1");
      const change = { url: "http://elsewhere:1", softwareVersion: "2.0.0" };
      expect(await store.registerServer(server("n1", change))).toEqual({ layoutVersion: 1 });
      const { servers } = await store.clusterSnapshot();
      expect(servers).toHaveLength(1);
      expect(servers[0]).toMatchObject({ ...change, state: "up", weight: 1 });
    },
  },
  {
    name: "an id that is up under one URL is refused to another, until that server has stopped",
    async run({ store }) {
      await store.registerServer(server("n1"));
      const elsewhere = server("n1", { url: "http://elsewhere:1", zone: "z", softwareVersion: "2.0.0" });
      const before = await store.clusterSnapshot();
      const refused = await expectCode(store.registerServer(elsewhere), "PRECONDITION_FAILED");
      expect(refused.details).toEqual({ serverId: "n1", url: "http://n1:50051" });
      expect(await store.clusterSnapshot()).toEqual(before);
      // The same URL comes back at once, after a crash too.
      await store.registerServer(server("n1"));
      await store.stopServer("n1");
      await store.registerServer(elsewhere);
      expect((await store.clusterSnapshot()).servers[0]).toMatchObject({ url: "http://elsewhere:1", state: "up" });
    },
  },
  {
    name: "a heartbeat stores the statistics and says the newest layout; an unknown server has to register",
    async run({ store }) {
      await store.registerServer(server("n1"));
      const [before] = (await store.clusterSnapshot()).servers;
      expect(before?.stats).toBeUndefined();
      expect(await store.heartbeat({ serverId: "n1", stats: STATS })).toEqual({ layoutVersion: 1 });
      const [after] = (await store.clusterSnapshot()).servers;
      expect(after?.stats).toEqual(STATS);
      expect(after?.lastHeartbeatAtMs).toBeGreaterThanOrEqual(before!.lastHeartbeatAtMs);
      expect(after?.registeredAtMs).toBe(before?.registeredAtMs);
      await expectCode(store.heartbeat({ serverId: "n2", stats: STATS }), "SERVER_NOT_FOUND");
    },
  },
  {
    name: "a stopped server says so and stays in the layout",
    async run({ store }) {
      await store.registerServer(server("n1"));
      await store.stopServer("n1");
      const { servers, layouts } = await store.clusterSnapshot();
      expect(servers[0]?.state).toBe("stopped");
      expect(layouts[0]?.servers).toHaveLength(1);
      await expectCode(store.stopServer("n2"), "SERVER_NOT_FOUND");
    },
  },
  {
    name: "ten servers that register at once are all in the newest layout",
    async run({ store }) {
      const ids = Array.from({ length: 10 }, (_, index) => `n${index}`);
      await Promise.all(ids.map((id) => store.registerServer(server(id))));
      const { version, servers } = await newestLayout(store);
      expect([version, Object.keys(servers)]).toEqual([10, ids]);
    },
  },
  {
    name: "an operator changes replication and weights, and takes servers out for good",
    async run({ store }) {
      for (const id of ["n1", "n2", "n3"]) await store.registerServer(server(id));
      const layout = await store.changeLayout({ replicationFactor: 2, weights: { n1: 0.5 }, removeServerIds: ["n3"] });
      expect([layout.layoutVersion, layout.replicationFactor]).toEqual([4, 2]);
      expect(await newestLayout(store)).toEqual({ version: 4, servers: { n1: 0.5, n2: 1 } });
      // What an operator decided outlives restarts of the servers.
      await store.registerServer(server("n3"));
      await store.registerServer(server("n1", { weight: 1 }));
      expect(await newestLayout(store)).toEqual({ version: 4, servers: { n1: 0.5, n2: 1 } });
      await store.changeLayout({ weights: { n3: 2 } });
      expect(await newestLayout(store)).toEqual({ version: 5, servers: { n1: 0.5, n2: 1, n3: 2 } });
      const weights = (await store.clusterSnapshot()).servers.map(({ serverId, weight }) => [serverId, weight]);
      expect(weights).toEqual([
        ["n1", 0.5],
        ["n2", 1],
        ["n3", 2],
      ]);
    },
  },
  {
    name: "a change that leaves no server, names an unknown one, or has bad numbers is refused and changes nothing",
    async run({ store }) {
      for (const id of ["n1", "n2"]) await store.registerServer(server(id));
      await expectCode(store.changeLayout({ removeServerIds: ["n1", "n2"] }), "INVALID_ARGUMENT");
      await expectCode(store.changeLayout({ weights: { n1: 0, n2: 0 } }), "INVALID_ARGUMENT");
      await expectCode(store.changeLayout({ weights: { n3: 1 } }), "SERVER_NOT_FOUND");
      await expectCode(store.changeLayout({ removeServerIds: ["n3"] }), "SERVER_NOT_FOUND");
      for (const bad of [-1, Number.NaN, Number.POSITIVE_INFINITY]) {
        await expectCode(store.changeLayout({ weights: { n1: bad } }), "INVALID_ARGUMENT");
      }
      for (const bad of [0, 17, 1.5])
        await expectCode(store.changeLayout({ replicationFactor: bad }), "INVALID_ARGUMENT");
      expect(await newestLayout(store)).toEqual({ version: 2, servers: { n1: 1, n2: 1 } });
    },
  },
  {
    name: "older layouts are in use as long as a chunk row needs them",
    async run({ store }) {
      await withBucket(store);
      const versions = async (): Promise<number[]> =>
        (await store.clusterSnapshot()).layouts.map((one) => one.layoutVersion);
      await store.registerServer(server("n1"));
      await store.commitObject(chunkedCommit("k", chunksOf(["a"]), { layoutVersion: 1 }));
      await store.registerServer(server("n2"));
      await store.registerServer(server("n3"));
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
    name: "each chunk of a commit keeps the layout by which it was placed, and no other chunk's",
    async run({ store }) {
      await withBucket(store);
      const versions = async (): Promise<number[]> =>
        (await store.clusterSnapshot()).layouts.map((one) => one.layoutVersion);
      for (const id of ["n1", "n2", "n3", "n4"]) await store.registerServer(server(id));
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
    name: "a chunk that was being collected lies where the commit that takes it back placed it",
    async run({ store }) {
      await withBucket(store);
      for (const id of ["n1", "n2", "n3"]) await store.registerServer(server(id));
      await store.commitObject(chunkedCommit("k", chunksOf(["a"]), { layoutVersion: 2 }));
      await store.deleteObject({ bucket: BUCKET, key: "k" });
      await dropAll(store);
      await store.markCollecting({ graceMs: 0, limit: 10 });
      // An upload that began under an older layout: only its copies are sure to be kept.
      await store.commitObject(chunkedCommit("l", chunksOf(["a"]), { layoutVersion: 1 }));
      expect((await store.clusterSnapshot()).layouts.map((one) => one.layoutVersion)).toEqual([3, 1]);
    },
  },
  {
    name: "recent layouts are those that an upload may have begun under, though no row needs them",
    async run({ store }) {
      const DAY_MS = 24 * 3600 * 1000;
      const versions = async (forMs: number, limit = 10): Promise<number[]> =>
        (await store.recentLayouts({ forMs, limit })).map((one) => one.layoutVersion);
      expect(await versions(DAY_MS)).toEqual([]);
      for (const id of ["n1", "n2", "n3"]) await store.registerServer(server(id));
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
      const bad: ReadonlyArray<Partial<ServerRegistration>> = [
        { serverId: "" },
        { serverId: "a b" },
        { serverId: "a".repeat(65) },
        { url: "n1:50051" },
        { url: "http://n1/" },
        // No transport could open these: gateways of all nodes would be asked in vain.
        { url: "http://user:pa55word@n1:50051" },
        { url: "http://n1:50051/?zone=a" },
        { url: "http://n1:50051#a" },
        { url: "http://n1:500510" },
        { weight: -1 },
        { weight: Number.NaN },
        { zone: "" },
      ];
      for (const change of bad) await expectCode(store.registerServer(server("n1", change)), "INVALID_ARGUMENT");
      await expectCode(store.heartbeat({ serverId: "n1", stats: { ...STATS, bytesUsed: -1 } }), "INVALID_ARGUMENT");
      expect((await store.clusterSnapshot()).servers).toEqual([]);
    },
  },
];
