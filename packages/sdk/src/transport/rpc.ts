import { AshlarError } from "../errors/index.ts";
import { checkedUrl } from "../internal/checked-url.ts";
import type { Endpoint, Transport, TransportCapabilities } from "../ports/index.ts";
import { lazyNodeRegistry } from "./lazy-registry.ts";
import { createRpcAccessTokenSource, createRpcCatalog, createRpcGrantSource } from "./rpc-catalog.ts";
import { createRpcChunkStore } from "./rpc-chunk-store.ts";
import { createRpcConnection, type RpcChannel, type RpcConnection } from "./rpc-connection.ts";

export { type AnswerHead, foreignAnswer } from "./foreign-server.ts";
export type { RpcChannel } from "./rpc-connection.ts";

/** How {@link createRpcTransport} builds a transport from an RPC library. */
export interface RpcTransportOptions {
  readonly name: string;
  readonly capabilities: TransportCapabilities;
  /** Prepares calls to one server; opens no connection before the first of them. @param url base URL without a trailing slash. */
  readonly openChannel: (url: string) => RpcChannel;
}

/**
 * A transport over any RPC library that implements Connect's `Transport`: typed errors, aborts, grants and progress are the same on all.
 *
 * `openChannel` must pass the head of each answer to {@link foreignAnswer}: answers of servers that are not ours must not be used.
 *
 * Bytes are sent in frames of 1 MiB if the library streams to the server, otherwise in one message. Reads fill one buffer of the wanted size.
 */
export function createRpcTransport({ name, capabilities, openChannel }: RpcTransportOptions): Transport {
  const open = new Set<RpcConnection>();
  let closed = false;
  const connect = (endpoint: Endpoint): RpcConnection => {
    if (closed) throw new AshlarError("STORE_CLOSED", `the ${name} transport is closed`);
    const url = checkedUrl(endpoint.url);
    const channel = openChannel(url);
    const ownClose = async (): Promise<void> => {
      open.delete(connection);
      await channel.close?.();
    };
    const connection = createRpcConnection(endpoint, { ...channel, close: ownClose }, () => openChannel(url));
    open.add(connection);
    return connection;
  };
  return {
    name,
    capabilities: Object.freeze({ ...capabilities }),
    openChunkStore: (endpoint) => createRpcChunkStore(connect(endpoint), capabilities.clientStreaming),
    openGateway(endpoint) {
      const connection = connect(endpoint);
      return {
        catalog: createRpcCatalog(connection),
        grants: createRpcGrantSource(connection),
        accessTokens: createRpcAccessTokenSource(connection),
        chunks: createRpcChunkStore(connection, capabilities.clientStreaming),
        cluster: lazyNodeRegistry(async () => (await import("./rpc-registry.ts")).openRpcNodeRegistry(connection)),
        close: () => connection.close(),
      };
    },
    async close() {
      closed = true;
      await Promise.all([...open].map((connection) => connection.close()));
    },
  };
}
