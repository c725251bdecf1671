import { gateway } from "@ashlar/adapters/node";
import { createClient, fixed, KIB } from "@ashlar/sdk";
import { createMetrics } from "@ashlar/server";
import { afterEach, expect, test } from "vitest";
import { cli, cliJson, startCli } from "../support/cli.ts";
import { sha256Hex, testBytes } from "../support/test-bytes.ts";
import { startTestCluster, type TestCluster } from "../support/test-cluster.ts";

const SIZE = 1024 * KIB;
const bytes = testBytes(SIZE, 1);

let cluster: TestCluster;
afterEach(() => cluster.close());

interface LayoutsJson {
  readonly layoutVersion: number;
  readonly isBehind: boolean;
  readonly layouts: ReadonlyArray<{ readonly layoutVersion: number }>;
  readonly nodes: ReadonlyArray<{ readonly nodeId: string; readonly totalShare: number }>;
}

/** A cluster with an object in 16 chunks. Its copies move only if `moves` is given. */
async function start(
  nodeCount: number,
  { moves = true }: { readonly moves?: boolean } = {},
): Promise<Record<string, string>> {
  const intervals = { repairIntervalMs: 200, collectIntervalMs: 3_600_000, reReplicateAfterMs: 0 };
  cluster = await startTestCluster({
    ...{ nodeCount, metadata: "sqlite", heartbeatIntervalMs: 100 },
    gateway: { metrics: createMetrics(), maintenance: moves ? intervals : false },
  });
  const { url, apiKey } = cluster;
  await using client = createClient(gateway({ url, apiKey, durability: "os", chunker: fixed(64 * KIB) }));
  await client.createBucket({ bucket: "box" });
  await client.putObject({ bucket: "box", key: "k", body: bytes });
  return { ASHLAR_GATEWAY: url, ASHLAR_API_KEY: apiKey };
}

const version = async (): Promise<number> => (await cluster.metadata.clusterSnapshot()).layouts[0]!.layoutVersion;

test("drain waits until the node is not needed, says that it can be stopped, and the object is readable without it", async () => {
  const env = await start(4);
  const drained = await cli(["layout", "drain", "node-4"], { env });
  expect(drained.exitCode, drained.stderr).toBe(0);
  expect(drained.stdout).toBe(
    "node-4 holds no copy that is needed any more: it can be stopped, and taken out: ashlar layout --remove node-4\n",
  );
  expect(drained.stderr).not.toContain("warning");
  expect(drained.stderr).toContain("Ctrl-C ends only the waiting");
  const { layouts } = await cluster.metadata.clusterSnapshot();
  expect(layouts).toHaveLength(1);
  // A second drain has nothing to do, and makes no new layout.
  const [again] = await cliJson(["layout", "drain", "node-4"], { env });
  expect(again).toEqual({ layoutVersion: layouts[0]!.layoutVersion, nodeIds: ["node-4"], isDone: true });
  await cluster.nodes[3]!.stop();
  const removed = await cli(["layout", "--remove", "node-4"], { env });
  expect(removed.exitCode, removed.stderr).toBe(0);
  expect(removed.stdout).toMatch(/^layout 6 is in use: 3 copies on node-1=1, node-2=1, node-3=1\nnode-4 holds no copy/);
  const get = await cli(["get", "box/k", "-"], { env });
  expect(sha256Hex(get.stdoutBytes)).toBe(sha256Hex(bytes));
});

test("drain returns at once with --no-wait; layout show and health tell what is behind, and that nothing is missing", async () => {
  const env = await start(4, { moves: false });
  const drained = await cli(["layout", "drain", "node-4", "--no-wait"], { env });
  expect(drained.exitCode, drained.stderr).toBe(0);
  expect(drained.stdout).toMatch(/^layout 5 is in use: node-4 takes no new chunks; copies are moving: keep node-4/);
  const [shown] = await cliJson<LayoutsJson>(["layout", "show"], { env });
  expect(shown).toMatchObject({ layoutVersion: 5, isBehind: true });
  expect(shown?.layouts.map(({ layoutVersion }) => layoutVersion)).toEqual([5, 4]);
  expect(shown?.nodes.find(({ nodeId }) => nodeId === "node-4")?.totalShare).toBe(0);
  const text = await cli(["layout", "show"], { env });
  expect(text.stdout).toMatch(/node-4 +up +0 +0\.00 %/);
  expect(text.stdout).toContain("some chunks still follow layout 4, which needs node-4 too");
  const health = await cli(["health"], { env });
  expect(health.exitCode, health.stdout).toBe(0);
  expect(health.stdout).toMatch(/ok +node-4 is up; it is drained.*its copies are moving/);
  expect(health.stdout).toMatch(/note +some chunks still follow older layouts \(4\): their copies are moving/);
});

test("an interruption ends the waiting with exit code 130, and the drain goes on", async () => {
  const env = await start(4, { moves: false });
  const drain = startCli(["layout", "drain", "node-4"], { env });
  await expect.poll(drain.stderr, { timeout: 20_000 }).toContain("layout 5 is in use");
  const { exitCode, stdout, stderr } = await drain.stop();
  expect([exitCode, stdout]).toEqual([130, ""]);
  expect(stderr).toMatch(/no longer waiting; the copies of node-4 go on moving: keep it running/);
  expect(await version()).toBe(5);
});

test("drains that cannot be are refused, each with its code; nothing is changed", async () => {
  const env = await start(3, { moves: false });
  for (const [nodeIds, exitCode, text] of [
    [["node-9"], 3, /no node node-9 is known here \(NODE_NOT_FOUND\)/],
    [["node-3"], 6, /only 2 nodes would take chunks.*--force.*\(PRECONDITION_FAILED\)/],
    [["node-1", "node-2", "node-3", "--force"], 6, /last nodes that take chunks.*\(PRECONDITION_FAILED\)/],
  ] as const) {
    const refused = await cli(["layout", "drain", ...nodeIds], { env });
    expect([refused.exitCode, refused.stderr]).toEqual([exitCode, expect.stringMatching(text)]);
  }
  expect((await cli(["layout", "drain"], { env })).exitCode).toBe(2);
  expect(await version()).toBe(3);
  const forced = await cli(["layout", "drain", "node-3", "--force", "--no-wait"], { env });
  expect(forced.exitCode, forced.stderr).toBe(0);
  expect(forced.stderr).toContain("warning: 3 copies of each chunk are wanted, but only 2 nodes");
});

test.each([
  ["layout drain", ["layout", "drain", "node-4"]],
  ["--remove", ["layout", "--remove", "node-4"]],
  ["--weights", ["layout", "--weights", "node-4=0"]],
])("%s --dry-run shows shares before and after and changes nothing", async (_, argv) => {
  const env = await start(4, { moves: false });
  const { exitCode, stdout, stderr } = await cli([...argv, "--dry-run"], { env });
  expect(exitCode, stderr).toBe(0);
  expect(stdout).toMatch(/node-4 +1 +[0-] +25\.\d\d % +0\.00 %/);
  expect(stdout).toMatch(/2\d\.\d\d % of all copies would be made on other nodes/);
  expect(await version()).toBe(4);
});

test("--dry-run says what would be refused, with the exit code that the change itself would have; nothing is changed", async () => {
  const env = await start(3, { moves: false });
  const refused = await cli(["layout", "drain", "node-3", "--dry-run"], { env });
  expect(refused.exitCode, refused.stderr).toBe(6);
  expect(refused.stdout).toMatch(/node-3 +1 +0 /);
  expect(refused.stdout).toMatch(/would be refused: 3 copies .* only 2 nodes .*--force \(PRECONDITION_FAILED\)\n$/);
  expect((await cli(["layout", "drain", "node-3", "--dry-run", "--force"], { env })).exitCode).toBe(0);
  for (const [nodeIds, exitCode, code] of [
    [["node-1", "node-2", "node-3"], 6, "PRECONDITION_FAILED"],
    [["node-9"], 3, "NODE_NOT_FOUND"],
  ] as const) {
    const drain = await cli(["layout", "drain", ...nodeIds, "--dry-run", "--json"], { env });
    expect(drain.exitCode, drain.stderr).toBe(exitCode);
    expect(JSON.parse(drain.stdout)).toMatchObject({ refused: { code } });
  }
  await cluster.nodes[2]!.stop();
  const removal = await cli(["layout", "--remove", "node-3", "--dry-run"], { env });
  expect(removal.exitCode, removal.stdout).toBe(6);
  expect(removal.stdout).toMatch(/would be refused: node-3 is not up, and .*--force \(PRECONDITION_FAILED\)\n$/);
  expect(await version()).toBe(3);
});

test("a node that is gone is forgotten when no layout needs it; before that each refusal says what to do", async () => {
  const env = await start(4);
  const forget = (...argv: readonly string[]) => cli(["layout", "forget", "node-4", ...argv], { env });
  const inLayout = await forget();
  expect([inLayout.exitCode, inLayout.stderr]).toEqual([
    6,
    expect.stringMatching(/take it out first: ashlar layout --remove node-4 \(PRECONDITION_FAILED\)/),
  ]);
  const removed = await cli(["layout", "--remove", "node-4"], { env });
  expect(removed.exitCode, removed.stderr).toBe(0);
  expect((await forget()).stderr).toMatch(/node-4 is up, and would register again: stop it first/);
  expect((await forget("--force")).exitCode).toBe(6);
  await cluster.nodes[3]!.stop();
  const uncounted = await forget("--dry-run");
  expect([uncounted.exitCode, uncounted.stdout]).toEqual([
    6,
    expect.stringMatching(/^would be refused: the gateway has not counted the copies since node-4 went away/),
  ]);
  expect((await cli(["layout", "forget", "node-9"], { env })).exitCode).toBe(3);
  const forced = await forget("--force");
  expect(forced.exitCode, forced.stderr).toBe(0);
  expect(forced.stdout).toBe("node-4 is forgotten; if it starts again, it joins as new\n");
  expect(forced.stderr).toContain(
    "warning: chunks whose only copy is on node-4 are lost, unless it comes back with its disk",
  );
  expect((await cli(["health"], { env })).stdout).not.toContain("node-4");
  const get = await cli(["get", "box/k", "-"], { env });
  expect(sha256Hex(get.stdoutBytes)).toBe(sha256Hex(bytes));
  // With its old copies, which count when they were found there.
  await cluster.nodes[3]!.start();
  await expect
    .poll(async () => (await cliJson<LayoutsJson>(["layout", "show"], { env }))[0]?.nodes.length, { timeout: 30_000 })
    .toBe(4);
  await expect.poll(async () => (await cluster.metadata.clusterSnapshot()).layouts.length, { timeout: 30_000 }).toBe(1);
});

test("a weight that is refused is told with its node and the range", async () => {
  const env = await start(3, { moves: false });
  for (const [weights, text] of [
    ["node-1=1,node-2=500", '--weights: the weight of node-2 must be a number from 0 to 100, not "500"'],
    ["node-2=-1", '--weights: the weight of node-2 must be a number from 0 to 100, not "-1"'],
    ["node-2", '--weights takes id=number, such as n3=0.5, not "node-2"'],
  ] as const) {
    const refused = await cli(["layout", "--weights", weights], { env });
    expect([refused.exitCode, refused.stderr]).toEqual([2, expect.stringContaining(text)]);
  }
  const told = { code: "INVALID_ARGUMENT", message: "the weight of node-1 is a number from 0 to 100, not 101" };
  await expect(cluster.metadata.changeLayout({ weights: { "node-1": 101 } })).rejects.toMatchObject(told);
});

test("a node that is up is removed while it runs; one that is away only if no chunk needs it", async () => {
  const env = await start(5);
  const atOnce = await cli(["layout", "--remove", "node-5", "--no-wait"], { env });
  expect(atOnce.stdout).toMatch(/node-4=1\n(copies are moving: keep node-5 running|node-5 holds no copy)/);
  const [removed] = await cliJson(["layout", "--remove", "node-4"], { env });
  expect(removed).toMatchObject({ layoutVersion: 7, isDone: true });
  await cluster.nodes[2]!.stop();
  // The gateway counted before the node went away, and counts at most every five minutes.
  const refused = await cli(["layout", "--remove", "node-3"], { env });
  expect(refused.exitCode, refused.stdout).toBe(6);
  expect(refused.stderr).toMatch(/node-3 is not up, and .*; start it again.*--force \(PRECONDITION_FAILED\)/);
  const forced = await cli(["layout", "--remove", "node-3", "--force", "--no-wait"], { env });
  expect(forced.exitCode, forced.stderr).toBe(0);
  expect(forced.stdout).toContain("the copies of node-3 are made on other nodes");
});
