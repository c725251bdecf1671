import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { cli, cliJson, spawnCli } from "../support/cli.ts";
import { sha256Hex, testBytes } from "../support/test-bytes.ts";
import { LocalCluster, type ShownStatus } from "./local-cluster.ts";

const CLUSTER_MS = 300_000;
const bytes = testBytes(6_000_000, 7);

let cluster: LocalCluster;
let status: ShownStatus;
let env: Record<string, string>;

beforeAll(async () => {
  cluster = await LocalCluster.create();
  cluster.up(["--nodes", "4", "--gateway-port", "0"]);
  status = await cluster.ready();
  env = cluster.env(status);
  const put = await cli(["put", "-", "box/x", "--create-bucket", "--chunk-bytes", "256KiB"], { env, input: bytes });
  if (put.exitCode !== 0) throw new Error(put.stderr);
}, CLUSTER_MS);
afterAll(async () => {
  await cluster.remove();
}, CLUSTER_MS);

interface LayoutsJson {
  readonly isBehind: boolean;
  readonly layouts: ReadonlyArray<{ readonly layoutVersion: number }>;
}

const layouts = async (): Promise<LayoutsJson> => {
  const [shown] = await cliJson<LayoutsJson>(["layout", "show"], { env });
  if (shown === undefined) throw new Error("nothing was shown");
  return shown;
};

async function expectReadable(): Promise<void> {
  const get = await cli(["get", "box/x", "-"], { env });
  expect(get.exitCode, get.stderr).toBe(0);
  expect(sha256Hex(get.stdoutBytes)).toBe(sha256Hex(bytes));
}

describe("a node leaves a cluster of real processes", { timeout: CLUSTER_MS }, () => {
  test("Ctrl-C stops waiting for a drain, not the drain", async () => {
    const drain = spawnCli(["layout", "drain", "node-4"], { env });
    await expect.poll(drain.stderr, { timeout: 60_000 }).toContain("Ctrl-C ends only the waiting");
    drain.kill("SIGINT");
    const { exitCode, stderr } = await drain.ended;
    expect(exitCode, stderr).toBe(130);
    expect(stderr).toContain("the copies of node-4 go on moving");
    expect((await layouts()).isBehind).toBe(true);
    const health = await cli(["health"], { env });
    expect(health.exitCode, health.stdout).toBe(0);
    expect(health.stdout).toMatch(
      /note +(some chunks still follow|\d+ chunks? (is|are) behind|\d+ layouts are in use)/,
    );
    expect(health.stdout).not.toContain("missing");
  });

  test("a drain that is asked for again waits to the end, and shows how far it is; then the node can go", async () => {
    const drain = await spawnCli(["layout", "drain", "node-4"], { env }).ended;
    expect(drain.exitCode, drain.stderr).toBe(0);
    expect(drain.stderr).toMatch(/moving the copies of node-4 {2}(\d+ chunks? behind|layouts? [\d, ]+ still in use)/);
    expect(drain.stdout).toContain("node-4 holds no copy that is needed any more");
    expect(await layouts()).toMatchObject({ isBehind: false });
    await cluster.run("kill", "node-4", "--keep-down");
    await expectReadable();
    const removed = await cli(["layout", "--remove", "node-4"], { env });
    expect(removed.exitCode, removed.stderr).toBe(0);
    expect(removed.stdout).toMatch(/node-1=1, node-2=1, node-3=1\nnode-4 holds no copy that is needed any more\n$/);
    await expectReadable();
  });
});
