import type { Digest } from "@ashlar/sdk/hash";
import { createPlacement } from "@ashlar/sdk/ring";
import {
  ashlarErrorFrom,
  ChunkService,
  ClusterService,
  CredentialService,
  decodeClusterSnapshot,
  ObjectService,
} from "@ashlar/sdk/rpc";
import { type Client, createClient } from "@connectrpc/connect";
import { bearerTransport } from "./bearer-transport.ts";
import type { TestCluster } from "./start-test-cluster.ts";

/** RPC clients that call with the token that the test gives. */
export interface DirectClient {
  readonly objects: (token: string | undefined) => Client<typeof ObjectService>;
  readonly cluster: (token: string | undefined) => Client<typeof ClusterService>;
  readonly credentials: (token: string | undefined) => Client<typeof CredentialService>;
  /** @param nodeId a node, or `gateway`. */
  readonly chunks: (nodeId: string, token: string | undefined) => Client<typeof ChunkService>;
  /** Where the newest layout puts a chunk. */
  nodesOf(chunkId: Digest): Promise<readonly string[]>;
  /** Every other node. */
  outsideOf(chunkId: Digest): Promise<readonly string[]>;
  /** Stores a chunk under a grant. @returns one receipt for each of `nodeIds`. */
  upload(bytes: Uint8Array, chunkId: Digest, grant: string, nodeIds: readonly string[]): Promise<string[]>;
}

/** Clients of a cluster, over binary Connect. */
export function directClient(cluster: Pick<TestCluster, "url" | "nodeUrls" | "keys">): DirectClient {
  const urlOf = (nodeId: string): string => cluster.nodeUrls.get(nodeId) ?? cluster.url;
  const clusterOf: DirectClient["cluster"] = (token) =>
    createClient(ClusterService, bearerTransport(cluster.url, token));
  const chunksOf: DirectClient["chunks"] = (nodeId, token) =>
    createClient(ChunkService, bearerTransport(urlOf(nodeId), token));
  const nodesOf = async (chunkId: Digest): Promise<readonly string[]> => {
    const { layouts } = decodeClusterSnapshot(
      await clusterOf(cluster.keys.readonly).getCluster({ placementFormat: 2 }),
    );
    const [newest] = layouts;
    return newest === undefined ? [] : createPlacement(newest).nodesOf(chunkId);
  };
  return {
    objects: (token) => createClient(ObjectService, bearerTransport(cluster.url, token)),
    cluster: clusterOf,
    credentials: (token) => createClient(CredentialService, bearerTransport(cluster.url, token)),
    chunks: chunksOf,
    nodesOf,
    async outsideOf(chunkId) {
      const inside = await nodesOf(chunkId);
      return [...cluster.nodeUrls.keys()].filter((nodeId) => !inside.includes(nodeId));
    },
    async upload(bytes, chunkId, grant, nodeIds) {
      const receipts: string[] = [];
      for (const nodeId of nodeIds) {
        receipts.push((await chunksOf(nodeId, grant).writeChunk({ chunkId, data: bytes })).receipt);
      }
      return receipts;
    },
  };
}

/** The code with which a call ends; `none` if it succeeds. */
export async function codeOf(call: Promise<unknown>): Promise<string> {
  try {
    await call;
    return "none";
  } catch (error) {
    return ashlarErrorFrom(error).code;
  }
}
