import { AshlarError } from "@ashlar/sdk/errors";
import { LIMITS } from "@ashlar/sdk/limits";
import type {
  ApiKeyInfo,
  ApiKeyRequest,
  CreatedApiKey,
  Heartbeat,
  Layout,
  LayoutChange,
  NodeRegistration,
} from "@ashlar/sdk/ports";
import { issueAccessToken, revokeAccessToken } from "../auth/access-tokens.ts";
import { createApiKey } from "../auth/api-key.ts";
import type { GatewayContext } from "../gateway-context.ts";
import { type GatewayCall, operation } from "./operation.ts";

/** Nodes and layouts. */
export const CLUSTER_OPERATIONS = Object.freeze({
  getCluster: operation({
    access: "read-or-cluster",
    scope: "nothing",
    async run({ metadata, remainingWork }, { placementFormat }: { readonly placementFormat: number }, { signal }) {
      const snapshot = await metadata.clusterSnapshot({ signal });
      for (const layout of snapshot.layouts) checkFormatKnown(layout, placementFormat);
      return { ...snapshot, work: remainingWork() };
    },
  }),
  registerNode: operation({
    access: "cluster",
    scope: "never",
    async run({ metadata, topology }, registration: NodeRegistration, { signal }) {
      const registered = await metadata.registerNode(registration, { signal });
      topology.invalidate();
      return registered;
    },
  }),
  heartbeat: operation({
    access: "cluster",
    scope: "never",
    run: ({ metadata }, beat: Heartbeat, { signal }) => metadata.heartbeat(beat, { signal }),
  }),
  stopNode: operation({
    access: "cluster",
    scope: "never",
    async run({ metadata, topology }, { nodeId }: { readonly nodeId: string }, { signal }) {
      await metadata.stopNode(nodeId, { signal });
      topology.invalidate();
    },
  }),
  changeLayout: operation({
    access: "admin",
    scope: "never",
    async run({ metadata, topology }, change: LayoutChange, { signal }) {
      const layout = await metadata.changeLayout(change, { signal });
      topology.invalidate();
      return layout;
    },
  }),
});

/** @throws {AshlarError} STORE_INCOMPATIBLE for a layout by which a client of an earlier release would look for chunks on the wrong nodes. */
function checkFormatKnown({ placementFormat = 1 }: Layout, newestKnown: number): void {
  if (placementFormat <= newestKnown) return;
  throw new AshlarError(
    "STORE_INCOMPATIBLE",
    `the layout has placement format ${placementFormat}, which this client does not know: upgrade the client, or use its seat \`gateway\``,
    { details: { placementFormat: String(placementFormat), newestKnown: String(newestKnown) } },
  );
}

/** API keys and access tokens. */
export const CREDENTIAL_OPERATIONS = Object.freeze({
  // A key that may read may pass that on; `issueAccessToken` checks the role of the token against the key's.
  createAccessToken: operation({ access: "read", scope: "key", run: issueAccessToken }),
  // A key that may give tokens may revoke them; `revokeAccessToken` checks which key gave the token.
  revokeAccessToken: operation({ access: "read", scope: "key", run: revokeAccessToken }),
  createApiKey: operation({ access: "admin", scope: "never", run: makeApiKey }),
  listApiKeys: operation({ access: "admin", scope: "never", run: listApiKeys }),
  deleteApiKey: operation({
    access: "admin",
    scope: "never",
    async run({ metadata, authenticator }, { keyId }: { readonly keyId: string }, { signal }) {
      const deleted = await metadata.deleteApiKey(keyId, { signal });
      authenticator.forget(keyId);
      return deleted;
    },
  }),
});

async function makeApiKey(
  { metadata, random, clock, insecure }: GatewayContext,
  request: ApiKeyRequest,
  { signal }: GatewayCall,
): Promise<CreatedApiKey> {
  if (insecure) throw new AshlarError("UNSUPPORTED", "this gateway runs insecure: no API key is needed");
  const { apiKey, record } = await createApiKey({ metadata, random, clock, signal, ...request });
  return { ...record, apiKey };
}

/** A page of the API keys, by their ids. */
export interface ListApiKeys {
  readonly afterKeyId?: string | undefined;
  /** Default LIST_LIMIT_MAX. */
  readonly limit?: number | undefined;
}

async function listApiKeys(
  { metadata }: GatewayContext,
  { afterKeyId = "", limit = LIMITS.LIST_LIMIT_MAX }: ListApiKeys,
  { signal }: GatewayCall,
): Promise<{ readonly keys: readonly ApiKeyInfo[]; readonly nextKeyId?: string | undefined }> {
  const all = await metadata.listApiKeys({ signal });
  const rest = all.filter(({ keyId }) => keyId > afterKeyId);
  const keys = rest.slice(0, limit);
  return { keys, nextKeyId: rest.length > limit ? keys.at(-1)?.keyId : undefined };
}
