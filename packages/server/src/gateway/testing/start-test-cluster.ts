import { createClusterTopology } from "@ashlar/sdk/engine";
import {
  type ChunkStore,
  type Hasher,
  type MetadataStore,
  silentLogger,
  systemClock,
  systemRandom,
  type Transport,
} from "@ashlar/sdk/ports";
import { clusterAuthorization, createGrantKeeper, type GrantKeeper } from "../../grants/index.ts";
import { createStorageNode, type StorageNode, type StorageNodeOptions } from "../../node/index.ts";
import type { GatewayOptions } from "../create-gateway.ts";
import { startTestGateway, TEST_CLUSTER_KEY, type TestGateway } from "./start-test-gateway.ts";

/** A gateway and its storage nodes, each on a real port, in one process. */
export interface TestCluster extends TestGateway {
  /** Base URLs by node id. */
  readonly nodeUrls: ReadonlyMap<string, string>;
  readonly stores: ReadonlyMap<string, ChunkStore>;
  /** Signs with the cluster key, which only servers hold. */
  readonly keeper: GrantKeeper;
  stopNode(nodeId: string): Promise<void>;
}

/** Starts `nodeCount` nodes and a gateway; the test brings stores and transport. */
export async function startTestCluster(
  parts: {
    readonly metadata: MetadataStore;
    readonly hasher: Hasher;
    readonly transport: Transport;
    readonly nodeCount: number;
    readonly openStore: (nodeId: string) => ChunkStore;
    /** Further options of each node. */
    readonly nodeOptions?: ((nodeId: string) => Partial<StorageNodeOptions>) | undefined;
    /** Nodes whose cluster key is another than the gateway's. */
    readonly otherKeyNodeIds?: readonly string[];
  },
  options?: Partial<GatewayOptions>,
): Promise<TestCluster> {
  const { metadata, hasher, transport } = parts;
  const keeper = createGrantKeeper({ clusterKey: TEST_CLUSTER_KEY, clock: systemClock, random: systemRandom });
  const insecure = options?.insecure === true;
  const nodes = new Map<string, StorageNode>();
  const nodeUrls = new Map<string, string>();
  const stores = new Map<string, ChunkStore>();
  for (let index = 1; index <= parts.nodeCount; index++) {
    const nodeId = `node-${index}`;
    const store = parts.openStore(nodeId);
    const clusterKey = parts.otherKeyNodeIds?.includes(nodeId) ? `${TEST_CLUSTER_KEY} of others` : TEST_CLUSTER_KEY;
    const access = insecure ? { insecure } : { clusterKey };
    const { proofsOfPossession } = options ?? {};
    const more = parts.nodeOptions?.(nodeId);
    const node = createStorageNode({
      nodeId,
      store,
      registry: metadata,
      hasher,
      proofsOfPossession,
      ...access,
      ...more,
    });
    nodeUrls.set(nodeId, (await node.listen()).url);
    nodes.set(nodeId, node);
    stores.set(nodeId, store);
  }
  const topology = createClusterTopology({
    registry: metadata,
    transport,
    authorization: clusterAuthorization(keeper, systemClock),
    clock: systemClock,
    logger: silentLogger,
  });
  const gateway = await startTestGateway({ metadata, topology, hasher }, options);
  return {
    ...gateway,
    nodeUrls,
    stores,
    keeper,
    stopNode: async (nodeId) => await nodes.get(nodeId)?.close({ graceMs: 0 }),
    async close() {
      await gateway.close();
      await Promise.all([...nodes.values()].map((node) => node.close({ graceMs: 100 })));
      await transport.close();
    },
  };
}
