import { expect, test } from "vitest";
import { sha256Sync } from "../hash/index.ts";
import { LIMITS } from "../limits.ts";
import { type Clock, type ClusterSnapshot, type Layout, silentLogger, type Transport } from "../ports/index.ts";
import { createClusterTopology } from "./cluster-topology.ts";

const CHUNK = sha256Sync(new Uint8Array([1, 2, 3]));

const layoutOf = (layoutVersion: number): Layout => ({
  ...{ layoutVersion, replicationFactor: 2, virtualNodesPerNode: 10 },
  nodes: ["a", "b", "c"].map((nodeId) => ({ nodeId, weight: 1 })),
});

/** A registry whose answers are counted, and a topology over it; no store is ever called. */
function cluster() {
  const state = { nowMs: 0, asked: 0, layouts: [layoutOf(1)], failure: undefined as Error | undefined, hangs: false };
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
      return { nodes: [], layouts: state.layouts };
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
