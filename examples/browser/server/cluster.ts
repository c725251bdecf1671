import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { startAshlar } from "./ashlar-process.ts";
import type { Store, StoreOptions } from "./store.ts";

const NODES = 6;

/**
 * PostgreSQL, six storage nodes and a gateway, as `ashlar cluster up` runs them; the page calls gateway and nodes, each on its own port. Every chunk
 * is on three of the nodes.
 */
export async function startCluster({ path, pageOrigins }: StoreOptions): Promise<Store> {
  const folder = join(path, "cluster");
  const cluster = await startAshlar(
    ["cluster", "up", "--nodes", String(NODES), "--path", folder, "--gateway-port", "0", "--log-level", "warn"],
    { CORS_ORIGINS: pageOrigins.join(",") },
  );
  const apiKey = await readFile(String(cluster.ready.apiKeyFile), "utf8");
  return {
    gatewayUrl: cluster.url,
    apiKey: apiKey.trim(),
    description: `${cluster.url}  gateway of ${NODES} nodes, data in ${folder}`,
    ended: cluster.ended,
    close: () => cluster.stop(),
  };
}
