import { resolve } from "node:path";
import { openFsChunkStore } from "@ashlar/adapters/chunk-store/fs";
import { singleStoreTopology } from "@ashlar/sdk/engine";
import type { Durability, MetadataStore } from "@ashlar/sdk/ports";
import { createGateway, type Gateway } from "../../gateway/index.ts";
import type { ClusterKeys } from "../../grants/index.ts";
import type { ServerAddress } from "../../http/index.ts";
import type { CommandCall } from "../command.ts";
import { shellWord } from "../shown-command.ts";
import { keepClusterKey, readClusterKey } from "./cluster-key.ts";
import { openMetadata } from "./open-metadata.ts";
import { listenOnFreePort, makeFirstApiKey, runUntilStopped } from "./server-life.ts";
import { createServerParts, type ServerParts } from "./server-parts.ts";
import type { SERVE_SETTINGS } from "./server-settings.ts";

type Call = CommandCall<(typeof SERVE_SETTINGS)[number]>;

/** `ashlar serve`: runs until the signal. */
export async function runServe(call: Call): Promise<number> {
  const { settings, io, signal } = call;
  const parts = await createServerParts(settings, io);
  const server = await startAllInOne({
    parts,
    path: settings.servePath,
    port: settings.port,
    fixedPort: call.given.has("port"),
    clusterKey: await readClusterKey(settings, parts.logger),
    durability: settings.durability as Durability | undefined,
    maintenance: settings,
  });
  call.setTitle(`serve :${new URL(server.address.url).port}`);
  await announce(call, server);
  await runUntilStopped(signal, {
    graceMs: settings.shutdownGraceMs,
    parts,
    server,
    close: (graceMs) => server.close(graceMs),
  });
  return 0;
}

async function announce({ settings, output, program }: Call, server: AllInOne): Promise<void> {
  const { address, firstApiKey, path, takenPorts } = server;
  const { insecure } = settings;
  const lines = [
    ...(takenPorts.length === 0 ? [] : [`port ${takenPorts.join(", ")} taken by another program; --port picks one`]),
    `ashlar serves ${path}`,
    `address      ${address.url}`,
    ...(address.operationsUrl === undefined ? [] : [`operations   ${address.operationsUrl}`]),
    `credentials  ${credentialsLine(server, insecure, program)}`,
    "",
    "try:",
    ...tryCommands({ url: address.url, apiKey: firstApiKey, insecure, program }).flatMap(({ label, command }) => [
      `  # ${label}`,
      `  ${command}`,
    ]),
    "",
    "Ctrl-C stops it",
  ];
  await output.result(
    { url: address.url, operationsUrl: address.operationsUrl, path, insecure, apiKey: firstApiKey, takenPorts },
    lines.join("\n"),
  );
}

function credentialsLine({ firstApiKey, path }: AllInOne, insecure: boolean, program: string): string {
  if (insecure) return "NONE: started with --insecure, everybody who reaches this port may do everything";
  if (firstApiKey !== undefined) return `${firstApiKey}   (an admin key, shown this once)`;
  return `shown at the first start; a new key: export ASHLAR_API_KEY=$(${program} key create --path ${shellWord(path)})`;
}

/** What {@link startAllInOne} takes. */
interface AllInOneOptions {
  readonly parts: ServerParts;
  /** Folder of metadata, chunks and the cluster key. */
  readonly path: string;
  readonly port: number;
  /** The user chose the port: it is an error if it is taken. */
  readonly fixedPort: boolean;
  /** Used instead of the key in the folder. */
  readonly clusterKey: ClusterKeys | undefined;
  readonly durability: Durability | undefined;
  readonly maintenance: Pick<Call["settings"], "collectIntervalMs" | "scrubPeriodMs" | "scrubBytesPerSecond">;
}

/** A gateway with one local store, running. */
interface AllInOne {
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
async function startAllInOne(options: AllInOneOptions): Promise<AllInOne> {
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
  { parts, durability, maintenance: settings }: AllInOneOptions,
  { path, clusterKey, metadata, port }: GatewayParts,
): Promise<{ readonly server: Gateway; readonly address: ServerAddress }> {
  const { chunkMaxBytes, logger, tracer } = parts;
  // The gateway closes its topology, which closes the store: each try needs its own.
  const store = await openFsChunkStore({ path, durability, chunkMaxBytes, logger, tracer });
  const topology = singleStoreTopology(store);
  const { collectIntervalMs, scrubPeriodMs, scrubBytesPerSecond } = settings;
  const maintenance = { collectIntervalMs, scrubPeriodMs, scrubBytesPerSecond };
  const server = createGateway({ ...parts, metadata, topology, clusterKey, port, durability, maintenance });
  try {
    return { server, address: await server.listen() };
  } catch (error) {
    await server.close({ graceMs: 0 });
    throw error;
  }
}

/** Values in the commands to try. */
interface TryOptions {
  readonly url: string;
  /** Absent: the commands take it from ASHLAR_API_KEY; on an insecure server they need none. */
  readonly apiKey: string | undefined;
  readonly insecure: boolean;
  /** How the command line is called here. */
  readonly program: string;
}

/** A command to paste. */
interface TryCommand {
  readonly label: string;
  readonly command: string;
}

/** Three ways to call the server: curl, the command line, and a Node program. Each works unchanged, in any order, and any number of times. */
function tryCommands(options: TryOptions): readonly TryCommand[] {
  const { url, apiKey, insecure, program } = options;
  const bearer = insecure ? "" : `-H "authorization: Bearer ${apiKey ?? "$ASHLAR_API_KEY"}" `;
  const environment = apiKey === undefined ? "" : `ASHLAR_API_KEY=${apiKey} `;
  const keyExpression = apiKey === undefined ? "process.env.ASHLAR_API_KEY" : `"${apiKey}"`;
  const keyOption = insecure ? "" : `, apiKey: ${keyExpression}`;
  const script = [
    'import { createClient, gateway } from "@ashlar/sdk";',
    `const client = createClient(gateway({ url: "${url}"${keyOption} }));`,
    "for (const { bucket } of await client.listBuckets()) console.log(bucket);",
    "await client.close();",
  ].join(" ");
  return [
    { label: "curl", command: `curl ${bearer}${url}/objects` },
    {
      label: "command line",
      command: `echo "hello" | ${environment}${program} put - first/hello.txt --create-bucket --gateway ${url}`,
    },
    { label: "Node", command: `node --input-type=module -e '${script}'` },
  ];
}
