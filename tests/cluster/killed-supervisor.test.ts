import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { LocalCluster, pidsOf, runs } from "./local-cluster.ts";

const TEST_MS = 300_000;
const POLL = { timeout: 120_000, interval: 5 };

let cluster: LocalCluster;

beforeEach(async () => {
  cluster = await LocalCluster.create();
});
afterEach(async () => {
  await cluster.remove();
}, TEST_MS);

/** The program that makes the data of PostgreSQL in this cluster's folder. */
function initdbPids(): readonly number[] {
  return readdirSync("/proc").flatMap((name) => {
    if (!/^\d+$/.test(name)) return [];
    try {
      const [program = "", ...args] = readFileSync(`/proc/${name}/cmdline`, "utf8").split("\0");
      return program.endsWith("/initdb") && args.join(" ").includes(cluster.path) ? [Number(name)] : [];
    } catch {
      return [];
    }
  });
}

describe.skipIf(process.platform !== "linux")("a supervisor that is killed", { timeout: TEST_MS }, () => {
  test("while PostgreSQL's data is made: status names the program that makes it, and down ends it", async () => {
    const up = cluster.up(["--nodes", "1", "--replication-factor", "1", "--gateway-port", "0"]);
    await expect.poll(initdbPids, POLL).toHaveLength(1);
    const [pid = 0] = initdbPids();
    // So that it does not end by itself before the commands have looked; `down` kills it in the end.
    process.kill(pid, "SIGSTOP");
    // Between the start of a program and the line about it are some milliseconds, in which nobody knows of it.
    await expect.poll(() => readFileSync(join(cluster.path, "processes.json"), "utf8"), POLL).toContain("initdb");
    up.kill("SIGKILL");
    await up.ended.catch(() => {});
    expect(runs(pid)).toBe(true);
    const status = await cluster.run("status");
    expect(status.exitCode).toBe(5);
    expect(status.stderr).toContain(
      `1 process of its cluster still runs, which nobody starts again: initdb (pid ${pid})`,
    );
    expect((await cluster.run("down")).stdout).toMatch(/^stopped;/);
    expect(runs(pid)).toBe(false);
  });

  test("lets all others live on, and the next `up --detach` says that it stopped them", async () => {
    const flags = ["--nodes", "1", "--replication-factor", "1", "--gateway-port", "0"];
    const first = await cluster.run("up", "--detach", ...flags);
    expect(first.exitCode, first.stderr).toBe(0);
    expect(first.stderr).not.toContain("earlier run");
    const { supervisorPid, ...status } = await cluster.status();
    const left = pidsOf({ ...status, supervisorPid }).filter((pid) => pid !== supervisorPid);
    process.kill(supervisorPid, "SIGKILL");
    await expect.poll(() => runs(supervisorPid), POLL).toBe(false);
    expect(left.filter(runs)).toHaveLength(3);
    // The system may need a moment to take the lock of the folder back.
    let said = "";
    const upAgain = async (): Promise<number> => {
      const { exitCode, stderr } = await cluster.run("up", "--detach");
      said = stderr;
      return exitCode;
    };
    await expect.poll(upAgain, POLL).toBe(0);
    expect(left.filter(runs)).toEqual([]);
    expect(said).toContain("stopped processes of an earlier run: postgres, node-1, gateway");
  });
});
