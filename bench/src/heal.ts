/**
 * How long a cluster takes to have all copies again, in processes of their own, with three copies of each chunk: after a node is killed for good, after
 * a node comes back without its disk, and after a node is added. Prints the time from the moment in which gateways begin (the node is left out of the
 * layout; it is back; it has joined) until no chunk follows an older layout and no copy waits, and the bytes that were copied in that time.
 *
 * Run: npm run bench:heal -- [MiB to store=1024] [chunk KiB=1024] [nodes, 4 or more=6]
 */
import { randomBytes } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { openPostgresMetadataStore } from "@ashlar/adapters/metadata-store/postgres";
import { gateway } from "@ashlar/adapters/node";
import { createClient, fixed, KIB, MIB } from "@ashlar/sdk";
import type { MetadataStore } from "@ashlar/sdk/ports";
import pg from "pg";
import { type ServerProcess, startServer } from "./servers/child-process.ts";
import { openPostgres } from "./servers/postgres.ts";

const storedMib = Number(process.argv[2] ?? 1024);
const chunkBytes = Number(process.argv[3] ?? 1024) * KIB;
const nodeCount = Number(process.argv[4] ?? 6);
const MAIN = fileURLToPath(new URL("../../packages/server/src/cli/main.ts", import.meta.url));
const OBJECT_BYTES = 64 * MIB;
const POLL_MS = 200;

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** Waits until something is so. @returns when it was, by the monotonic clock. */
async function until(isSo: () => Promise<boolean>): Promise<number> {
  while (!(await isSo())) await pause(POLL_MS);
  return performance.now();
}

async function isWhole(metadata: MetadataStore): Promise<boolean> {
  const { layouts, nodes } = await metadata.clusterSnapshot();
  const isMoved = layouts.length === 1 && nodes.every(({ lostDisk }) => lostDisk === undefined);
  return isMoved && (await metadata.countRepairs()).length === 0;
}

const folder = await mkdtemp(join(process.cwd(), ".bench-"));
const postgres = await openPostgres(folder);
const env = {
  DATABASE_URL: await postgres.createDatabase(),
  CLUSTER_KEY: randomBytes(32).toString("hex"),
  ASHLAR_DURABILITY: "os",
  REPLICATION_FACTOR: "3",
};
const common = ["--log-level", "silent", "--json"];
/** @param port the one that the node had before: another address is refused for as long as the registry takes the old one for up. */
const startNode = (name: string, port = "0"): Promise<ServerProcess> => {
  const own = ["--server-id", name, "--data-dir", join(folder, name), "--heartbeat-interval", "1s"];
  return startServer({ file: MAIN, args: ["node", ...own, ...common, "--port", port], env });
};
const pool = new pg.Pool({ connectionString: env.DATABASE_URL });
const metadata = await openPostgresMetadataStore({ pool });
const nodes = new Map<string, ServerProcess>();
const front = await startServer({
  ...{ file: MAIN, env },
  args: ["gateway", ...common, "--port", "0", "--re-replicate-after", "1s", "--repair-rate", "1GiB"],
});
try {
  for (let index = 1; index <= nodeCount; index++) nodes.set(`n${index}`, await startNode(`n${index}`));
  await using client = createClient(
    gateway({ url: String(front.ready.url), apiKey: String(front.ready.apiKey), chunker: fixed(chunkBytes) }),
  );
  await client.createBucket({ bucket: "box" });
  for (let at = 0; at < storedMib * MIB; at += OBJECT_BYTES)
    await client.putObject({ bucket: "box", key: `o${at}`, body: randomBytes(OBJECT_BYTES) });
  await until(() => isWhole(metadata));

  /** Bytes on the nodes that are up, by their last heartbeats. */
  const heldBytes = async (): Promise<number> => {
    await pause(2500);
    const { nodes: known } = await metadata.clusterSnapshot();
    return known.filter(({ state }) => state === "up").reduce((sum, { stats }) => sum + (stats?.bytesUsed ?? 0), 0);
  };
  const measure = async (what: string, begin: () => Promise<number>): Promise<void> => {
    const startedAtMs = await begin();
    const beforeBytes = copiedFrom;
    const seconds = ((await until(() => isWhole(metadata))) - startedAtMs) / 1000;
    const copied = ((await heldBytes()) - beforeBytes) / MIB;
    const rate = (copied / seconds).toFixed(0);
    process.stdout.write(
      `${nodeCount} nodes, ${storedMib} MiB in chunks of ${chunkBytes / KIB} KiB, ${what}: ${copied.toFixed(0)} MiB in ${seconds.toFixed(1)} s (${rate} MiB/s)\n`,
    );
  };
  let copiedFrom = await heldBytes();
  const layoutOf = async (): Promise<number> => (await metadata.clusterSnapshot()).layouts[0]?.nodes.length ?? 0;

  await measure("a node is killed for good", async () => {
    await nodes.get("n1")?.stop();
    nodes.delete("n1");
    const at = await until(async () => (await layoutOf()) === nodeCount - 1);
    const { nodes: known } = await metadata.clusterSnapshot();
    copiedFrom -= known.find(({ nodeId }) => nodeId === "n1")?.stats?.bytesUsed ?? 0;
    return at;
  });
  copiedFrom = await heldBytes();
  await measure("a node comes back without its disk", async () => {
    const { port } = new URL(String(nodes.get("n2")?.ready.url));
    await nodes.get("n2")?.stop();
    const { nodes: known } = await metadata.clusterSnapshot();
    copiedFrom -= known.find(({ nodeId }) => nodeId === "n2")?.stats?.bytesUsed ?? 0;
    await rm(join(folder, "n2"), { recursive: true });
    nodes.set("n2", await startNode("n2", port));
    const isBack = async (): Promise<boolean> =>
      (await metadata.clusterSnapshot()).nodes.some(
        ({ nodeId, lostDisk }) => nodeId === "n2" && lostDisk !== undefined,
      );
    return await until(isBack);
  });
  copiedFrom = await heldBytes();
  await measure("a node is added", async () => {
    nodes.set("added", await startNode("added"));
    return await until(async () => (await layoutOf()) === nodeCount);
  });
} finally {
  await Promise.all([front, ...nodes.values()].map((server) => server.stop()));
  await metadata.close();
  await pool.end();
  await postgres.stop();
  await rm(folder, { recursive: true, force: true });
}
