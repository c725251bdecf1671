import { statSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { cli, jsonLines, type SpawnedCli } from "../support/cli.ts";
import { testBytes } from "../support/test-bytes.ts";
import { LocalCluster, pidsOf, runs, type ShownStatus } from "./local-cluster.ts";

const CLUSTER_MS = 300_000;
const bytes = testBytes(3_000_000, 5);

/** In the environment of `cluster up`, for its servers. */
const SERVER_SETTINGS = { RE_REPLICATE_AFTER_MS: "7m", COLLECT_INTERVAL_MS: "11m", CHUNK_MAX_BYTES: "8MiB" };

let cluster: LocalCluster;
let up: SpawnedCli;
let first: ShownStatus;

beforeAll(async () => {
  cluster = await LocalCluster.create();
  up = cluster.up(["--nodes", "3", "--gateway-port", "0"], SERVER_SETTINGS);
  first = await cluster.ready();
}, CLUSTER_MS);
afterAll(async () => {
  await cluster.remove();
}, CLUSTER_MS);

describe("a cluster in one folder", { timeout: CLUSTER_MS }, () => {
  test("tells where it is and what to try, once everything is ready", async () => {
    const [text] = await up.until(/gateway {3}http[\s\S]*sha256sum/);
    expect(text).toContain(first.url);
    expect(text).toContain("cluster kill node-3");
    expect(up.stdout()).toMatch(/postgres +ready \(pid \d+\)[\s\S]*node-1 +starting[\s\S]*gateway +ready/);
    expect(up.stdout()).not.toContain(cluster.env(first).ASHLAR_API_KEY);
  });

  test("gives its servers the settings of its environment", async () => {
    const { ASHLAR_API_KEY = "" } = cluster.env(first);
    const answer = await fetch(`${first.url}/ashlar.v1.ClusterService/GetCluster`, {
      method: "POST",
      headers: { "content-type": "application/json", authorization: `Bearer ${ASHLAR_API_KEY}` },
      body: JSON.stringify({ placementFormat: 2 }),
    });
    expect(await answer.json()).toMatchObject({ chunkMaxBytes: String(8 * 1024 * 1024) });
  });

  test("keeps its secrets for its owner", () => {
    expect(statSync(cluster.path).mode & 0o066).toBe(0);
    for (const file of ["api-key", "cluster.key", "cluster.json", "processes.json"])
      expect(statSync(join(cluster.path, file)).mode & 0o777, file).toBe(0o600);
    if (process.platform !== "win32") expect(statSync(join(cluster.path, "control.sock")).mode & 0o777).toBe(0o600);
  });

  test("shows every process, with the chunks that were put", async () => {
    const env = cluster.env(first);
    const put = await cli(["put", "-", "box/x", "--create-bucket", "--chunk-bytes", "1MiB"], { env, input: bytes });
    expect(put.exitCode, put.stderr).toBe(0);
    const status = await cluster.until(({ processes }) => processes.filter((entry) => entry.chunks === 3).length === 3);
    expect(status.processes.map(({ name }) => name)).toEqual(["postgres", "node-1", "node-2", "node-3", "gateway"]);
    expect(cluster.process("node-2", status)).toMatchObject({ state: "ready", chunks: 3, bytesUsed: bytes.length });
    const { exitCode, stdout } = await cluster.run("status");
    expect(exitCode).toBe(0);
    expect(stdout).toMatch(/node-2 +ready +\d+ +http:\S+ +3 +2\.9 MiB +[\d.]+ .iB +0/);
    expect(stdout).toContain("everything is ready");
  });

  test("is not started twice", async () => {
    const second = await cluster.up().ended;
    expect(second.exitCode).toBe(6);
    expect(second.stderr).toContain(`process ${first.supervisorPid}`);
    for (const command of ["status", "down"])
      expect(second.stderr).toContain(`ashlar cluster ${command} --path ${cluster.path}`);
    const detached = await cluster.up(["--detach"]).ended;
    expect([detached.exitCode, detached.stderr]).toEqual([6, second.stderr]);
  });

  test("starts a killed process again, and takes puts meanwhile", async () => {
    const { pid } = cluster.process("node-2", await cluster.status());
    const killed = await cluster.run("kill", "node-2");
    expect(killed.stdout).toContain(`killed node-2 (pid ${pid}); the supervisor starts it again`);
    const env = cluster.env(first);
    expect((await cli(["put", "-", "box/meanwhile"], { env, input: bytes.subarray(1) })).exitCode).toBe(0);
    const status = await cluster.until((now) => now.ready && cluster.process("node-2", now).restarts === 1);
    expect(cluster.process("node-2", status).pid).not.toBe(pid);
    await up.until(/node-2 +restarting: killed by SIGKILL; again in 0.5s/);
  });

  test("adds a node, which takes its share", async () => {
    const added = await cluster.run("add");
    expect(added.exitCode, added.stderr).toBe(0);
    expect(added.stdout).toMatch(/node-4 listens on \S+ and is part of layout \d+/);
    const share = Number(added.stdout.match(/node-4 +([\d.]+) %/)?.[1]);
    expect(share).toBeGreaterThan(20);
    expect(share).toBeLessThan(30);
  });

  test("stops in order on SIGTERM, and leaves no process behind", async () => {
    const pids = pidsOf(await cluster.status());
    expect(pids.filter(runs)).toHaveLength(7);
    const { exitCode, stdout } = await up.stop();
    expect(exitCode).toBe(0);
    expect(pids.filter(runs)).toEqual([]);
    expect(stdout).toMatch(/gateway +stopped[\s\S]*node-4 +stopped[\s\S]*postgres +stopped\n$/);
    const status = await cluster.run("status");
    expect(status.exitCode).toBe(5);
    expect(status.stderr).toMatch(/^ashlar: no cluster runs in .*\n {2}start it: ashlar cluster up --path \S+\n$/);
  });

  test("names the port that another program took meanwhile, whose it is and how to change it", async () => {
    const node = cluster.process("node-1", first);
    const port = Number(new URL(node.address).port);
    const other = createServer();
    await new Promise<void>((resolve) => other.listen(port, "127.0.0.1", resolve));
    const refused = await cluster.up().ended;
    const detached = await cluster.up(["--detach"]).ended;
    await new Promise((resolve) => other.close(resolve));
    expect(refused.exitCode).toBe(2);
    expect(refused.stderr).toContain(`port ${port} of node-1 is taken`);
    expect(refused.stderr).toContain("--node-port 0");
    expect([detached.exitCode, detached.stderr]).toEqual([2, refused.stderr]);
  });

  test("finds its data again, at the same addresses, in the background too", async () => {
    // Two at once: one of them gets the error that the other was first.
    const both = await Promise.all([1, 2].map(() => cluster.up(["--detach", "--json"]).ended));
    const [detached, late] = both.sort((one, two) => one.exitCode - two.exitCode);
    if (detached === undefined || late === undefined) throw new Error("two were started");
    expect(detached.exitCode, detached.stderr).toBe(0);
    expect(JSON.parse(late.stderr)).toMatchObject({ error: { code: "PRECONDITION_FAILED", exitCode: 6 } });
    const [ready] = jsonLines<ShownStatus>(detached.stdout);
    expect(ready).toMatchObject({ event: "ready", ready: true, url: first.url });
    const status = await cluster.status();
    expect(status.processes).toHaveLength(6);
    for (const name of ["postgres", "node-1", "node-3"])
      expect(cluster.process(name, status).address).toBe(cluster.process(name, first).address);
    const env = cluster.env(status);
    const get = await cli(["get", "box/x", "-"], { env });
    expect(get.stdoutBytes.equals(bytes)).toBe(true);
    expect((await cli(["get", "box/meanwhile", "-"], { env })).stdoutBytes.equals(bytes.subarray(1))).toBe(true);
    const pids = pidsOf(status);
    const down = await cluster.run("down");
    expect(down.stdout).toContain("its data stays");
    expect(pids.filter(runs)).toEqual([]);
  });

  test("is deleted only with --yes", async () => {
    const refused = await cluster.run("down", "--delete");
    expect(refused.exitCode).toBe(2);
    expect(refused.stderr).toContain("--delete --yes");
    expect((await cluster.run("down", "--delete", "--yes")).stdout).toContain("nothing was running; deleted");
    expect(() => statSync(cluster.path)).toThrow();
  });
});
