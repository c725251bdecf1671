import { chmodSync, lstatSync, readlinkSync, statSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { afterAll, expect, test } from "vitest";
import { cli } from "../support/cli.ts";
import { testBytes } from "../support/test-bytes.ts";
import { LocalCluster } from "./local-cluster.ts";

const CLUSTER_MS = 300_000;
const isRoot = process.getuid?.() === 0;
if (!isRoot) process.stdout.write("skipped: only root runs PostgreSQL as another user\n");

let cluster: LocalCluster | undefined;
afterAll(async () => {
  await cluster?.remove();
}, CLUSTER_MS);

test.skipIf(!isRoot)(
  "a cluster below a folder that only root may enter has its database outside, and is deleted together with it",
  {
    timeout: CLUSTER_MS,
  },
  async () => {
    cluster = await LocalCluster.create();
    chmodSync(cluster.folder.path, 0o700);
    const up = cluster.up(["--nodes", "3", "--gateway-port", "0"]);
    const status = await cluster.ready();
    const env = cluster.env(status);
    const bytes = testBytes(300_000, 3);
    const put = await cli(["put", "-", "box/x", "--create-bucket"], { env, input: bytes });
    expect(put.exitCode, put.stderr).toBe(0);
    const outside = readlinkSync(join(cluster.path, "postgres"));
    const { uid, mode } = statSync(outside);
    expect(uid).not.toBe(0);
    expect(mode & 0o077).toBe(0);
    await up.stop();
    // What a second start finds.
    cluster.up();
    const again = await cluster.ready();
    expect((await cli(["get", "box/x", "-"], { env: cluster.env(again) })).stdoutBytes.equals(bytes)).toBe(true);
    expect(readlinkSync(join(cluster.path, "postgres"))).toBe(outside);
    expect((await cluster.run("down", "--delete", "--yes")).exitCode).toBe(0);
    for (const path of [outside, cluster.path])
      expect(lstatSync(path, { throwIfNoEntry: false }), path).toBeUndefined();
  },
);
