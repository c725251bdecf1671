import { type ApiKeyRole, type MetadataStore, systemRandom } from "@ashlar/sdk/ports";
import { createApiKey } from "../auth/api-key.ts";
import { type DirectClient, directClient } from "./direct-client.ts";
import { startTestCluster, type TestCluster } from "./start-test-cluster.ts";

/** A cluster of three nodes with a token holder's view of it. */
export interface TokenCluster extends TestCluster {
  readonly metadata: MetadataStore;
  readonly client: DirectClient;
  /** Asks for a token with the readwrite key, unless told otherwise. */
  token(request: TokenRequest, apiKey?: string): Promise<string>;
  newKey(role: ApiKeyRole, options?: { readonly expiresInMs?: number }): ReturnType<typeof createApiKey>;
}

export interface TokenRequest {
  readonly bucket: string;
  readonly prefix?: string;
  readonly role?: string;
  readonly expiresInMs?: bigint;
}

/** Starts such a cluster; the test gives stores and transport. */
export async function startTokenCluster(
  parts: Omit<Parameters<typeof startTestCluster>[0], "nodeCount">,
): Promise<TokenCluster> {
  const { metadata } = parts;
  const cluster = await startTestCluster({ ...parts, nodeCount: 3 });
  const client = directClient(cluster);
  return {
    ...cluster,
    metadata,
    client,
    token: async (request, apiKey = cluster.keys.readwrite) =>
      (await client.objects(apiKey).createAccessToken(request)).token,
    newKey: (role, options) => createApiKey({ metadata, random: systemRandom, name: role, role, ...options }),
  };
}
