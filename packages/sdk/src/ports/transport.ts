import type { AccessTokenSource } from "./access-token.ts";
import type { ChunkStore } from "./chunk-store.ts";
import type { GrantSource } from "./grant-source.ts";
import type { Catalog } from "./metadata-store.ts";
import type { NodeRegistry } from "./nodes.ts";

/** What a transport can do; frozen. The table in the docs is generated from it. */
export interface TransportCapabilities {
  /** Client streaming works (browsers lack it); without it, bodies travel in unary steps. */
  readonly clientStreaming: boolean;
  /** Runs in browsers. */
  readonly browser: boolean;
  /** Reports progress within a chunk while uploading; without it, once per acknowledged chunk. */
  readonly uploadProgress: boolean;
}

/** Where a server is and how to be let in. */
export interface Endpoint {
  /** Base URL, `http://host:port` or `https://…`. */
  readonly url: string;
  /** Value of the `authorization` header for each call (asked each time, so that it may be renewed); none where absent. */
  readonly authorization?: (() => string | undefined | Promise<string | undefined>) | undefined;
  /** Further headers of each call, asked at its start: what carries a trace to the server, for one. Lower-case names. */
  readonly headers?: (() => Readonly<Record<string, string>>) | undefined;
  /** Name of the server in its cluster, where it has one; for traces and messages. */
  readonly nodeId?: string | undefined;
  /** Largest chunk in bytes that the server takes, where it is known; default CHUNK_MAX_BYTES, and the server refuses what it does not take. */
  readonly chunkMaxBytes?: number | undefined;
}

/** A gateway as seen through a transport. */
export interface GatewayConnection {
  /** Metadata: commit, locate, list, uploads. */
  readonly catalog: Catalog;
  /** Tickets for commits and grants for chunk stores. */
  readonly grants: GrantSource;
  /** Access tokens for those who must hold no API key. */
  readonly accessTokens: AccessTokenSource;
  /** The gateway's own chunk API, which passes chunks on to the nodes of their placement (gateway seat). */
  readonly chunks: ChunkStore;
  /** Layout, servers, registration. */
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
