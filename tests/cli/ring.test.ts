import { createServer } from "node:net";
import { expect, onTestFinished, test } from "vitest";
import { cli, cliJson } from "../support/cli.ts";
import { unusedPort } from "../support/free-ports.ts";
import { startTestCluster } from "../support/test-cluster.ts";

interface RingJson {
  readonly nodes: ReadonlyArray<{
    readonly nodeId: string;
    readonly state: string;
    readonly answers?: boolean;
    readonly problem?: string;
    readonly lastHeartbeatAtMs?: number;
  }>;
}

test("a node that was just killed, or that hangs, is not shown as up, though its heartbeats are not missed yet", async () => {
  const cluster = await startTestCluster({ chunks: "memory", nodeCount: 1 });
  onTestFinished(() => cluster.close());
  const { url, apiKey, metadata } = cluster;
  const hanging = createServer(() => {});
  onTestFinished(() => void hanging.close());
  await new Promise<void>((resolve) => hanging.listen(0, "127.0.0.1", resolve));
  const free = await unusedPort();
  const { port } = hanging.address() as { readonly port: number };
  // What the registry knows right after nodes died: they registered, and are up.
  await metadata.registerNode({ nodeId: "killed", url: `http://127.0.0.1:${free}`, softwareVersion: "1" });
  await metadata.registerNode({ nodeId: "hanging", url: `http://127.0.0.1:${port}`, softwareVersion: "1" });
  const env = { ASHLAR_GATEWAY: url, ASHLAR_API_KEY: apiKey };
  const [ring] = await cliJson<RingJson>(["ring"], { env });
  const shown = Object.fromEntries((ring?.nodes ?? []).map((node) => [node.nodeId, node]));
  expect(shown["node-1"]).toMatchObject({ state: "up", answers: true });
  expect(shown.killed).toMatchObject({ state: "up", answers: false, problem: expect.stringContaining("ECONNREFUSED") });
  expect(shown.hanging).toMatchObject({ state: "up", answers: false, problem: expect.any(String) });
  for (const node of ring?.nodes ?? []) expect(node.lastHeartbeatAtMs).toEqual(expect.any(Number));
  const { stdout } = await cli(["ring"], { env });
  expect(stdout).toMatch(/node-1 +up /);
  expect(stdout).toMatch(/killed +does not run /);
  expect(stdout).toMatch(/hanging +no answer /);
  expect(stdout).toMatch(/last heartbeat/);
});
