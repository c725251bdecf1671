import { openFsChunkStore } from "@ashlar/adapters/chunk-store/fs";
import { AshlarError } from "@ashlar/sdk/errors";
import type { Durability, NodeRegistry } from "@ashlar/sdk/ports";
import { folderError } from "../../files/file-error.ts";
import { clusterAuthorization, createGrantKeeper, type GrantKeeper } from "../../grants/index.ts";
import { createStorageNode } from "../../node/index.ts";
import type { CommandCall } from "../command.ts";
import { openTransport } from "../open-client.ts";
import { requireClusterKey } from "./cluster-key.ts";
import { takeNodeFolder } from "./node-folder.ts";
import { openMetadata } from "./open-metadata.ts";
import { runUntilStopped } from "./server-life.ts";
import { createServerParts, type ServerParts } from "./server-parts.ts";
import type { NODE_SETTINGS } from "./server-settings.ts";

type Call = CommandCall<(typeof NODE_SETTINGS)[number]>;

/** Addresses that mean "every interface": nobody can connect to them. */
const WILDCARDS: ReadonlySet<string> = new Set(["0.0.0.0", "::", "[::]"]);

/** `ashlar node`: runs until the signal. */
export async function runNode(call: Call): Promise<number> {
  const { settings, io, signal, output } = call;
  const { nodeId, dataDir } = requireNames(settings);
  call.setTitle(`node ${nodeId}`);
  const parts = await createServerParts(settings, io);
  const { logger, chunkMaxBytes, tracer } = parts;
  const clusterKey = await requireClusterKey(settings, logger);
  const grants = clusterKey === undefined ? undefined : createGrantKeeper({ ...parts, clusterKey });
  await using opened = openRegistry(settings, parts, grants);
  // Released last: the folder is this node's until its store has closed.
  using folder = await takeNodeFolder(dataDir, nodeId);
  const durability = settings.durability as Durability | undefined;
  const store = await openFsChunkStore({ path: dataDir, durability, chunkMaxBytes, logger, tracer }).catch(
    (error: unknown): never => {
      throw folderError(error, dataDir);
    },
  );
  const { publicUrl, zone, weight, heartbeatIntervalMs, refuseLostDisk } = settings;
  const { registry } = opened;
  const node = createStorageNode({
    ...parts,
    nodeId,
    folderId: folder.folderId,
    refuseLostDisk,
    store,
    registry,
    grants,
    publicUrl,
    zone,
    weight,
    heartbeatIntervalMs,
    scrub: settings,
    port: settings.grpcPort,
  });
  try {
    const address = await node.listen();
    const url = publicUrl ?? address.url;
    await output.result(
      { nodeId, url: address.url, operationsUrl: address.operationsUrl, publicUrl: url, dataDir },
      `node ${nodeId} listens on ${address.url}${address.operationsUrl === undefined ? "" : `, health and metrics on ${address.operationsUrl}`}`,
    );
    const close = (graceMs: number): Promise<void> => node.close({ graceMs });
    const refused = new AbortController();
    void node.refused.then((error) => refused.abort(error));
    await runUntilStopped(AbortSignal.any([signal, refused.signal]), {
      graceMs: settings.shutdownGraceMs,
      parts,
      server: node,
      close,
    });
    if (refused.signal.aborted) throw refused.signal.reason;
    return 0;
  } finally {
    await node.close({ graceMs: 0 });
    await store.close();
  }
}

function requireNames({ nodeId, dataDir, host, publicUrl }: Call["settings"]): {
  readonly nodeId: string;
  readonly dataDir: string;
} {
  if (nodeId === undefined) throw missing("a node id", "SERVER_ID", "--server-id");
  if (dataDir === undefined) throw missing("a folder for the chunks", "DATA_DIR", "--data-dir");
  if (WILDCARDS.has(host) && publicUrl === undefined) {
    throw new AshlarError(
      "INVALID_ARGUMENT",
      `a node on ${host} needs --public-url (PUBLIC_URL): the address at which gateways and direct clients reach it`,
    );
  }
  return { nodeId, dataDir };
}

function missing(what: string, variable: string, flag: string): AshlarError {
  return new AshlarError("INVALID_ARGUMENT", `a storage node needs ${what}: set ${variable} or ${flag}`);
}

/** Where the node registers: the database, or a gateway that passes the calls on. */
function openRegistry(settings: Call["settings"], parts: ServerParts, grants: GrantKeeper | undefined): OpenedRegistry {
  const { databaseUrl, nodeGateway, replicationFactor } = settings;
  const { logger, clock } = parts;
  if (databaseUrl !== undefined) {
    return lazyRegistry(async () => {
      const opened = await openMetadata({ databaseUrl, replicationFactor, logger });
      return { registry: opened.metadata, [Symbol.asyncDispose]: () => opened[Symbol.asyncDispose]() };
    });
  }
  if (nodeGateway === undefined) {
    throw new AshlarError(
      "INVALID_ARGUMENT",
      "where does the node register? set DATABASE_URL, or name a gateway with --gateway (ASHLAR_GATEWAY)",
    );
  }
  const authorization = grants && clusterAuthorization(grants, clock);
  return lazyRegistry(async () => {
    const transport = await openTransport("undici");
    const connection = transport.openGateway({ url: nodeGateway, authorization });
    return {
      registry: connection.cluster,
      async [Symbol.asyncDispose]() {
        await connection.close();
        await transport.close();
      },
    };
  });
}

/** A registry, to be closed after use. */
export interface OpenedRegistry extends AsyncDisposable {
  readonly registry: NodeRegistry;
}

/**
 * A registry that its first call opens. If opening fails, the next call tries again: a node serves its chunks while the database is away.
 */
export function lazyRegistry(open: () => Promise<OpenedRegistry>): OpenedRegistry {
  let opened: Promise<OpenedRegistry> | undefined;
  const use = async <Answer>(call: (registry: NodeRegistry) => Promise<Answer>): Promise<Answer> => {
    opened ??= open();
    try {
      return await call((await opened).registry);
    } catch (error) {
      // Opens again only if opening failed.
      await opened?.catch(() => {
        opened = undefined;
      });
      throw error;
    }
  };
  return {
    registry: {
      registerNode: (registration, options) => use((registry) => registry.registerNode(registration, options)),
      heartbeat: (beat, options) => use((registry) => registry.heartbeat(beat, options)),
      stopNode: (nodeId, options) => use((registry) => registry.stopNode(nodeId, options)),
      clusterSnapshot: (options) => use((registry) => registry.clusterSnapshot(options)),
      changeLayout: (change, options) => use((registry) => registry.changeLayout(change, options)),
    },
    async [Symbol.asyncDispose]() {
      const holder = await opened?.catch(() => undefined);
      await holder?.[Symbol.asyncDispose]();
    },
  };
}
