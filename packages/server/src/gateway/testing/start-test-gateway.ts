import type { Topology } from "@ashlar/sdk/engine";
import { type Hasher, type MetadataStore, silentLogger, systemClock, systemRandom } from "@ashlar/sdk/ports";
import { noMetrics } from "../../observability/metrics.ts";
import { createApiKey } from "../auth/api-key.ts";
import { createGateway, type Gateway, type GatewayOptions } from "../create-gateway.ts";

/** The secret of test clusters. */
export const TEST_CLUSTER_KEY = "a cluster key for tests, 32 letters or more";

/** A gateway on a real port, with a key of each role. */
export interface TestGateway {
  readonly url: string;
  readonly gateway: Gateway;
  readonly keys: Readonly<Record<"admin" | "readwrite" | "readonly", string>>;
  close(): Promise<void>;
}

/** Starts a gateway for a test; the test gives the stores. Closing it closes the topology, not the metadata store. */
export async function startTestGateway(
  parts: { readonly metadata: MetadataStore; readonly topology: Topology; readonly hasher: Hasher },
  options?: Partial<GatewayOptions>,
): Promise<TestGateway> {
  const key = async (role: "admin" | "readwrite" | "readonly"): Promise<string> =>
    (await createApiKey({ metadata: parts.metadata, random: systemRandom, name: role, role })).apiKey;
  const keys = {
    admin: await key("admin"),
    readwrite: await key("readwrite"),
    readonly: await key("readonly"),
  };
  const gateway = createGateway({
    clusterKey: TEST_CLUSTER_KEY,
    clock: systemClock,
    random: systemRandom,
    logger: silentLogger,
    metrics: noMetrics,
    softwareVersion: "0.0.0-test",
    maintenance: false,
    ...parts,
    ...options,
  });
  const { url } = await gateway.listen();
  return { url, gateway, keys, close: () => gateway.close({ graceMs: 100 }) };
}
