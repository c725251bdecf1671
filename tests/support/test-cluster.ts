import { join } from "node:path";
import { openFsChunkStore } from "@ashlar/adapters/chunk-store/fs";
import { createMemoryChunkStore } from "@ashlar/adapters/chunk-store/memory";
import { nodeCryptoHasher } from "@ashlar/adapters/hash/node-crypto";
import { createMemoryMetadataStore } from "@ashlar/adapters/metadata-store/memory";
import { openPostgresMetadataStore } from "@ashlar/adapters/metadata-store/postgres";
import { openSqliteMetadataStore } from "@ashlar/adapters/metadata-store/sqlite";
import { undiciTransport } from "@ashlar/adapters/transport/undici";
import { type CollectReport, collect, createClusterTopology, type Topology } from "@ashlar/sdk/engine";
import {
  type ChunkStore,
  type Clock,
  type MetadataStore,
  silentLogger,
  systemClock,
  systemRandom,
} from "@ashlar/sdk/ports";
import {
  clusterAuthorization,
  createApiKey,
  createGateway,
  createGrantKeeper,
  createStorageNode,
  type Gateway,
  type GatewayOptions,
  type Metrics,
  noMetrics,
  type Signer,
  type StorageNode,
  type StorageNodeOptions,
} from "@ashlar/server";
import pg from "pg";
import { createPostgresSchema, type PostgresSchema } from "./postgres-schema.ts";
import { startTcpProxy, type TcpProxy } from "./tcp-proxy.ts";
import { createTempFolder, type TempFolder } from "./temp-folder.ts";

/** The secret of test clusters. */
export const CLUSTER_KEY = "a cluster key of the tests, 32 letters or more";

/** One node of a {@link TestCluster}. */
export interface TestNode {
  readonly nodeId: string;
  /** Where it is reached: the proxy, if there is one. */
  readonly url: string;
  /** Folder of its data; absent for nodes in memory. */
  readonly path: string | undefined;
  readonly store: ChunkStore;
  readonly storageNode: StorageNode;
  /** In front of the node, in a proxied cluster. */
  readonly proxy: TcpProxy | undefined;
  /** Shuts the node down in order. */
  stop(): Promise<void>;
  /** Starts it again, over the same data, on another port. */
  start(): Promise<void>;
}

/** A gateway and storage nodes on real ports, all in this process. */
export interface TestCluster {
  readonly url: string;
  readonly apiKey: string;
  readonly metadata: MetadataStore;
  readonly gateway: Gateway;
  /** The gateway's view of the nodes. */
  readonly topology: Topology;
  readonly nodes: readonly TestNode[];
  /** Adds a node to the running cluster. */
  addNode(): Promise<TestNode>;
  collect(options?: { readonly claimTtlMs?: number; readonly graceMs?: number }): Promise<CollectReport>;
  /** Repairs what puts have missed, as a gateway's background work does from time to time. */
  repair(): Promise<void>;
  /** In front of the gateway, in a proxied cluster. */
  readonly proxy: TcpProxy | undefined;
  /** In front of PostgreSQL, if asked for. */
  readonly metadataProxy: TcpProxy | undefined;
  /** Runs a statement in the cluster's schema of PostgreSQL. */
  readonly metadataQuery: ((sql: string) => Promise<void>) | undefined;
  /** Calls gateway and nodes without sockets, by the URL of the request. */
  fetch(request: Request): Promise<Response>;
  close(): Promise<void>;
}

export interface TestClusterOptions {
  /** Default 3. */
  readonly nodeCount?: number;
  /** Default `memory`. A store that is given is not closed with the cluster. */
  readonly metadata?: "memory" | "sqlite" | "postgres" | MetadataStore;
  /** A proxy between this process and PostgreSQL. */
  readonly metadataProxied?: boolean;
  /** Default `fs`, in a temporary folder, with durability `os`. */
  readonly chunks?: "fs" | "memory";
  readonly chunkMaxBytes?: number;
  /** Folder of a node's data; default: one in the cluster's own folder. */
  readonly nodePath?: (nodeId: string) => string;
  readonly heartbeatIntervalMs?: number;
  /** Failure domain of each node; default: none. */
  readonly zoneOf?: (nodeId: string) => string;
  /** A proxy in front of every server, so that connections can be slowed and cut. */
  readonly proxied?: boolean;
  readonly gateway?: Partial<GatewayOptions>;
  /** How nodes check their chunks; default: not at all. */
  readonly scrub?: StorageNodeOptions["scrub"];
  /** Where nodes put their figures. */
  readonly nodeMetrics?: (nodeId: string) => Metrics;
  /** Instead of {@link CLUSTER_KEY}, for gateway and nodes. */
  readonly signer?: Signer | undefined;
  /** Default: the system's. The gateway's own grants are made by its clock. */
  readonly clocks?: { readonly gateway?: Clock; readonly node?: (nodeId: string) => Clock };
}

interface Resources {
  readonly folder: TempFolder;
  schema?: PostgresSchema;
  metadataProxy?: TcpProxy;
  readonly closers: (() => Promise<unknown>)[];
}

/** Starts a cluster. Background work is off unless the test turns it on. */
export async function startTestCluster(options: TestClusterOptions = {}): Promise<TestCluster> {
  const resources: Resources = { folder: await createTempFolder(), closers: [] };
  const metadata = await openMetadata(options, resources);
  const nodes: TestNode[] = [];
  for (let index = 0; index < (options.nodeCount ?? 3); index++) {
    nodes.push(await startNode(`node-${index + 1}`, metadata, options, resources));
  }
  const clock = options.clocks?.gateway ?? systemClock;
  const { signer } = options;
  const keeper = createGrantKeeper({ clusterKey: CLUSTER_KEY, signer, clock, random: systemRandom });
  const transport = undiciTransport();
  const topology = createClusterTopology({
    registry: metadata,
    transport,
    authorization: clusterAuthorization(keeper, clock),
    clock,
    logger: silentLogger,
  });
  const gateway = createGateway({
    metadata,
    topology,
    grants: keeper,
    hasher: nodeCryptoHasher,
    clock,
    random: systemRandom,
    logger: silentLogger,
    metrics: noMetrics,
    softwareVersion: "test",
    maintenance: false,
    ...(options.chunkMaxBytes === undefined ? {} : { chunkMaxBytes: options.chunkMaxBytes }),
    ...options.gateway,
  });
  const { url } = await gateway.listen();
  const proxy = options.proxied === true ? await startTcpProxy(url) : undefined;
  const { apiKey } = await createApiKey({ metadata, random: systemRandom, name: "test", role: "admin" });
  return {
    url: proxy?.url ?? url,
    apiKey,
    metadata,
    gateway,
    topology,
    nodes,
    proxy,
    metadataProxy: resources.metadataProxy,
    metadataQuery: resources.schema && ((sql) => resources.schema!.query(sql)),
    async addNode() {
      const node = await startNode(`node-${nodes.length + 1}`, metadata, options, resources);
      nodes.push(node);
      return node;
    },
    collect: (times = {}) => collect({ metadata, topology, logger: silentLogger, ...times }),
    repair: () => repairAll(metadata, nodes),
    fetch(request) {
      const { origin } = new URL(request.url);
      const node = nodes.find((each) => each.url === origin);
      return (node?.storageNode ?? gateway).fetch(request);
    },
    async close() {
      await proxy?.close();
      await gateway.close({ graceMs: 100 });
      await transport.close();
      for (const close of resources.closers.toReversed()) await close();
      await resources.folder[Symbol.asyncDispose]();
    },
  };
}

async function repairAll(metadata: MetadataStore, nodes: readonly TestNode[]): Promise<void> {
  for (const { nodeId } of await metadata.countRepairs()) {
    const { leaseToken, entries } = await metadata.claimRepairs({ nodeId, limit: 256, leaseMs: 60_000 });
    for (const { chunkId } of entries) {
      let bytes: Uint8Array | undefined;
      for (const { store } of nodes) bytes ??= await store.getChunk(chunkId);
      if (bytes === undefined) throw new Error("no node has a copy of a chunk that is to be repaired");
      await nodes.find((node) => node.nodeId === nodeId)?.store.putChunk(chunkId, bytes);
    }
    await metadata.finishRepairs({ leaseToken, outcomes: entries.map(({ repairId }) => ({ repairId })) });
  }
}

async function openMetadata(options: TestClusterOptions, resources: Resources): Promise<MetadataStore> {
  const { metadata = "memory" } = options;
  if (typeof metadata === "object") return metadata;
  const store = await openOwnMetadata(metadata, options, resources);
  resources.closers.push(() => store.close());
  return store;
}

async function openOwnMetadata(
  kind: "memory" | "sqlite" | "postgres",
  options: TestClusterOptions,
  resources: Resources,
): Promise<MetadataStore> {
  switch (kind) {
    case "memory":
      return createMemoryMetadataStore();
    case "sqlite":
      return openSqliteMetadataStore({ path: join(resources.folder.path, "metadata.sqlite"), durability: "os" });
    case "postgres":
      return openPostgres(options.metadataProxied === true, resources);
  }
}

async function openPostgres(proxied: boolean, resources: Resources): Promise<MetadataStore> {
  const schema = await createPostgresSchema();
  resources.schema = schema;
  resources.closers.push(() => schema.drop());
  const address = new URL(schema.url);
  if (proxied) {
    const proxy = await startTcpProxy(`http://${address.host}`);
    resources.metadataProxy = proxy;
    resources.closers.push(() => proxy.close());
    address.port = new URL(proxy.url).port;
  }
  // Gives up after a second, so that a test of a database that is away does not take ten.
  const pool = (): pg.Pool => {
    const made = new pg.Pool({ connectionString: address.href.replaceAll("+", "%20"), pipeline: true });
    made.on("error", () => {}); // idle connections break when the proxy cuts them; the store opens new ones
    return made;
  };
  return openPostgresMetadataStore({ pool, retryForMs: proxied ? 1000 : 10_000 });
}

async function startNode(
  nodeId: string,
  metadata: MetadataStore,
  options: TestClusterOptions,
  resources: Resources,
): Promise<TestNode> {
  const { chunks = "fs" } = options;
  const path = chunks === "fs" ? (options.nodePath?.(nodeId) ?? join(resources.folder.path, nodeId)) : undefined;
  const proxy = options.proxied === true ? await startTcpProxy() : undefined;
  const clock = options.clocks?.node?.(nodeId) ?? systemClock;
  const { signer } = options;
  const open = async (): Promise<RunningNode> => {
    const store = await openStore(path, options.chunkMaxBytes);
    const storageNode = createStorageNode({
      nodeId,
      store,
      registry: metadata,
      grants: createGrantKeeper({ clusterKey: CLUSTER_KEY, signer, clock, random: systemRandom }),
      hasher: nodeCryptoHasher,
      publicUrl: proxy?.url,
      zone: options.zoneOf?.(nodeId),
      diskReserveBytes: 0,
      heartbeatIntervalMs: options.heartbeatIntervalMs,
      scrub: options.scrub ?? false,
      metrics: options.nodeMetrics?.(nodeId),
      clock,
    });
    const { url } = await storageNode.listen();
    proxy?.redirect(url);
    return { store, storageNode, url };
  };
  let running = await open();
  const stop = async (): Promise<void> => {
    await running.storageNode.close({ graceMs: 100 });
    await running.store.close();
  };
  resources.closers.push(async () => {
    await proxy?.close();
    await stop();
  });
  return {
    nodeId,
    path,
    proxy,
    get url() {
      return proxy?.url ?? running.url;
    },
    get store() {
      return running.store;
    },
    get storageNode() {
      return running.storageNode;
    },
    stop,
    async start() {
      running = await open();
    },
  };
}

interface RunningNode {
  readonly store: ChunkStore;
  readonly storageNode: StorageNode;
  readonly url: string;
}

async function openStore(path: string | undefined, chunkMaxBytes: number | undefined): Promise<ChunkStore> {
  if (path === undefined) return createMemoryChunkStore({ chunkMaxBytes });
  const limit = chunkMaxBytes === undefined ? {} : { chunkMaxBytes };
  return openFsChunkStore({ path, durability: "os", ...limit });
}
