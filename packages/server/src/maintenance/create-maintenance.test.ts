import { randomBytes } from "node:crypto";
import { createMemoryChunkStore } from "@ashlar/adapters/chunk-store/memory";
import { nodeCryptoHasher } from "@ashlar/adapters/hash/node-crypto";
import { createMemoryMetadataStore } from "@ashlar/adapters/metadata-store/memory";
import { fixed, KIB } from "@ashlar/sdk";
import {
  createEngine,
  createReplicatedStore,
  type NamedStore,
  type ReplicationOptions,
  type Topology,
} from "@ashlar/sdk/engine";
import { AshlarError } from "@ashlar/sdk/errors";
import { type Digest, digestFromBytes, sha256Sync } from "@ashlar/sdk/hash";
import {
  type ChunkStore,
  type Clock,
  type MetadataStore,
  type ObjectEngine,
  silentLogger,
  systemClock,
  systemRandom,
} from "@ashlar/sdk/ports";
import { createPlacement } from "@ashlar/sdk/ring";
import { beforeEach, describe, expect, it } from "vitest";
import { createMetrics, noMetrics } from "../observability/index.ts";
import { createMaintenance, type Maintenance, type MaintenanceOptions, repair } from "./index.ts";

const CHUNK_BYTES = 100_000;

interface Node {
  readonly nodeId: string;
  readonly store: ChunkStore;
  up: boolean;
}

let metadata: MetadataStore;
/** How far the clock of the metadata is ahead, in ms. */
let aheadMs: number;
let nodes: Node[];
let topology: Topology;
let engine: ObjectEngine;

/** A store that can be switched off. */
function switchable(node: () => Node, inner: ChunkStore): ChunkStore {
  return new Proxy(inner, {
    get(target, name) {
      const member: unknown = Reflect.get(target, name);
      if (typeof member !== "function" || name === "close") return member;
      return async (...given: unknown[]): Promise<unknown> => {
        if (!node().up) throw new AshlarError("NODE_UNAVAILABLE", "switched off");
        return await Reflect.apply(member, target, given);
      };
    },
  });
}

beforeEach(async () => {
  aheadMs = 0;
  metadata = createMemoryMetadataStore({ clock: { ...systemClock, nowMs: () => systemClock.nowMs() + aheadMs } });
  nodes = ["a", "b", "c"].map((nodeId, index) => {
    const store = switchable(() => nodes[index]!, createMemoryChunkStore());
    return { nodeId, store, up: true };
  });
  const named = (): NamedStore[] => nodes.map(({ nodeId, store, up }) => ({ nodeId, store, available: up }));
  topology = {
    writePlacement: async () => ({ layoutVersion: 1, stores: named() }),
    readCandidates: async () => named(),
    allStores: async () => named(),
    writeQuorum: () => 2,
    invalidate: () => {},
    close: async () => {},
  };
  for (const { nodeId } of nodes) await metadata.registerNode({ nodeId, url: "http://x", softwareVersion: "1" });
  engine = createEngine({ ...common(), catalog: metadata, topology, inlineMaxBytes: 0 });
  await engine.createBucket("bucket");
});

function common(): Pick<ReplicationOptions, "hasher" | "clock" | "random" | "logger"> {
  return { hasher: nodeCryptoHasher, clock: systemClock, random: systemRandom, logger: silentLogger };
}

function maintenanceOf(more: Partial<MaintenanceOptions> = {}): Maintenance {
  const chunks = createReplicatedStore({ ...common(), topology });
  return createMaintenance({ ...common(), metadata, topology, chunks, metrics: noMetrics, ...more });
}

async function put(key: string, bytes: Uint8Array = randomBytes(CHUNK_BYTES)): Promise<Digest> {
  async function* body(): AsyncGenerator<Uint8Array> {
    yield bytes;
  }
  await engine.putObject({ bucket: "bucket", key, attributes: {}, durability: "os" }, body());
  return digestFromBytes(await nodeCryptoHasher.digest(bytes));
}

const waitingAt = (nodeId: string, count: number): object => ({
  waiting: [expect.objectContaining({ nodeId, count })],
});

const holders = async (chunkId: Digest): Promise<string[]> => {
  const found: string[] = [];
  for (const { nodeId, store, up } of nodes) {
    if (up && (await store.hasChunks([chunkId], { claim: false }))[0] !== undefined) found.push(nodeId);
  }
  return found;
};

describe("repair", () => {
  it("restores what a node missed while it was away", async () => {
    nodes[2]!.up = false;
    const chunkId = await put("key");
    expect(await holders(chunkId)).toEqual(["a", "b"]);
    const failing = await maintenanceOf().runOnce();
    expect(failing).toMatchObject({ chunksRepaired: 0, repairsFailed: 0, ...waitingAt("c", 1) });
    nodes[2]!.up = true;
    const report = { chunksRepaired: 1, bytesRepaired: CHUNK_BYTES, repairsFailed: 0, waiting: [], chunksDeleted: 0 };
    expect(await maintenanceOf().runOnce()).toMatchObject(report);
    expect(await holders(chunkId)).toEqual(["a", "b", "c"]);
    expect(await metadata.listRepairs({ limit: 10 })).toEqual([]);
    expect(await maintenanceOf().runOnce()).toMatchObject({ chunksRepaired: 0, repairsFailed: 0 });
  });

  it("goes past those that wait for a node that is away, however many they are", async () => {
    const chunkId = await put("key");
    nodes[1]!.up = false;
    const count = 300;
    async function* body(): AsyncGenerator<Uint8Array> {
      yield randomBytes(count * 64 * KIB);
    }
    const small = createEngine({
      ...common(),
      catalog: metadata,
      topology,
      inlineMaxBytes: 0,
      chunker: fixed(64 * KIB),
    });
    await small.putObject({ bucket: "bucket", key: "many", attributes: {}, durability: "os" }, body());
    await nodes[2]!.store.deleteChunks([chunkId], { unclaimedForMs: 0 });
    expect(await metadata.queueRepairs([{ chunkId, nodeId: "c", layoutVersions: [0, 1] }])).toBe(1);
    expect(await maintenanceOf().runOnce()).toMatchObject({ chunksRepaired: 1, ...waitingAt("b", count) });
    expect(await holders(chunkId)).toEqual(["a", "c"]);
  });

  it("reads from the replica that is whole", async () => {
    nodes[2]!.up = false;
    const bytes = randomBytes(CHUNK_BYTES);
    const chunkId = await put("key", bytes);
    const lying: ChunkStore = { ...nodes[0]!.store, getChunk: async () => randomBytes(CHUNK_BYTES) };
    nodes = [{ nodeId: "a", store: lying, up: true }, nodes[1]!, nodes[2]!];
    nodes[2]!.up = true;
    expect(await maintenanceOf().runOnce()).toMatchObject({ chunksRepaired: 1 });
    expect(await nodes[2]!.store.getChunk(chunkId)).toEqual(new Uint8Array(bytes));
  });

  it("restores what one node missed, although more entries than a page wait for a node that is away", async () => {
    const missed = (nodeId: string, name: string) => ({
      chunkId: sha256Sync(new TextEncoder().encode(name)),
      sizeBytes: 1,
      layoutVersion: 1,
      missedNodeIds: [nodeId],
    });
    const waiting = Array.from({ length: 300 }, (_, index) => missed("a", `waits ${index}`));
    await metadata.commitObject({
      ...{ bucket: "bucket", key: "waiting", etag: "x", sizeBytes: 300, attributes: {}, durability: "os" },
      content: { chunks: waiting },
    });
    nodes[2]!.up = false;
    const chunkId = await put("key");
    nodes[2]!.up = true;
    nodes[0]!.up = false;
    expect(await maintenanceOf().runOnce()).toMatchObject({ chunksRepaired: 1, ...waitingAt("a", 300) });
    expect(await holders(chunkId)).toEqual(["b", "c"]);
  });

  it("restores everything that belongs on a node that lost its disk, and then forgets the loss", async () => {
    const chunkIds = await Promise.all(["one", "two", "three"].map((key) => put(key)));
    const registration = { nodeId: "a", url: "http://x", softwareVersion: "1" };
    const stats = { chunkCount: 3, bytesUsed: 3 * CHUNK_BYTES, bytesFree: 1, bytesTotal: 1 };
    await metadata.heartbeat({ nodeId: "a", stats });
    const empty = switchable(() => nodes[0]!, createMemoryChunkStore());
    nodes[0] = { nodeId: "a", store: empty, up: true };
    const { lostDisk } = await metadata.registerNode({ ...registration, chunkCount: 0 });
    expect(lostDisk).toMatchObject({ kind: "emptied", chunkCount: 3 });
    expect(await maintenanceOf().runOnce()).toMatchObject({ chunksRepaired: 3, repairsFailed: 0, copiesQueued: 3 });
    for (const chunkId of chunkIds) expect(await holders(chunkId)).toEqual(["a", "b", "c"]);
    const stateOf = async () => (await metadata.clusterSnapshot()).nodes.find(({ nodeId }) => nodeId === "a")?.lostDisk;
    expect(await stateOf()).toMatchObject({ isQueued: true });
    expect(await maintenanceOf().runOnce()).toMatchObject({ chunksRepaired: 0, copiesQueued: 0 });
    expect(await stateOf()).toBeUndefined();
  });

  it("walks over so many rows in one round that repair and other work go on, and over the others in the next", async () => {
    let stepsLeft = 250;
    const long: MetadataStore = {
      ...metadata,
      async queueLostCopies({ limit }) {
        if (stepsLeft === 0) return { rowsWalked: 0, copiesQueued: 0, isDone: true };
        stepsLeft--;
        return { rowsWalked: limit, copiesQueued: 1, isDone: false };
      },
    };
    const maintenance = maintenanceOf({ metadata: long });
    const queued: number[] = [];
    for (let round = 0; round < 3; round++) queued.push((await maintenance.runOnce()).copiesQueued);
    expect(queued).toEqual([100, 100, 50]);
  });

  it("counts chunks by their copies after the repairs, and again when the count is old", async () => {
    let monotonicMs = 0;
    const clock: Clock = { ...systemClock, nowMs: () => 5_000_000, monotonicMs: () => monotonicMs };
    const metrics = createMetrics();
    const figure = async (name: string): Promise<string | undefined> =>
      (await metrics.render()).text.split("\n").find((line) => line.startsWith(`${name} `));
    const maintenance = maintenanceOf({ clock, metrics });
    // By this topology chunks are on three nodes; by the layout in their rows on one, the first that registered.
    await put("one");
    await put("two");
    await maintenance.runOnce();
    expect(await figure('ashlar_chunks_by_copies{copies="1"}')).toMatch(/ 2$/);
    expect(await figure("ashlar_chunks_counted_timestamp_seconds")).toMatch(/ 5000$/);
    await metadata.stopNode("a");
    await maintenance.runOnce();
    expect(await figure('ashlar_chunks_by_copies{copies="0"}')).toMatch(/ 0$/);
    monotonicMs += 5 * 60_000;
    await maintenance.runOnce();
    expect(await figure('ashlar_chunks_by_copies{copies="0"}')).toMatch(/ 2$/);
    expect(await figure("ashlar_chunks_short_of_copies")).toMatch(/ 2$/);
    expect(await figure("ashlar_chunks_lost")).toMatch(/ 0$/);
    // Other nodes are up: what was counted holds no more.
    await metadata.registerNode({ nodeId: "a", url: "http://x", softwareVersion: "1" });
    nodes[0]!.up = false;
    await maintenance.runOnce();
    expect(await figure('ashlar_chunks_by_copies{copies="1"}')).toMatch(/ 2$/);
  });

  it("keeps an entry that nobody can serve, and drops one whose chunk or node is gone", async () => {
    nodes[2]!.up = false;
    const lost = await put("lost");
    nodes[2]!.up = true;
    for (const { store } of nodes.slice(0, 2)) await store.deleteChunks([lost], { unclaimedForMs: 0 });
    expect(await maintenanceOf().runOnce()).toMatchObject({ repairsFailed: 1, repairsDropped: 0 });
    // It is tried again after a while, and not at once.
    expect(await maintenanceOf().runOnce()).toMatchObject({ repairsFailed: 0, ...waitingAt("c", 1) });
    aheadMs += 60_000;
    expect(await maintenanceOf().runOnce()).toMatchObject({ repairsFailed: 1, ...waitingAt("c", 1) });
    expect(await metadata.listRepairs({ limit: 10, minAttempts: 2 })).toMatchObject([
      { attempts: 2, lastError: expect.stringMatching(/^no replica holds chunk/) },
    ]);
    aheadMs += 15 * 60_000;
    nodes.pop();
    // An old view may lack a node that registered meanwhile.
    topology = { ...topology, viewFailure: () => new AshlarError("METADATA_UNAVAILABLE", "away") };
    expect(await maintenanceOf().runOnce()).toMatchObject({ repairsDropped: 0, ...waitingAt("c", 1) });
    // A node that a layout in use names may register again.
    const [layout] = (await metadata.clusterSnapshot()).layouts;
    const view = { layoutsInUse: async () => [layout!], placementOf: createPlacement };
    topology = { ...topology, view, viewFailure: () => undefined };
    expect(await maintenanceOf().runOnce()).toMatchObject({ repairsDropped: 0, ...waitingAt("c", 1) });
    topology = { ...topology, view: undefined };
    expect(await maintenanceOf().runOnce()).toMatchObject({ repairsDropped: 1, waiting: [] });
  });

  it("tells operators of copies that fail again and again", async () => {
    nodes[2]!.up = false;
    const lost = await put("lost");
    nodes[2]!.up = true;
    for (const { store } of nodes.slice(0, 2)) await store.deleteChunks([lost], { unclaimedForMs: 0 });
    const metrics = createMetrics();
    for (let attempt = 1; attempt <= 5; attempt++) {
      expect(await maintenanceOf({ metrics }).runOnce()).toMatchObject({ repairsFailed: 1 });
      aheadMs += 15 * 60_000;
    }
    const { text } = await metrics.render();
    expect(text).toMatch(/^ashlar_repairs_failing 1$/m);
    expect(text).toMatch(/^ashlar_repairs_waiting 1$/m);
    expect(text).toMatch(new RegExp(`^ashlar_repair_bytes_waiting ${CHUNK_BYTES}$`, "m"));
  });
});

describe("rebalance", () => {
  it("tells chunks whose copies have moved apart from those that nothing names any more, which need none", async () => {
    await put("kept");
    await put("gone");
    await engine.deleteObject({ bucket: "bucket", key: "gone" });
    while ((await metadata.dropReleasedManifests({ graceMs: 0, limit: 10 })) > 0);
    const layoutsInUse = async () => (await metadata.clusterSnapshot()).layouts;
    const following = { ...topology, view: { layoutsInUse, placementOf: createPlacement } };
    const report = await maintenanceOf({ topology: following }).runOnce();
    expect(report).toMatchObject({ chunksMoved: 1, chunksReleased: 1, chunksBehind: 0 });
  });
});

describe("what is left to do", () => {
  it("is told by every gateway, and a database that cannot count it stops no work", async () => {
    nodes[2]!.up = false;
    await put("key");
    const maintenance = maintenanceOf();
    expect(maintenance.remainingWork()).toBeUndefined();
    await maintenance.runOnce();
    expect(maintenance.remainingWork()).toMatchObject({ copiesWaiting: 1, copyBytesWaiting: CHUNK_BYTES });
    nodes[2]!.up = true;
    let counts = 0;
    const slow: MetadataStore = {
      ...metadata,
      // The first and the second are those of repair itself.
      async countRepairs(call) {
        if (++counts > 2) throw new AshlarError("METADATA_UNAVAILABLE", "the statement took too long");
        return await metadata.countRepairs(call);
      },
    };
    expect(await maintenanceOf({ metadata: slow }).runOnce()).toMatchObject({ chunksRepaired: 1 });
    expect(counts).toBe(3);
  });
});

describe("the log", () => {
  it.each([
    ["NODE_UNAVAILABLE", "info"],
    ["INTERNAL", "warn"],
  ] as const)("tells a node that answers %s at the level %s: one that was stopped is no fault", async (code, level) => {
    await put("kept");
    const lines: string[] = [];
    const line = (of: string) => (_fields: object, message: string) => void lines.push(`${of} ${message}`);
    const logger = { ...silentLogger, info: line("info"), warn: line("warn"), error: line("error") };
    const layoutsInUse = async () => (await metadata.clusterSnapshot()).layouts;
    const failing = async (): Promise<never> => {
      throw new AshlarError(code, "the node does not answer");
    };
    const allStores = async (): Promise<NamedStore[]> =>
      nodes.map(({ nodeId, store }) => ({
        ...{ nodeId, available: true },
        store: nodeId === "c" ? { ...store, hasChunks: failing, listChunks: failing } : store,
      }));
    const following = { ...topology, allStores, view: { layoutsInUse, placementOf: createPlacement } };
    expect(await maintenanceOf({ topology: following, logger }).runOnce()).toMatchObject({ chunksBehind: 1 });
    expect(lines).toContain(`${level} a node did not say which copies it has; its chunks stay where they are`);
    expect(lines).toContain(`${level} orphan sweep skipped a store`);
    if (level === "info") expect(lines.filter((text) => !text.startsWith("info"))).toEqual([]);
  });
});

describe("repair by several workers", () => {
  /** Makes one node miss chunks. @returns how often each was written there since. */
  async function missed(count: number): Promise<ReadonlyMap<string, number>> {
    nodes[2]!.up = false;
    for (let index = 0; index < count; index++) await put(`key ${index}`);
    const writes = new Map<string, number>();
    const inner = nodes[2]!.store;
    const store: ChunkStore = {
      ...inner,
      putChunk(chunkId, bytes, options) {
        const id = Buffer.from(chunkId).toString("hex");
        writes.set(id, (writes.get(id) ?? 0) + 1);
        return inner.putChunk(chunkId, bytes, options);
      },
      getChunk: (chunkId, options) => inner.getChunk(chunkId, options),
      hasChunks: (chunkIds, options) => inner.hasChunks(chunkIds, options),
    };
    nodes[2] = { nodeId: "c", store, up: true };
    return writes;
  }

  it("does nothing twice, and together all of it", async () => {
    const writes = await missed(100);
    const reports = await Promise.all([1, 2, 3].map(() => maintenanceOf().runOnce()));
    expect([...writes.values()]).toEqual(Array.from({ length: 100 }, () => 1));
    expect(reports.reduce((sum, { chunksRepaired }) => sum + chunksRepaired, 0)).toBe(100);
    expect(await metadata.countRepairs()).toEqual([]);
  });

  it("takes over what a worker had that died, when its lease has ended", async () => {
    const writes = await missed(3);
    await metadata.claimRepairs({ nodeId: "c", limit: 2, leaseMs: 100_000 });
    expect(await maintenanceOf().runOnce()).toMatchObject({ chunksRepaired: 1, ...waitingAt("c", 2) });
    aheadMs += 100_001;
    expect(await maintenanceOf().runOnce()).toMatchObject({ chunksRepaired: 2, waiting: [] });
    expect(writes.size).toBe(3);
  });

  it("gives back what it has not tried when the node goes away, and tries it again when the node is back", async () => {
    await missed(20);
    const { store } = nodes[2]!;
    let writes = 0;
    const failing: ChunkStore = {
      ...store,
      async putChunk() {
        writes++;
        throw new AshlarError("NODE_UNAVAILABLE", "gone");
      },
    };
    nodes[2] = { nodeId: "c", store: failing, up: true };
    const report = await maintenanceOf().runOnce();
    expect(report).toMatchObject({ chunksRepaired: 0, repairsFailed: 0, ...waitingAt("c", 20) });
    expect(writes).toBeLessThanOrEqual(2);
    nodes[2] = { nodeId: "c", store, up: true };
    expect(await maintenanceOf().runOnce()).toMatchObject({ chunksRepaired: 20, waiting: [] });
  });

  it("restores copies as soon as a node that has another one is back, however often it has tried", async () => {
    await missed(3);
    for (const node of nodes.slice(0, 2)) node.up = false;
    topology = {
      ...topology,
      readCandidates: async () => nodes.map((node) => ({ ...node, available: true })).slice(0, 2),
    };
    for (let round = 0; round < 6; round++)
      expect(await maintenanceOf().runOnce()).toMatchObject({ repairsFailed: 3, ...waitingAt("c", 3) });
    expect((await metadata.countRepairs())[0]).toMatchObject({ claimedCount: 0, failingCount: 0 });
    nodes[1]!.up = true;
    expect(await maintenanceOf().runOnce()).toMatchObject({ chunksRepaired: 3, waiting: [] });
  });

  it("gives back what it has when the server stops", async () => {
    await missed(20);
    const { store } = nodes[2]!;
    const stop = new AbortController();
    const hanging: ChunkStore = {
      ...store,
      putChunk: (_chunkId, _bytes, options) =>
        new Promise((_, reject) => {
          options?.signal?.addEventListener("abort", () => reject(options.signal?.reason));
          stop.abort(new AshlarError("CANCELED", "the server stops"));
        }),
    };
    nodes[2] = { nodeId: "c", store: hanging, up: true };
    await expect(maintenanceOf().runOnce({ signal: stop.signal })).rejects.toMatchObject({ code: "CANCELED" });
    nodes[2] = { nodeId: "c", store, up: true };
    expect(await maintenanceOf().runOnce()).toMatchObject({ chunksRepaired: 20, waiting: [] });
  });

  it("gives each node no more bytes in a second than it may", async () => {
    await missed(10);
    let monotonicMs = 0;
    const clock: Clock = {
      ...systemClock,
      monotonicMs: () => monotonicMs,
      sleep: async (durationMs) => {
        monotonicMs += durationMs;
      },
    };
    const chunks = createReplicatedStore({ ...common(), topology });
    await repair({
      ...common(),
      ...{ metadata, topology, chunks, clock, repairBytesPerSecond: CHUNK_BYTES / 2 },
    });
    // The first goes at once, and each of the others two seconds after the one before.
    expect(monotonicMs).toBeGreaterThanOrEqual(18_000);
    expect(await metadata.countRepairs()).toEqual([]);
  });
});

describe("collection", () => {
  it("frees what nothing names any more, on every node, and counts it in metrics", async () => {
    const metrics = createMetrics();
    const gone = await put("gone");
    const kept = await put("kept");
    await engine.deleteObject({ bucket: "bucket", key: "gone" });
    const maintenance = maintenanceOf({ graceMs: 0, claimTtlMs: 0, metrics });
    const report = await maintenance.runOnce();
    expect(report).toMatchObject({ manifestsDropped: 1, chunksDeleted: 1, chunksKept: 0 });
    expect([await holders(gone), await holders(kept)]).toEqual([[], ["a", "b", "c"]]);
    const { text } = await metrics.render();
    expect(text).toMatch(/ashlar_maintenance_things_total\{what="chunksDeleted"\} 1/);
    expect(text).toMatch(/ashlar_maintenance_duration_seconds_count\{task="collect",outcome="ok"\} 1/);
  });

  it("keeps chunks that are claimed, and what a node that is away may still hold", async () => {
    const claimed = await put("claimed");
    await engine.deleteObject({ bucket: "bucket", key: "claimed" });
    expect(await maintenanceOf({ graceMs: 0 }).runOnce()).toMatchObject({ chunksDeleted: 0, chunksKept: 1 });
    expect((await holders(claimed)).length).toBe(3);
    nodes[1]!.up = false;
    expect(await maintenanceOf({ graceMs: 0, claimTtlMs: 0 }).runOnce()).toMatchObject({ chunksDeleted: 0 });
    nodes[1]!.up = true;
    await maintenanceOf({ graceMs: 0, claimTtlMs: 0 }).runOnce();
    expect(await holders(claimed)).toEqual([]);
  });
});

/** The metadata database is examined once in this time. */
const DAY_MS = 24 * 3600 * 1000;
/** Who has a job renews its lease after so long. */
const RENEWED_AFTER_MS = 20_000;

describe("schedules", () => {
  /** A clock whose sleeps end when the test says so. */
  function manualClock(): Clock & { readonly sleeps: number[]; wake(): void } {
    const waiting = new Set<() => void>();
    const sleeps: number[] = [];
    return {
      ...systemClock,
      sleeps,
      sleep: (durationMs, options) =>
        new Promise((resolve, reject) => {
          sleeps.push(durationMs);
          waiting.add(resolve);
          options?.signal?.addEventListener("abort", () => reject(options.signal?.reason), { once: true });
        }),
      wake() {
        for (const resolve of waiting) resolve();
        waiting.clear();
      },
    };
  }

  it("run all jobs again and again with jitter, survive failures and stop at once", async () => {
    const clock = manualClock();
    let asked = 0;
    const failing: MetadataStore = {
      ...metadata,
      queueLostCopies: async () => {
        asked++;
        throw new AshlarError("METADATA_UNAVAILABLE", "away");
      },
    };
    const random = { fraction: () => 0.5 };
    const options = { clock, random: { ...systemRandom, ...random }, collectIntervalMs: 1000, repairIntervalMs: 100 };
    const maintenance = maintenanceOf({ ...options, metadata: failing });
    maintenance.start();
    maintenance.start();
    expect(clock.sleeps).toEqual([500, 50, 50, 5 * 60_000]);
    for (let turn = 1; turn <= 3; turn++) {
      clock.wake();
      await expect.poll(() => asked).toBe(turn);
      await expect
        .poll(() => clock.sleeps.filter((durationMs) => durationMs !== RENEWED_AFTER_MS).length)
        .toBe(4 + 4 * turn);
    }
    const ofSchedules = clock.sleeps.filter((durationMs) => durationMs !== RENEWED_AFTER_MS);
    expect(ofSchedules.slice(-4).sort((a, b) => a - b)).toEqual([100, 100, 1000, DAY_MS]);
    await maintenance.stop();
    await maintenance.stop();
    clock.wake();
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(asked).toBe(3);
  });

  it("leave a node out that stays away, however long a round of repair takes", async () => {
    let isRepairing = false;
    const left: string[] = [];
    const busy: MetadataStore = {
      ...metadata,
      queueLostCopies: (_query, call) =>
        new Promise((_, reject) => {
          isRepairing = true;
          call?.signal?.addEventListener("abort", () => reject(call.signal?.reason));
        }),
      leaveOutNode: async ({ nodeId }) => void left.push(nodeId),
    };
    nodes[2]!.up = false;
    const layoutsInUse = async () => (await metadata.clusterSnapshot()).layouts;
    const view = { layoutsInUse, placementOf: createPlacement };
    const options = { repairIntervalMs: 5, reReplicateAfterMs: 1 };
    const maintenance = maintenanceOf({ ...options, metadata: busy, topology: { ...topology, view } });
    maintenance.start();
    await expect.poll(() => isRepairing).toBe(true);
    await expect.poll(() => left).toContain("c");
    expect(new Set(left)).toEqual(new Set(["c"]));
    await maintenance.stop();
  });

  it("make copies that a layout wants as soon as they are queued, not at the next round of repair", async () => {
    const chunkId = await put("key");
    await nodes[2]!.store.deleteChunks([chunkId], { unclaimedForMs: 0 });
    const layoutsInUse = async () => (await metadata.clusterSnapshot()).layouts;
    const view = { layoutsInUse, placementOf: createPlacement };
    expect((await layoutsInUse()).length).toBeGreaterThan(1);
    // The first round of repair would come after ten minutes, and only the look at the layout at once.
    const fractions = [1, 1, 0, 1];
    const random = { ...systemRandom, fraction: () => fractions.shift() ?? 1 };
    const maintenance = maintenanceOf({ random, repairIntervalMs: 3_600_000, topology: { ...topology, view } });
    maintenance.start();
    await expect.poll(() => holders(chunkId)).toEqual(["a", "b", "c"]);
    await maintenance.stop();
  });

  it("abort a run in progress when stopped", async () => {
    const clock = manualClock();
    let begun = false;
    let aborted = false;
    const hanging: MetadataStore = {
      ...metadata,
      queueLostCopies: (_query, call) =>
        new Promise((_, reject) => {
          begun = true;
          call?.signal?.addEventListener("abort", () => {
            aborted = true;
            reject(call.signal?.reason);
          });
        }),
    };
    const maintenance = maintenanceOf({ clock, metadata: hanging });
    maintenance.start();
    clock.wake();
    await expect.poll(() => begun).toBe(true);
    await maintenance.stop();
    expect(aborted).toBe(true);
  });

  it("have nothing to do on a store that is new", async () => {
    expect(await maintenanceOf().runOnce()).toEqual({
      chunksMoved: 0,
      chunksReleased: 0,
      moveCopiesQueued: 0,
      chunksBehind: 0,
      chunksRepaired: 0,
      bytesRepaired: 0,
      repairsDropped: 0,
      repairsFailed: 0,
      copiesQueued: 0,
      waiting: [],
      manifestsDropped: 0,
      uploadsAborted: 0,
      chunksDeleted: 0,
      chunksKept: 0,
      orphansDeleted: 0,
      orphansKept: 0,
      staleCopiesDeleted: 0,
      storesRefusing: 0,
      damagesFound: 0,
    });
  });
});
