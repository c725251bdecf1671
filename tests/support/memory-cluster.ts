import { createMemoryChunkStore, type MemoryChunk } from "@ashlar/adapters/chunk-store/memory";
import { nodeCryptoHasher } from "@ashlar/adapters/hash/node-crypto";
import { createMemoryMetadataStore } from "@ashlar/adapters/metadata-store/memory";
import type { CollectReport, EngineOptions, Topology } from "@ashlar/sdk/engine";
import { collect, createClusterTopology, createEngine } from "@ashlar/sdk/engine";
import {
  type Clock,
  type MetadataStore,
  type NodeRegistry,
  type ObjectEngine,
  type Random,
  silentLogger,
  systemClock,
  type Transport,
} from "@ashlar/sdk/ports";
import { type ChunkStoreFaults, faultyChunkStore } from "./faulty-chunk-store.ts";
import { noJitter } from "./seeded-random.ts";

/** One store of a {@link MemoryCluster}. */
export interface MemoryNode {
  readonly nodeId: string;
  /** What it holds, by hex id. */
  readonly chunks: Map<string, MemoryChunk>;
  /** What goes wrong from now on; set and clear the fields at will. */
  readonly faults: ChunkStoreFaults;
}

/** The engine over memory stores, wired as in a cluster: registry, layouts, ring placement, one store per node. */
export interface MemoryCluster {
  readonly metadata: MetadataStore;
  readonly nodes: readonly MemoryNode[];
  readonly topology: Topology;
  /** Another view of the same cluster. @param registry default: the metadata. */
  newTopology(registry?: Pick<NodeRegistry, "clusterSnapshot">): Topology;
  readonly engine: ObjectEngine;
  /** A second engine over the same stores. */
  newEngine(options?: Partial<EngineOptions>): ObjectEngine;
  collect(options?: { readonly claimTtlMs?: number; readonly graceMs?: number }): Promise<CollectReport>;
}

export interface MemoryClusterOptions extends Partial<Omit<EngineOptions, "clock" | "random">> {
  /** Default 3. */
  readonly nodeCount?: number;
  readonly clock?: Clock;
  readonly random?: Random;
  readonly chunkMaxBytes?: number;
}

/** Makes a cluster with the bucket `box` in it. */
export async function createMemoryCluster(options: MemoryClusterOptions = {}): Promise<MemoryCluster> {
  const { nodeCount = 3, clock = systemClock, random = noJitter, chunkMaxBytes, ...engineOptions } = options;
  const metadata = createMemoryMetadataStore({ clock });
  const nodes: MemoryNode[] = [];
  const stores = new Map<string, ReturnType<typeof createMemoryChunkStore>>();
  for (let index = 0; index < nodeCount; index++) {
    const nodeId = `n${index}`;
    const url = `http://${nodeId}:1`;
    const chunks = new Map<string, MemoryChunk>();
    const faults: ChunkStoreFaults = {};
    stores.set(url, faultyChunkStore(createMemoryChunkStore({ clock, chunks, chunkMaxBytes }), faults));
    nodes.push({ nodeId, chunks, faults });
    await metadata.registerNode({ nodeId, url, softwareVersion: "test" });
  }
  const transport: Transport = {
    name: "memory",
    capabilities: Object.freeze({ clientStreaming: true, browser: false, uploadProgress: false }),
    openChunkStore: ({ url }) => stores.get(url)!,
    openGateway: () => {
      throw new Error("a memory cluster has no gateway");
    },
    close: async () => {},
  };
  const newTopology: MemoryCluster["newTopology"] = (registry = metadata) =>
    createClusterTopology({ registry, transport, clock, logger: silentLogger });
  const topology = newTopology();
  const newEngine = (more: Partial<EngineOptions> = {}): ObjectEngine =>
    createEngine({
      catalog: metadata,
      topology,
      hasher: nodeCryptoHasher,
      clock,
      random,
      logger: silentLogger,
      // Enough for some tries, and short, so that tests of permanent failures end soon.
      retry: { forMs: 1000 },
      ...engineOptions,
      ...more,
    });
  const engine = newEngine();
  await engine.createBucket("box");
  return {
    metadata,
    nodes,
    topology,
    newTopology,
    engine,
    newEngine,
    collect: (times = {}) => collect({ metadata, topology, logger: silentLogger, ...times }),
  };
}
