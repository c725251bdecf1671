import { fileURLToPath } from "node:url";
import { systemClock, systemRandom } from "@ashlar/sdk/ports";
import { createGrantKeeper, type GrantKeeper } from "@ashlar/server";
import { startCli } from "../support/cli.ts";
import { createTempFolder } from "../support/temp-folder.ts";

/** Folders of the `.proto` files. */
export const PROTO_FOLDERS: readonly string[] = ["proto", "proto-vendor"].map((folder) =>
  fileURLToPath(new URL(`../../${folder}`, import.meta.url)),
);

/** A gateway and a storage node, secured, for clients that are not ours. */
export interface ServersUnderTest extends AsyncDisposable {
  /** `host:port`, as gRPC clients name servers. */
  readonly gateway: string;
  readonly node: string;
  readonly apiKey: string;
  /** Signs grants of the cluster. */
  readonly grants: GrantKeeper;
}

export async function startServers(): Promise<ServersUnderTest> {
  const clusterKey = "the tests' own cluster key, 32 characters";
  const env = { CLUSTER_KEY: clusterKey, LOG_LEVEL: "silent" };
  const folder = await createTempFolder();
  const gateway = startCli(["gateway", "--path", folder.at("meta"), "--port", "0"], { env });
  const [, gatewayUrl = ""] = await gateway.until(/listens on (\S+)/);
  const [, apiKey = ""] = await gateway.until(/shown this once: (\S+)/);
  const place = ["--server-id", "n1", "--data-dir", folder.at("n1"), "--port", "0", "--gateway", gatewayUrl];
  const node = startCli(["node", ...place], { env });
  const [, nodeUrl = ""] = await node.until(/listens on (\S+)/);
  return {
    gateway: new URL(gatewayUrl).host,
    node: new URL(nodeUrl).host,
    apiKey,
    grants: createGrantKeeper({ clusterKey, clock: systemClock, random: systemRandom }),
    async [Symbol.asyncDispose]() {
      await node.stop();
      await gateway.stop();
      await folder[Symbol.asyncDispose]();
    },
  };
}
