import { once } from "node:events";
import { readdir, readFile, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { nodeCryptoHasher } from "@ashlar/adapters/hash/node-crypto";
import { openSqliteMetadataStore } from "@ashlar/adapters/metadata-store/sqlite";
import { gateway } from "@ashlar/adapters/node";
import { undiciTransport } from "@ashlar/adapters/transport/undici";
import { createClient } from "@ashlar/sdk";
import { createClusterTopology } from "@ashlar/sdk/engine";
import { silentLogger, systemClock, systemRandom } from "@ashlar/sdk/ports";
import { clusterAuthorization, createGateway, createGrantKeeper, createMetrics, noMetrics } from "@ashlar/server";
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import { cli, type RunningCli, startCli } from "../support/cli.ts";
import { expectCode } from "../support/expect-code.ts";
import { putEverywhere } from "../support/put-everywhere.ts";
import { startServedStore } from "../support/served-store.ts";
import { createTempFolder, type TempFolder } from "../support/temp-folder.ts";
import { testBytes } from "../support/test-bytes.ts";
import { startTestCluster } from "../support/test-cluster.ts";

let folder: TempFolder;
let server: RunningCli;
let url: string;
let apiKey: string;

beforeAll(async () => {
  folder = await createTempFolder();
  ({ server, url, apiKey } = await startServedStore(folder));
});
afterAll(async () => {
  await server.stop();
  await folder[Symbol.asyncDispose]();
});

test("an API key that is refused is exit code 4, one that is missing only a note", async () => {
  expect((await cli(["health", url, "--api-key", apiKey])).exitCode).toBe(0);
  const refused = await cli(["health", url, "--api-key", "bogus"]);
  expect(refused.exitCode, refused.stdout).toBe(4);
  expect(refused.stdout).toMatch(/broken +the API key is refused/);
  const missing = await cli(["health", url]);
  expect(missing.exitCode).toBe(0);
  expect(missing.stdout).toContain("give an API key");
});

test("https:// on a port without TLS says so, in words", async () => {
  const health = await cli(["health", url.replace("http:", "https:")]);
  expect(health.exitCode).toBe(5);
  expect(health.stdout).toMatch(/TLS failed[\s\S]*use http:\/\//);
  expect(health.stdout).not.toContain("SSL routines");
});

test.each([["ftp://127.0.0.1"], ["./folder"], ["nonsense"]])("%s is no address of a server", async (target) => {
  const health = await cli(["health", target]);
  expect(health.exitCode).toBe(2);
  expect(health.stderr.includes("--path ./folder")).toBe(target === "./folder");
});

test.each([
  ["the argument", (bad: string) => ({ argv: ["health", bad] })],
  ["--json", (bad: string) => ({ argv: ["health", bad, "--json"] })],
  ["--gateway", (bad: string) => ({ argv: ["health", "--gateway", bad] })],
  ["the variable", (bad: string) => ({ argv: ["health"], env: { ASHLAR_GATEWAY: bad } })],
] as const)("a URL with a password is refused in %s, and not shown", async (_, call) => {
  for (const bad of [url.replace("//", "//user:pa55word@"), "ftp://user:pa55word@h", "user:pa55word@h"]) {
    const { argv, ...more } = call(bad);
    const health = await cli(argv, more);
    expect(health.exitCode, bad).toBe(2);
    expect(health.stdout + health.stderr).not.toContain("pa55word");
  }
});

test("ring shows a node's URL from an old row without its password", async () => {
  const path = folder.at("old");
  await cli(["mb", "box", "--path", path]);
  const metadata = await openSqliteMetadataStore({ path: join(path, "metadata.sqlite") });
  await metadata.registerNode({ nodeId: "n1", url: "http://127.0.0.1:1", softwareVersion: "1" });
  await metadata.close();
  const database = new DatabaseSync(join(path, "metadata.sqlite"));
  database.exec("UPDATE storage_servers SET url = 'http://user:pa55word@127.0.0.1:1'");
  database.close();
  for (const argv of [["ring"], ["ring", "--json"]]) {
    const ring = await cli([...argv, "--path", path]);
    expect(ring.exitCode, ring.stderr).toBe(0);
    expect(ring.stdout).toContain("…127.0.0.1:1");
    expect(ring.stdout + ring.stderr).not.toContain("pa55word");
  }
});

interface StartedServer {
  readonly url: string;
  readonly operationsUrl: string;
  readonly apiKey: string;
}

test("a server with its operations on a port of their own is well, and so are a gateway and its nodes", async () => {
  const key = { CLUSTER_KEY: "a cluster key of the tests, 32 letters or more" };
  const start = async (argv: readonly string[], env = {}): Promise<StartedServer> => {
    const more = ["--port", "0", "--operations-port", "0", "--log-level", "silent", "--json"];
    const running = startCli([...argv, ...more], { env: { ...key, ...env } });
    onTestFinished(async () => void (await running.stop()));
    const [text] = await running.until(/\{.*\}/);
    return JSON.parse(text) as StartedServer;
  };
  const gateway = await start(["gateway", "--path", folder.at("gateway")]);
  const env = { ASHLAR_GATEWAY: gateway.url };
  const node = await start(["node", "--server-id", "n1", "--data-dir", folder.at("n1")], env);
  const served = await start(["serve", "--path", folder.at("apart")]);
  for (const { url } of [gateway, node, served]) {
    const health = await cli(["health", url]);
    expect(health.exitCode, health.stdout).toBe(0);
    expect(health.stdout).toMatch(/note +operations: on a port of their own[\s\S]*do: +ask at that port/);
  }
  const cluster = await cli(["health", gateway.url, "--api-key", gateway.apiKey]);
  expect(cluster.stdout).toMatch(/ok +n1 is up/);
  expect((await cli(["health", gateway.operationsUrl])).stdout).toMatch(/ok +metadata: ok/);
});

test("a gateway whose nodes do not let it in is broken, by the name of each", async () => {
  const cluster = await startTestCluster({ chunks: "memory" });
  onTestFinished(() => cluster.close());
  const { metadata } = cluster;
  const clusterKey = "another cluster key, of 32 letters or more";
  const [clock, random, logger] = [systemClock, systemRandom, silentLogger];
  const grants = createGrantKeeper({ clusterKey, clock, random });
  const transport = undiciTransport();
  const authorization = clusterAuthorization(grants, clock);
  const topology = createClusterTopology({ registry: metadata, transport, authorization, clock, logger });
  const parts = { metadata, topology, grants, clock, random, logger, hasher: nodeCryptoHasher, metrics: noMetrics };
  const gateway = createGateway({ ...parts, softwareVersion: "test", maintenance: false });
  onTestFinished(async () => {
    await gateway.close({ graceMs: 100 });
    await transport.close();
  });
  const { url: otherUrl } = await gateway.listen();
  const health = await cli(["health", otherUrl, "--api-key", cluster.apiKey]);
  expect(health.exitCode, health.stdout).toBe(5);
  for (const { nodeId } of cluster.nodes)
    expect(health.stdout).toMatch(new RegExp(`broken +node ${nodeId}: another cluster key`));
  expect(health.stdout).toContain("CLUSTER_KEY");
  expect((await cli(["health", cluster.url, "--api-key", cluster.apiKey])).exitCode).toBe(0);
});

test("a proxy that answers for a server that is away is not taken for a server of another kind", async () => {
  let status = 502;
  const proxy = createServer((_request, response) => void response.writeHead(status).end("<html>away</html>"));
  proxy.listen(0, "127.0.0.1");
  await once(proxy, "listening");
  onTestFinished(() => void proxy.close());
  const at = `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`;
  const away = await cli(["health", at]);
  expect([away.exitCode, away.stdout]).toEqual([5, expect.stringMatching(/502[\s\S]*behind the proxy/)]);
  status = 200;
  expect((await cli(["health", at])).stdout).toContain("not an Ashlar server");
});

test("a node that found a damaged copy is named, and the gateway says that readers met one", async () => {
  const cluster = await startTestCluster({ gateway: { metrics: createMetrics() } });
  onTestFinished(() => cluster.close());
  await using client = createClient(gateway({ url: cluster.url, apiKey: cluster.apiKey }));
  await client.createBucket({ bucket: "box" });
  // A copy that came late would be a sound one.
  await putEverywhere(client, { bucket: "box", key: "k", body: testBytes(100_000, 1) });
  const env = { ASHLAR_API_KEY: cluster.apiKey };
  const before = await cli(["health", cluster.url], { env });
  expect(before.stdout).not.toContain("damaged");
  let damagedCount = 0;
  for (const { path } of cluster.nodes) {
    for (const name of await readdir(join(path!, "chunks"), { recursive: true })) {
      if (!/[0-9a-f]{64}$/.test(name)) continue;
      const file = join(path!, "chunks", name);
      const bytes = await readFile(file);
      bytes[1000]! ^= 1;
      await writeFile(file, bytes);
      damagedCount++;
    }
  }
  expect(damagedCount).toBe(3);
  await expectCode(
    client.getObject({ bucket: "box", key: "k" }).then((got) => got.bytes()),
    "CHUNK_CORRUPT",
  );
  const health = await cli(["health", cluster.url], { env });
  expect(health.stdout).toMatch(/warning readers found \d damaged copies since the gateway started\n +why: .*\n +do: /);
  expect(health.stdout).toMatch(/warning node-\d runs, but copies: some were damaged\n +why: .*\n +do: /);
});
