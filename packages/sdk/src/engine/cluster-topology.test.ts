import { expect, test } from "vitest";
import { sha256Sync } from "../hash/index.ts";
import * as LIMITS from "../limit-values.ts";
import {
  type ChunkStore,
  type Clock,
  type ClusterSnapshot,
  type Layout,
  type NodeRecord,
  silentLogger,
  type Transport,
} from "../ports/index.ts";
import { createClusterTopology } from "./cluster-topology.ts";
import type { Topology } from "./topology.ts";

const CHUNK = sha256Sync(new Uint8Array([1, 2, 3]));

const layoutOf = (layoutVersion: number): Layout => ({
  ...{ layoutVersion, replicationFactor: 2, virtualNodesPerNode: 10 },
  nodes: ["a", "b", "c"].map((nodeId) => ({ nodeId, weight: 1 })),
});

/** A registry whose answers are counted, and a topology over it; no store is ever called. */
function cluster() {
  const state = {
    nowMs: 0,
    asked: 0,
    layouts: [layoutOf(1)],
    failure: undefined as Error | undefined,
    hangs: false,
    nodes: [] as NodeRecord[],
  };
  const timers: { readonly atMs: number; readonly wake: () => void }[] = [];
  const clock: Clock = {
    nowMs: () => state.nowMs,
    monotonicMs: () => state.nowMs,
    sleep: (durationMs) => new Promise((wake) => timers.push({ atMs: state.nowMs + durationMs, wake })),
  };
  const pass = (durationMs: number): void => {
    state.nowMs += durationMs;
    for (const { atMs, wake } of timers) if (atMs <= state.nowMs) wake();
  };
  const registry = {
    async clusterSnapshot(): Promise<ClusterSnapshot> {
      state.asked++;
      if (state.hangs) return await new Promise(() => {});
      if (state.failure !== undefined) throw state.failure;
      return { nodes: state.nodes, layouts: state.layouts };
    },
  };
  const transport = { openChunkStore: () => ({}) } as unknown as Transport;
  const topology = createClusterTopology({ registry, transport, clock, logger: silentLogger, refreshAfterMs: 2000 });
  return { topology, view: topology.view!, state, pass };
}

test("a topology and its view share what they know: they ask the registry once, also when both need it at the same time", async () => {
  const { topology, view, state } = cluster();
  await Promise.all([view.layoutsInUse(), topology.writePlacement(CHUNK), topology.readCandidates(CHUNK)]);
  await view.layoutsInUse();
  expect(state.asked).toBe(1);
  state.nowMs += 2001;
  await view.layoutsInUse();
  await topology.writePlacement(CHUNK);
  expect(state.asked).toBe(2);
});

test("the table of a layout is made once, for all callers", async () => {
  const { view } = cluster();
  const [layout] = await view.layoutsInUse();
  expect(view.placementOf(layout!)).toBe(view.placementOf(layoutOf(1)));
});

test("tables of layouts that are no longer in use are kept for uploads that began under them, up to a limit", async () => {
  const { view, state } = cluster();
  const tables = new Map<number, unknown>();
  const last = LIMITS.RECENT_LAYOUTS_MAX + 2;
  for (let version = 1; version <= last; version++) {
    state.layouts = [layoutOf(version)];
    state.nowMs += 2001;
    for (const layout of await view.layoutsInUse()) tables.set(version, view.placementOf(layout));
  }
  expect(view.placementOf(layoutOf(last - 1))).toBe(tables.get(last - 1));
  expect(view.placementOf(layoutOf(2))).toBe(tables.get(2));
  expect(view.placementOf(layoutOf(1))).not.toBe(tables.get(1));
});

test("while the registry is away the last view stays in use, and says so until it is renewed", async () => {
  const { topology, view, state } = cluster();
  await view.layoutsInUse();
  state.layouts = [layoutOf(2)];
  state.failure = new Error("away");
  topology.invalidate();
  expect((await view.layoutsInUse()).map(({ layoutVersion }) => layoutVersion)).toEqual([1]);
  expect(topology.viewFailure?.()?.message).toContain("away");
  state.failure = undefined;
  state.nowMs += 2001;
  expect((await view.layoutsInUse()).map(({ layoutVersion }) => layoutVersion)).toEqual([2]);
  expect(topology.viewFailure?.()).toBeUndefined();
});

/** A topology whose registry answers when the test says so. */
function slowRegistry() {
  const answers: ((layoutVersion: number) => void)[] = [];
  const clock: Clock = { nowMs: () => 0, monotonicMs: () => 0, sleep: () => new Promise(() => {}) };
  const registry = {
    clusterSnapshot: () =>
      new Promise<ClusterSnapshot>((resolve) => {
        answers.push((layoutVersion) => resolve({ nodes: [], layouts: [layoutOf(layoutVersion)] }));
      }),
  };
  const transport = { openChunkStore: () => ({}) } as unknown as Transport;
  return { topology: createClusterTopology({ registry, transport, clock, logger: silentLogger }), answers };
}

test("a renewal that began before invalidate() does not count: what it was about may be newer", async () => {
  const { topology, answers } = slowRegistry();
  const first = topology.writePlacement(CHUNK);
  topology.invalidate();
  const second = topology.writePlacement(CHUNK);
  const third = topology.writePlacement(CHUNK);
  expect(answers).toHaveLength(1);
  answers[0]!(1);
  expect((await first).layoutVersion).toBe(1);
  // One renewal follows for all who wait.
  expect(answers).toHaveLength(2);
  answers[1]!(2);
  expect((await second).layoutVersion).toBe(2);
  expect((await third).layoutVersion).toBe(2);
  expect(answers).toHaveLength(2);
});

/** A topology over stores that note when they are closed, and whose reads end when the test says so. */
function nodePool() {
  const nodeOf = (nodeId: string, url = `http://${nodeId}:1`): NodeRecord => ({
    ...{ nodeId, url, weight: 1, softwareVersion: "1", state: "up", registeredAtMs: 0, lastHeartbeatAtMs: 0 },
  });
  const state = { nodes: ["a", "b", "c"].map((nodeId) => nodeOf(nodeId)), layouts: [layoutOf(1)] };
  const closed: string[] = [];
  /** URLs in the order in which they were read from. */
  const asked: string[] = [];
  const reads: (() => void)[] = [];
  const transport = {
    openChunkStore: ({ url }: { url: string }) => {
      let isOpen = true;
      return {
        getChunk: () =>
          new Promise((resolve, reject) => {
            asked.push(url);
            reads.push(() => (isOpen ? resolve(new Uint8Array([1])) : reject(new Error("closed while it was read"))));
          }),
        close: async () => {
          isOpen = false;
          closed.push(url);
        },
      };
    },
  } as unknown as Transport;
  const clock: Clock = { nowMs: () => 0, monotonicMs: () => 0, sleep: () => new Promise(() => {}) };
  const registry = { clusterSnapshot: async () => ({ nodes: state.nodes, layouts: state.layouts }) };
  const topology = createClusterTopology({ registry, transport, clock, logger: silentLogger });
  const seen = async (): Promise<[string, boolean][]> => {
    topology.invalidate();
    const layouts = await topology.view!.layoutsInUse();
    const named = await candidatesOf(topology);
    return layouts.flatMap(({ nodes }) => nodes).map(({ nodeId }) => [nodeId, named.get(nodeId)?.available ?? false]);
  };
  return { topology, state, closed, asked, reads, nodeOf, seen };
}

/** Every node that a read of some chunk would ask. */
async function candidatesOf(topology: Topology) {
  const found = new Map<string, { readonly store: ChunkStore; readonly available: boolean }>();
  for (let seed = 0; seed < 50; seed++) {
    for (const each of await topology.readCandidates(sha256Sync(new Uint8Array([seed])))) found.set(each.nodeId, each);
  }
  return found;
}

test("a node that left the registry counts as away while a layout in use names it, and can still be read", async () => {
  const { topology, state, closed, reads, seen } = nodePool();
  expect(await seen()).toEqual([
    ["a", true],
    ["b", true],
    ["c", true],
  ]);
  state.nodes = state.nodes.filter(({ nodeId }) => nodeId !== "b");
  expect(await seen()).toEqual([
    ["a", true],
    ["b", false],
    ["c", true],
  ]);
  const read = (await candidatesOf(topology)).get("b")!.store.getChunk(CHUNK);
  reads[0]!();
  expect(await read).toEqual(new Uint8Array([1]));
  expect((await topology.allStores()).map(({ nodeId }) => nodeId)).toEqual(["a", "c"]);
  expect(closed).toEqual([]);
});

test("a node that neither the registry nor a layout names is closed, after the reads that run", async () => {
  const { topology, state, closed, reads, nodeOf, seen } = nodePool();
  await seen();
  const { store } = (await candidatesOf(topology)).get("b")!;
  const read = store.getChunk(CHUNK);
  state.nodes = state.nodes.filter(({ nodeId }) => nodeId !== "b");
  state.layouts = [{ ...layoutOf(2), nodes: [{ nodeId: "a", weight: 1 }] }];
  await seen();
  expect(closed).toEqual([]);
  reads[0]!();
  expect(await read).toEqual(new Uint8Array([1]));
  await expect.poll(() => closed).toEqual(["http://b:1"]);
  // Whoever still has the store is told to look again.
  await expect(store.getChunk(CHUNK)).rejects.toMatchObject({ code: "NODE_UNAVAILABLE", retryable: true });
  // A node that comes back gets a store of its own.
  state.nodes = [...state.nodes, nodeOf("b")];
  state.layouts = [layoutOf(3)];
  expect((await seen()).find(([nodeId]) => nodeId === "b")).toEqual(["b", true]);
  await topology.close();
  expect(closed.toSorted()).toEqual(["http://a:1", "http://b:1", "http://b:1", "http://c:1"]);
});

test("a node that moves to another URL is closed at the old one, after the reads that run", async () => {
  const { topology, state, closed, asked, reads, nodeOf, seen } = nodePool();
  await seen();
  const { store } = (await candidatesOf(topology)).get("b")!;
  const read = store.getChunk(CHUNK);
  state.nodes = state.nodes.map((node) => (node.nodeId === "b" ? nodeOf("b", "http://elsewhere:1") : node));
  await seen();
  reads[0]!();
  expect(await read).toEqual(new Uint8Array([1]));
  await expect.poll(() => closed).toEqual(["http://b:1"]);
  // The next try of a call that began before goes to the new URL.
  void store.getChunk(CHUNK);
  expect(asked).toEqual(["http://b:1", "http://elsewhere:1"]);
});

test("a topology that is closed closes also the stores that it let go", async () => {
  const { topology, state, closed, seen } = nodePool();
  await seen();
  void (await candidatesOf(topology)).get("b")!.store.getChunk(CHUNK);
  state.nodes = state.nodes.filter(({ nodeId }) => nodeId !== "b");
  state.layouts = [{ ...layoutOf(2), nodes: [{ nodeId: "a", weight: 1 }] }];
  await seen();
  await topology.close();
  expect(closed.toSorted()).toEqual(["http://a:1", "http://b:1", "http://c:1"]);
});

test("all stores are those of now: a sweep after a pause asks nodes that came meanwhile", async () => {
  const { topology, state, view } = cluster();
  await view.layoutsInUse();
  state.nodes = [
    {
      nodeId: "a",
      url: "http://a:1",
      weight: 1,
      softwareVersion: "1",
      state: "up",
      registeredAtMs: 0,
      lastHeartbeatAtMs: 0,
    },
  ];
  state.nowMs += 60_000;
  expect((await topology.allStores()).map(({ nodeId }) => nodeId)).toEqual(["a"]);
});

test("while the registry hangs the last view is used after VIEW_WAIT_MS, once for all calls that wait", async () => {
  const { topology, state, pass } = cluster();
  await topology.writePlacement(CHUNK);
  state.hangs = true;
  topology.invalidate();
  const waiting = Promise.all([topology.writePlacement(CHUNK), topology.readCandidates(CHUNK)]);
  await new Promise((resolve) => setTimeout(resolve, 0));
  pass(LIMITS.VIEW_WAIT_MS);
  expect((await waiting)[0].layoutVersion).toBe(1);
  expect(topology.viewFailure?.()?.code).toBe("METADATA_UNAVAILABLE");
  const next = topology.writePlacement(CHUNK);
  await new Promise((resolve) => setTimeout(resolve, 0));
  pass(0);
  expect((await next).layoutVersion).toBe(1);
});
