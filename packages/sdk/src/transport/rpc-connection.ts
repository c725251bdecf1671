import {
  type Client,
  createClient,
  type CallOptions as RpcCallOptions,
  type Transport as RpcTransport,
} from "@connectrpc/connect";
import { AshlarError } from "../errors/index.ts";
import type { BytesProgress, Endpoint } from "../ports/index.ts";
import { ChunkService } from "../rpc/chunk-messages.ts";
import { ashlarErrorFrom } from "../rpc/connect-error.ts";
import { ObjectService } from "../rpc/object-messages.ts";
import { type AuthorizedCallOptions, createConnection } from "./connection.ts";

/** How an RPC library reaches one server. */
export interface RpcChannel {
  readonly transport: RpcTransport;
  /**
   * Calls of the same server that report how many bytes of their message, envelope included, were sent. Absent if the library cannot report
   * them.
   */
  watched?(onProgress: BytesProgress): Promise<RpcTransport>;
  /** Drops the connections: the next call makes new ones. Absent if calls share none. */
  reset?(): void;
  /** Closes idle connections; absent if none are kept. */
  close?(): void | Promise<void>;
}

/** Options of one RPC. */
export interface HeardCallOptions extends RpcCallOptions {
  /** To be called for each message of a stream, in either direction. */
  readonly heard: () => void;
}

/** The typed clients of one server, with the error and abort rules of all transports. */
export interface RpcConnection {
  readonly endpoint: Endpoint;
  readonly chunks: Client<typeof ChunkService>;
  readonly objects: Client<typeof ObjectService>;
  /** For clients of services that are loaded later. */
  readonly rpc: RpcTransport;
  /** `chunks` for one call that reports how many bytes of its message were sent, if the library can report them. */
  watchedChunks(onProgress: BytesProgress | undefined): Promise<Client<typeof ChunkService>>;
  /** Runs one RPC; see {@link createConnection}. */
  call<T>(options: AuthorizedCallOptions | undefined, rpc: (options: HeardCallOptions) => Promise<T>): Promise<T>;
  close(): Promise<void>;
}

/** @param openProbe opens a channel of its own for a call that asks the server for a sign of life. */
export function createRpcConnection(
  endpoint: Endpoint,
  channel: RpcChannel,
  openProbe: () => RpcChannel,
): RpcConnection {
  const connection = createConnection({
    endpoint,
    errorFrom,
    probe: (signal) => probeOver(openProbe(), signal),
    reset: () => channel.reset?.(),
    release: () => channel.close?.(),
  });
  const chunks = createClient(ChunkService, channel.transport);
  return {
    endpoint,
    chunks,
    objects: createClient(ObjectService, channel.transport),
    rpc: channel.transport,
    async watchedChunks(onProgress) {
      if (onProgress === undefined || channel.watched === undefined) return chunks;
      return createClient(ChunkService, await channel.watched(onProgress));
    },
    call: (options, rpc) =>
      connection.run(options, (headers, signal, heard) => rpc({ headers, signal, onHeader: heard, heard })),
    close: () => connection.close(),
  };
}

/** Any answer is a sign of life: the answer's message is not that of the description, and is not read. */
async function probeOver({ transport, close }: RpcChannel, signal: AbortSignal): Promise<void> {
  const { healthCheck } = ChunkService.method;
  const method = { ...healthCheck, name: "Check", parent: { typeName: "grpc.health.v1.Health" } };
  try {
    await transport.unary(method as unknown as typeof healthCheck, signal, undefined, undefined, {});
  } catch (error) {
    if (ashlarErrorFrom(error).code === "NODE_UNAVAILABLE") throw error;
  } finally {
    await close?.();
  }
}

/** Called only if the caller did not abort. So CANCELED comes from the server here, and another server may take the call. */
function errorFrom(error: unknown): AshlarError {
  const known = ashlarErrorFrom(error);
  if (known.code !== "CANCELED") return known;
  return new AshlarError("NODE_UNAVAILABLE", "the server gave up", { cause: error });
}
