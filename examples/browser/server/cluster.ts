import { randomBytes } from "node:crypto";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { appKey } from "./app-key.ts";
import { startAshlar } from "./ashlar-process.ts";
import type { Store, StoreOptions } from "./store.ts";

const NODES = 6;

/** Six storage nodes and a gateway, each a process of its own, each called by the page: every chunk lies on three of the nodes. */
export async function startCluster({ path, pageOrigins }: StoreOptions): Promise<Store> {
  const folder = join(path, "cluster");
  const metadata = join(folder, "metadata");
  const env = { CLUSTER_KEY: await clusterKey(folder), CORS_ORIGINS: pageOrigins.join(","), LOG_LEVEL: "warn" };
  const gateway = await startAshlar(["gateway", "--path", metadata, "--port", "0"], env);
  const nodes = await Promise.all(
    Array.from({ length: NODES }, (_, index) => {
      const id = `node-${index + 1}`;
      const place = ["--server-id", id, "--data-dir", join(folder, id)];
      return startAshlar(["node", ...place, "--port", "0", "--gateway", gateway.url], env);
    }),
  );
  return {
    gatewayUrl: gateway.url,
    apiKey: await appKey(metadata, folder),
    description: `${gateway.url}  gateway of ${NODES} nodes, data in ${folder}`,
    ended: gateway.ended,
    async close() {
      await Promise.all(nodes.map((node) => node.stop()));
      await gateway.stop();
    },
  };
}

/** The secret that gateway and nodes share: made once, never shown to the page. */
async function clusterKey(folder: string): Promise<string> {
  const file = join(folder, "cluster-key");
  const kept = await readFile(file, "utf8").catch(() => "");
  if (kept !== "") return kept;
  const made = randomBytes(32).toString("base64url");
  await mkdir(folder, { recursive: true });
  await writeFile(file, made, { mode: 0o600 });
  return made;
}
