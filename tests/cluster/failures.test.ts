import { readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { cli, type SpawnedCli } from "../support/cli.ts";
import { testBytes } from "../support/test-bytes.ts";
import { LocalCluster, pidsOf, runs, type ShownStatus } from "./local-cluster.ts";

const CLUSTER_MS = 300_000;

let cluster: LocalCluster;
let up: SpawnedCli;

beforeAll(async () => {
  cluster = await LocalCluster.create();
  up = cluster.up(["--nodes", "3", "--gateway-port", "0"]);
  await cluster.ready();
}, CLUSTER_MS);
afterAll(async () => {
  await cluster.remove();
}, CLUSTER_MS);

const put = async (status: ShownStatus, key: string): Promise<number> => {
  const body = testBytes(200_000, key.length);
  return (await cli(["put", "-", `box/${key}`, "--create-bucket"], { env: cluster.env(status), input: body })).exitCode;
};

describe("what fails in a cluster", { timeout: CLUSTER_MS }, () => {
  test("a process is kept down until it is started, and other commands say so", async () => {
    const killed = await cluster.run("kill", "node-1", "--keep-down");
    expect(killed.stdout).toContain("it stays down until");
    const status = await cluster.status();
    expect(cluster.process("node-1", status)).toMatchObject({ state: "kept down", restarts: 0 });
    expect(cluster.process("node-1", status).pid).toBeUndefined();
    const again = await cluster.run("kill", "node-1");
    expect(again.exitCode).toBe(6);
    expect(again.stderr).toContain("node-1 does not run: it is kept down");
    expect(await put(status, "two-of-three")).toBe(0);
    const health = await cli(["health"], { env: cluster.env(status) });
    expect(health.stdout).toMatch(/node-1 (does not answer at|is down)[\s\S]*why: [\s\S]*do: /);
    const started = await cluster.run("start", "node-1");
    expect(started.exitCode, started.stderr).toBe(0);
    expect(started.stdout).toMatch(/^started node-1 \(pid \d+\), which is ready\n$/);
    expect(cluster.process("node-1", await cluster.status()).state).toBe("ready");
    await cluster.ready();
  });

  test("a process is kept down for as long as was said", async () => {
    const killedAtMs = performance.now();
    expect((await cluster.run("kill", "node-1", "--for", "6s")).stdout).toContain("it stays down for 6s");
    const { keptDownForMs } = cluster.process("node-1", await cluster.status());
    expect(keptDownForMs).toBeLessThan(6000);
    await cluster.until((status) => cluster.process("node-1", status).pid !== undefined);
    expect(performance.now() - killedAtMs).toBeGreaterThan(5900);
    await cluster.ready();
  });

  test("a node that cannot start shows why, is tried again, and stops nobody else", async () => {
    const data = join(cluster.path, "nodes", "node-2");
    await cluster.run("kill", "node-2", "--keep-down");
    renameSync(data, `${data}-away`);
    writeFileSync(data, "no folder");
    const started = await cluster.run("start", "node-2");
    expect(started.exitCode).toBe(5);
    expect(started.stderr).toMatch(/^ashlar: node-2 is restarting: exit code \d+: .*\(NODE_UNAVAILABLE\)\n$/);
    const status = await cluster.until((now) => cluster.process("node-2", now).state === "restarting");
    expect(cluster.process("node-2", status).reason).toMatch(/exit code \d+: .*node-2.*; again in [\d.]+s/);
    expect(status.ready).toBe(false);
    const shown = await cluster.run("status");
    expect([shown.exitCode, shown.stdout]).toEqual([5, expect.stringContaining("not everything is ready")]);
    expect(await put(status, "without-node-2")).toBe(0);
    rmSync(data);
    renameSync(`${data}-away`, data);
    await cluster.ready();
  });

  test("PostgreSQL comes back after a crash, and everything with it", async () => {
    const before = await cluster.status();
    expect((await cluster.run("kill", "postgres", "--for", "6s")).exitCode).toBe(0);
    const away = await cluster.until((now) => cluster.process("gateway", now).state === "not ready");
    expect(cluster.process("gateway", away).reason).toMatch(/metadata/);
    const health = await cli(["health"], { env: cluster.env(away) });
    expect(health.exitCode).toBe(5);
    expect(health.stdout).toMatch(/broken +metadata: (away|does not answer)\n +why: .*\n +do: /);
    const after = await cluster.ready();
    expect(cluster.process("postgres", after).restarts).toBe(1);
    expect(cluster.process("gateway", after).pid).toBe(cluster.process("gateway", before).pid);
    expect(await put(after, "after-the-crash")).toBe(0);
  });

  test("an unknown process is named, with those that there are", async () => {
    const { exitCode, stderr } = await cluster.run("kill", "node-99");
    expect(exitCode).toBe(2);
    expect(stderr).toContain("there are postgres, node-1, node-2, node-3, gateway");
  });

  test("what a killed supervisor leaves is stopped by the next one, which finds everything again", async () => {
    const left = pidsOf(await cluster.status()).filter((pid) => pid !== up.pid);
    up.kill("SIGKILL");
    await up.ended.catch(() => {});
    expect(left.filter(runs)).toHaveLength(5);
    up = cluster.up();
    const status = await cluster.ready();
    expect(left.filter(runs)).toEqual([]);
    expect(up.stderr()).toContain("stopped processes of an earlier run: postgres, node-1, node-2, node-3, gateway");
    const get = await cli(["get", "box/after-the-crash", "-"], { env: cluster.env(status) });
    expect(get.stdoutBytes).toHaveLength(200_000);
  });

  test("the same signal from the terminal and from npm is one", async () => {
    const pids = pidsOf(await cluster.status());
    up.kill("SIGINT");
    await new Promise((resolve) => setImmediate(resolve));
    up.kill("SIGINT");
    const { exitCode, stdout } = await up.ended;
    expect(exitCode).toBe(0);
    expect(stdout).toMatch(/postgres +stopped\n$/);
    expect(readFileSync(join(cluster.path, "logs", "postgres.log"), "utf8")).not.toContain("immediate shutdown");
    expect(pids.filter(runs)).toEqual([]);
    up = cluster.up();
    await cluster.ready();
  });

  test("a second signal ends it at once, and still leaves no process behind", async () => {
    const pids = pidsOf(await cluster.status());
    up.kill("SIGTERM");
    up.kill("SIGINT");
    expect((await up.ended).exitCode).toBeGreaterThan(128);
    await expect.poll(() => pids.filter(runs), { timeout: 30_000 }).toEqual([]);
    up = cluster.up();
    await cluster.ready();
  });

  test("down stops what a killed supervisor left; another process with a remembered process id is left alone", async () => {
    const left = pidsOf(await cluster.status()).filter((pid) => pid !== up.pid);
    up.kill("SIGKILL");
    await up.ended.catch(() => {});
    const { exitCode, stderr } = await cluster.run("status");
    expect(exitCode).toBe(5);
    expect(stderr).toMatch(
      /^ashlar: the supervisor of \S+ is gone, and 5 processes of its cluster still run.*node-3 \(pid/,
    );
    expect(stderr).toMatch(/\n {2}stop them: ashlar cluster down --path \S+\n {2}.*: ashlar cluster up --path \S+\n$/);
    const file = join(cluster.path, "processes.json");
    const other = { name: "other", pid: process.pid, identity: "another start", stopSignal: "SIGTERM" };
    const recorded = JSON.parse(readFileSync(file, "utf8")) as { processes: object[] };
    writeFileSync(file, JSON.stringify({ ...recorded, processes: [...recorded.processes, other] }));
    expect((await cluster.run("down")).stdout).toMatch(/^stopped;/);
    expect(left.filter(runs)).toEqual([]);
  });
});
