import { resolve } from "node:path";
import { openFsChunkStore } from "@ashlar/adapters/chunk-store/fs";
import { singleStoreTopology } from "@ashlar/sdk/engine";
import type { Durability, MetadataStore } from "@ashlar/sdk/ports";
import { createGateway, type Gateway } from "../../gateway/index.ts";
import type { ClusterKeys } from "../../grants/index.ts";
import type { ServerAddress } from "../../http/index.ts";
import { keepClusterKey } from "./cluster-key.ts";
import { makeFirstApiKey } from "./first-api-key.ts";
import { listenOnFreePort } from "./free-port.ts";
import { openMetadata } from "./open-metadata.ts";
import type { ServerParts } from "./server-parts.ts";

/** What {@link startAllInOne} takes. */
export interface AllInOneOptions {
  readonly parts: ServerParts;
  /** Folder of everything. */
  readonly path: string;
  readonly port: number;
  /** The port was asked for: a taken one is an error. */
  readonly fixedPort: boolean;
  /** Instead of the one that the folder keeps. */
  readonly clusterKey: ClusterKeys | undefined;
  readonly durability: Durability | undefined;
  readonly collectIntervalMs: number;
}

/** A gateway with one local store, running. */
export interface AllInOne {
  readonly path: string;
  readonly address: ServerAddress;
  /** Ports that were tried and taken. */
  readonly takenPorts: readonly number[];
  /** Made at the first start, to be shown once. */
  readonly firstApiKey: string | undefined;
  setTls: Gateway["setTls"];
  close(graceMs: number): Promise<void>;
}

/** Starts a gateway, its metadata in SQLite and its one chunk store, all in one folder. @throws {AshlarError} as its parts do. */
export async function startAllInOne(options: AllInOneOptions): Promise<AllInOne> {
  const { parts } = options;
  const path = resolve(options.path);
  const clusterKey = options.clusterKey ?? (await keepClusterKey(path, parts.logger));
  const opened = await openMetadata({ path, logger: parts.logger, tracer: parts.tracer });
  const { metadata } = opened;
  try {
    const { server, address, takenPorts } = await listenOnFreePort(
      { port: options.port, fixed: options.fixedPort },
      (port) => startGateway(options, { path, clusterKey, metadata, port }),
    );
    const firstApiKey = parts.insecure ? undefined : await makeFirstApiKey(metadata);
    const close = async (graceMs: number): Promise<void> => {
      await server.close({ graceMs });
      await opened[Symbol.asyncDispose]();
    };
    return { path, address, takenPorts, firstApiKey, setTls: (tls) => server.setTls(tls), close };
  } catch (error) {
    await opened[Symbol.asyncDispose]();
    throw error;
  }
}

interface GatewayParts {
  readonly path: string;
  readonly clusterKey: ClusterKeys;
  readonly metadata: MetadataStore;
  readonly port: number;
}

async function startGateway(
  { parts, durability, collectIntervalMs }: AllInOneOptions,
  { path, clusterKey, metadata, port }: GatewayParts,
): Promise<{ readonly server: Gateway; readonly address: ServerAddress }> {
  const { chunkMaxBytes, logger, tracer } = parts;
  // The gateway closes its topology, and that the store: each try needs its own.
  const store = await openFsChunkStore({ path, durability, chunkMaxBytes, logger, tracer });
  const topology = singleStoreTopology(store);
  const maintenance = { collectIntervalMs };
  const server = createGateway({ ...parts, metadata, topology, clusterKey, port, durability, maintenance });
  try {
    return { server, address: await server.listen() };
  } catch (error) {
    await server.close({ graceMs: 0 });
    throw error;
  }
}
