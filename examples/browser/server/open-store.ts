import { join } from "node:path";
import process from "node:process";
import { appKey } from "./app-key.ts";
import { startAshlar } from "./ashlar-process.ts";
import { startCluster } from "./cluster.ts";
import type { Store, StoreOptions } from "./store.ts";

/** Opens the store. Its data stays for the next start. */
export async function openStore(options: StoreOptions): Promise<Store> {
  switch (options.kind) {
    case "given":
      return givenStore(options.url ?? "");
    case "serve":
      return await startServe(options);
    case "cluster":
      return await startCluster(options);
  }
}

function givenStore(url: string): Store {
  const apiKey = process.env.ASHLAR_API_KEY;
  if (apiKey === undefined) throw new Error(`set ASHLAR_API_KEY to a key of ${url}: the app's server uses it`);
  const ended = new Promise<void>(() => {});
  return { gatewayUrl: url, apiKey, description: url, ended, close: async () => {} };
}

async function startServe({ path, pageOrigins }: StoreOptions): Promise<Store> {
  const data = join(path, "store");
  const server = await startAshlar(["serve", "--path", data, "--port", "0", "--log-level", "warn"], {
    CORS_ORIGINS: pageOrigins.join(","),
  });
  return {
    gatewayUrl: server.url,
    apiKey: await appKey(data, data),
    description: `${server.url}  ashlar serve, data in ${data}`,
    ended: server.ended,
    close: () => server.stop(),
  };
}
