import { nodeCryptoHasher } from "@ashlar/adapters/hash/node-crypto";
import { createClient, direct, gateway, type ObjectClient, type RetryPolicy, type Seat } from "@ashlar/sdk";
import { AshlarError } from "@ashlar/sdk/errors";
import type { NodeRegistry, ObjectEngine, Transport } from "@ashlar/sdk/ports";
import { formatDuration } from "../observability/format.ts";
import type { TRANSPORT_NAMES } from "./config.ts";
import { assertStoreThere, openExistingMetadata } from "./servers/open-metadata.ts";
import type { Settings } from "./settings.ts";

/** Settings that pick a seat. */
export const SEAT_SETTINGS = ["path", "gateway", "direct", "apiKey", "transport", "retryForMs"] as const;

/** Resolved settings that pick a seat. */
export type SeatSettings = Pick<Settings<(typeof SEAT_SETTINGS)[number]>, (typeof SEAT_SETTINGS)[number]>;

/** Like {@link openClient}, but makes a store if the folder of the embedded seat holds none. */
export async function openOrMakeClient(settings: SeatSettings): Promise<ObjectClient> {
  return createClient(await seatOf(settings, noticedRetry(process.stderr, settings.retryForMs)));
}

/**
 * Opens a client for the seat that the settings name, over a store that exists.
 *
 * @param retry how long calls are tried again; default: as the settings say, with a line on the terminal at the first wait.
 * @throws {AshlarError} INVALID_ARGUMENT if none or more than one is named; BUCKET_NOT_FOUND if the folder holds no store.
 */
export async function openClient(
  settings: SeatSettings,
  retry: RetryPolicy = noticedRetry(process.stderr, settings.retryForMs),
): Promise<ObjectClient> {
  const seat = await seatOf(settings, retry);
  if (settings.path !== undefined) assertStoreThere(settings.path);
  return createClient(seat);
}

/** The engine behind a seat, for commands that look at chunks; closed at the end of its scope. */
export interface OpenedEngine extends AsyncDisposable {
  readonly engine: ObjectEngine;
  /** `embedded`, `gateway` or `direct`. */
  readonly seat: string;
}

/**
 * Opens the engine of the seat that the settings name.
 *
 * @param options.makes whether an embedded folder that holds no store gets one; default: it is refused.
 * @throws {AshlarError} as {@link openClient}.
 */
export async function openEngine(
  settings: SeatSettings,
  options: { readonly makes?: boolean } = {},
): Promise<OpenedEngine> {
  const seat = await seatOf(settings, noticedRetry(process.stderr, settings.retryForMs));
  if (settings.path !== undefined && options.makes !== true) assertStoreThere(settings.path);
  const opened = await seat.open();
  return { engine: opened.engine, seat: seat.name, [Symbol.asyncDispose]: () => opened.close() };
}

async function seatOf(
  { path, gateway: gatewayUrl, direct: directUrl, apiKey, transport }: SeatSettings,
  retry: RetryPolicy,
): Promise<Seat> {
  const named = [path, gatewayUrl, directUrl].filter((setting) => setting !== undefined);
  if (named.length !== 1) {
    throw new AshlarError(
      "INVALID_ARGUMENT",
      `${named.length === 0 ? "which store?" : "one store at a time:"} name it with --path <folder>, --gateway <url> or --direct <url>, or with ASHLAR_PATH, ASHLAR_GATEWAY or ASHLAR_DIRECT`,
    );
  }
  if (path !== undefined) {
    const { embedded } = await import("@ashlar/adapters/embedded");
    return embedded({ path, retry });
  }
  const url = gatewayUrl ?? directUrl ?? "";
  const options = { url, apiKey, transport: await openTransport(transport), hasher: nodeCryptoHasher, retry };
  return gatewayUrl === undefined ? direct(options) : gateway(options);
}

/** Settings that say where the cluster's nodes and layouts are recorded. */
export const CLUSTER_SETTINGS = ["gateway", "path", "apiKey", "transport", "databaseUrl"] as const;

/** Nodes and layouts, through a gateway or straight from its database. */
export interface OpenedCluster extends AsyncDisposable {
  readonly registry: Pick<NodeRegistry, "clusterSnapshot" | "changeLayout">;
}

/** @throws {AshlarError} INVALID_ARGUMENT if neither a gateway nor a database is named; BUCKET_NOT_FOUND if the folder holds no store. */
export async function openCluster(
  settings: Pick<Settings<(typeof CLUSTER_SETTINGS)[number]>, (typeof CLUSTER_SETTINGS)[number]>,
): Promise<OpenedCluster> {
  const { gateway: url, path, databaseUrl, apiKey } = settings;
  if (url !== undefined) {
    const transport = await openTransport(settings.transport);
    const authorization = apiKey === undefined ? undefined : () => `Bearer ${apiKey}`;
    const connection = transport.openGateway({ url, authorization });
    return {
      registry: connection.cluster,
      async [Symbol.asyncDispose]() {
        await connection.close();
        await transport.close();
      },
    };
  }
  if (path === undefined && databaseUrl === undefined) {
    throw new AshlarError(
      "INVALID_ARGUMENT",
      "which cluster? name a gateway with --gateway <url> or ASHLAR_GATEWAY, or set DATABASE_URL",
    );
  }
  const opened = await openExistingMetadata({ path, databaseUrl });
  return { registry: opened.metadata, [Symbol.asyncDispose]: () => opened[Symbol.asyncDispose]() };
}

type TransportName = (typeof TRANSPORT_NAMES)[number];

/** Each entry loads its transport only when it is used: each needs a library of its own, and commands should start fast. */
const TRANSPORTS: Readonly<Record<TransportName, () => Promise<Transport>>> = {
  undici: async () => (await import("@ashlar/adapters/transport/undici")).undiciTransport(),
  http: async () => (await import("@ashlar/sdk/transport/http")).httpTransport(),
  connect: async () => (await import("@ashlar/sdk/transport/connect")).connectTransport(),
  "grpc-web": async () => (await import("@ashlar/sdk/transport/grpc-web")).grpcWebTransport(),
  grpc: async () => (await import("@ashlar/adapters/transport/grpc")).grpcTransport(),
  "grpc-js": async () => {
    const { grpcJsTransport } = await import("@ashlar/adapters/transport/grpc-js").catch(needsGrpcJs);
    return grpcJsTransport();
  },
};

/** `@grpc/grpc-js` is the only library of a transport that does not come with the program: the transport `grpc` works without it. */
function needsGrpcJs(error: unknown): never {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  if (code !== "ERR_MODULE_NOT_FOUND") throw error;
  const message =
    "the transport grpc-js needs the package @grpc/grpc-js: npm install @grpc/grpc-js, or use the transport grpc";
  throw new AshlarError("UNSUPPORTED", message, { cause: error });
}

/** Opens a transport by its name. @throws {AshlarError} INVALID_ARGUMENT for an unknown one; UNSUPPORTED if its library is not installed. */
export async function openTransport(name: string): Promise<Transport> {
  const open = Object.hasOwn(TRANSPORTS, name) ? TRANSPORTS[name as TransportName] : undefined;
  if (open === undefined) throw new AshlarError("INVALID_ARGUMENT", `there is no transport ${name}`);
  return await open();
}

/** A retry policy that prints a line on the terminal at the first wait of a command, so that it does not look stuck. Prints nothing elsewhere. */
function noticedRetry(
  stderr: NodeJS.WritableStream & { readonly isTTY?: boolean | undefined },
  forMs: number,
): RetryPolicy {
  let isSilent = stderr.isTTY !== true;
  return {
    forMs,
    onRetry({ error, leftMs }) {
      if (isSilent) return;
      isSilent = true;
      const why = error.code === "OVERLOADED" ? "the server is busy" : "the server does not answer";
      stderr.write(`${why}, trying again for ${formatDuration(leftMs)}\n`);
    },
  };
}
