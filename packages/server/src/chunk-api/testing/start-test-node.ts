import type { Digest } from "@ashlar/sdk/hash";
import { digestFromBytes, webCryptoHasher } from "@ashlar/sdk/hash";
import { type ChunkStore, systemClock, systemRandom } from "@ashlar/sdk/ports";
import { createGrantKeeper, type GrantKeeper } from "../../grants/index.ts";
import { createHttpListener } from "../../http/index.ts";
import { createStorageNode, type StorageNode, type StorageNodeOptions } from "../../node/index.ts";

/** The cluster key of all test nodes. */
export const CLUSTER_KEY = "a cluster key of at least thirty-two characters";

/** A storage node on a free port, and what its tests need to be let in. */
export interface TestNode {
  readonly node: StorageNode;
  readonly url: string;
  readonly store: ChunkStore;
  readonly grants: GrantKeeper;
  /** `Bearer <cluster grant>`. */
  readonly cluster: string;
  /** `Bearer <write grant>` of the ticket `ticketId`. */
  readonly write: string;
  readonly ticketId: string;
  readFor(chunkId: Digest): Promise<string>;
  close(): Promise<void>;
}

export async function startTestNode(store: ChunkStore, options: Partial<StorageNodeOptions> = {}): Promise<TestNode> {
  const grants = createGrantKeeper({ clusterKey: CLUSTER_KEY, clock: systemClock, random: systemRandom });
  const node = createStorageNode({ nodeId: "node-1", store, clusterKey: CLUSTER_KEY, ...options });
  const { url } = await node.listen();
  const ticketId = grants.newTicketId();
  return {
    node,
    url,
    store,
    grants,
    ticketId,
    cluster: `Bearer ${await grants.issueCluster()}`,
    write: `Bearer ${await grants.issueWrite({ ticketId, bucket: "photos" })}`,
    readFor: async (chunkId) => `Bearer ${await grants.issueRead({ chunkId })}`,
    async close() {
      await node.close({ graceMs: 100 });
      await store.close();
    },
  };
}

/** Bytes that differ everywhere, so that a shift shows. */
export function patternBytes(length: number, seed = 1): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(length);
  let state = seed * 2654435761;
  for (let index = 0; index < length; index++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    bytes[index] = state >>> 24;
  }
  return bytes;
}

export async function digestOf(bytes: Uint8Array): Promise<Digest> {
  return digestFromBytes(await webCryptoHasher.digest(bytes));
}

/** A port where nobody listens. */
export async function freePort(): Promise<number> {
  const listener = createHttpListener({ handler: async () => ({ status: 404 }) });
  const { port } = await listener.listen();
  await listener.close();
  return port;
}
