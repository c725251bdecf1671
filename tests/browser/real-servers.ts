/**
 * Real server processes for the tests in the browser, as vitest's global set-up: PostgreSQL, a gateway and three nodes; and a smaller cluster over a
 * slow network. The page is on a port of its own, so every call is cross-origin.
 */
import { randomBytes } from "node:crypto";
import type { TestProject } from "vitest/node";
import { unusedPort } from "../support/free-ports.ts";
import { createPostgresSchema } from "../support/postgres-schema.ts";
import { type ServerProcess, startServerProcess } from "../support/server-process.ts";
import { startTcpProxy } from "../support/tcp-proxy.ts";
import { createTempFolder } from "../support/temp-folder.ts";
import { type BrowserTestServers, CHUNK_MAX_BYTES, SLOW_BYTES_PER_SECOND } from "./provided.ts";

const CLUSTER_KEY = randomBytes(32).toString("hex");
const NODE_COUNT = 3;

const closers: (() => Promise<unknown>)[] = [];

/** vitest's global set-up. */
export async function setup(project: TestProject): Promise<void> {
  try {
    project.provide("servers", await startServers());
  } catch (error) {
    await teardown();
    throw error;
  }
}

/** vitest's global tear-down. */
export async function teardown(): Promise<void> {
  for (const close of closers.splice(0).toReversed()) await close();
}

async function startServers(): Promise<BrowserTestServers> {
  const [fast, slow] = await Promise.all([startCluster(), startCluster()]);
  const nobody = `http://127.0.0.1:${await unusedPort()}`;
  const [closed] = await Promise.all([
    start(["gateway", "--port", "0"], { ...fast.env, CORS_ORIGINS: "" }),
    Promise.all(Array.from({ length: NODE_COUNT }, (_, index) => startNode(fast, `node-${index + 1}`))),
    startSlowNode(slow),
  ]);
  return {
    cluster: { url: fast.gateway.url, apiKey: fast.apiKey },
    // The network to this gateway is slow, and fast from there to the nodes.
    slowGateway: { url: await slowWayTo(fast.gateway.url), apiKey: fast.apiKey },
    // The network to this gateway is fast, and slow to its node.
    slowNode: { url: slow.gateway.url, apiKey: slow.apiKey },
    closed: { url: closed.url, apiKey: fast.apiKey },
    nobody: { url: nobody, apiKey: fast.apiKey },
  };
}

interface Cluster {
  readonly gateway: ServerProcess;
  readonly apiKey: string;
  readonly env: Readonly<Record<string, string>>;
}

async function startCluster(): Promise<Cluster> {
  const schema = await createPostgresSchema();
  closers.push(() => schema.drop());
  const env = {
    DATABASE_URL: schema.url,
    CLUSTER_KEY,
    CORS_ORIGINS: "*",
    ASHLAR_DURABILITY: "os",
    CHUNK_MAX_BYTES: String(CHUNK_MAX_BYTES),
  };
  const gateway = await start(["gateway", "--port", "0"], env);
  return { gateway, apiKey: String(gateway.ready.apiKey), env };
}

async function startNode(cluster: Cluster, nodeId: string, publicUrl?: string): Promise<ServerProcess> {
  const folder = await createTempFolder();
  closers.push(() => folder.remove());
  const address = publicUrl === undefined ? [] : ["--public-url", publicUrl];
  return start(["node", "--server-id", nodeId, "--data-dir", folder.path, "--port", "0", ...address], cluster.env);
}

async function startSlowNode(cluster: Cluster): Promise<void> {
  const proxy = await startTcpProxy();
  closers.push(() => proxy.close());
  proxy.redirect((await startNode(cluster, "slow-node", proxy.url)).url);
  proxy.throttle(SLOW_BYTES_PER_SECOND);
}

async function slowWayTo(url: string): Promise<string> {
  const proxy = await startTcpProxy(url);
  closers.push(() => proxy.close());
  proxy.throttle(SLOW_BYTES_PER_SECOND);
  return proxy.url;
}

async function start(args: readonly string[], env: Readonly<Record<string, string>>): Promise<ServerProcess> {
  const server = await startServerProcess(args, env);
  closers.push(() => server.kill());
  return server;
}
