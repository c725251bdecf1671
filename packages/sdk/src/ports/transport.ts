import type { AccessTokenSource } from "./access-token.ts";
import type { ChunkStore } from "./chunk-store.ts";
import type { GrantSource } from "./grant-source.ts";
import type { Catalog } from "./metadata-store.ts";
import type { NodeRegistry } from "./nodes.ts";

/** What a transport can do; frozen. The table in the docs is generated from it. */
export interface TransportCapabilities {
  /** Client streaming works (browsers lack it); without it, a body is sent in several single messages. */
  readonly clientStreaming: boolean;
  /** Runs in browsers. */
  readonly browser: boolean;
  /** Reports progress within a chunk while uploading; otherwise once per acknowledged chunk. */
  readonly uploadProgress: boolean;
}

/** Where a server is and how to authenticate to it. */
export interface Endpoint {
  /** Base URL, `http://host:port` or `https://…`. */
  readonly url: string;
  /**
   * Returns the `authorization` header of a call. It is called before each call, so the value may change. Absent: no such header.
   *
   * @param refused set if the server has just refused this value as UNAUTHENTICATED. If the function returns another value then, the call is made
   *   once more with that.
   */
  readonly authorization?: ((refused?: string) => string | undefined | Promise<string | undefined>) | undefined;
  /** Returns further headers of a call, such as those of a trace. It is called at the start of each call. Lower-case names. */
  readonly headers?: (() => Readonly<Record<string, string>>) | undefined;
  /** The node's id, where the server is a node; for traces and messages. */
  readonly nodeId?: string | undefined;
  /** Largest chunk in bytes that the server takes, if known. Default CHUNK_MAX_BYTES: the server then refuses larger chunks itself. */
  readonly chunkMaxBytes?: number | undefined;
}

/** A gateway as seen through a transport. */
export interface GatewayConnection {
  /** Metadata: commit, locate, list, uploads. */
  readonly catalog: Catalog;
  /** Tickets for commits and grants for chunk stores. */
  readonly grants: GrantSource;
  /** Access tokens for clients that must hold no API key. */
  readonly accessTokens: AccessTokenSource;
  /** The gateway's own chunk API, which passes chunks on to the nodes of their placement (gateway seat). */
  readonly chunks: ChunkStore;
  /** Layout, nodes, registration. */
  readonly cluster: NodeRegistry;
  close(): Promise<void>;
}

/** How servers are reached. Same semantics, typed errors and progress on all transports. */
export interface Transport {
  /** `http`, `connect`, `grpc-web`, `grpc`, `grpc-js`, `in-process`. */
  readonly name: string;
  readonly capabilities: TransportCapabilities;
  /** A storage node as a chunk store. Opens no connection before the first call. */
  openChunkStore(endpoint: Endpoint): ChunkStore;
  openGateway(endpoint: Endpoint): GatewayConnection;
  /** Closes idle connections and refuses further calls. */
  close(): Promise<void>;
}
