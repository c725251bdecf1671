import { AshlarError } from "../errors/index.ts";
import { checkedUrl } from "../internal/checked-url.ts";
import type { Endpoint, Transport, TransportCapabilities } from "../ports/index.ts";
import { checkOptions } from "../ports/options.ts";
import { createFetchExchange } from "./fetch-exchange.ts";
import { createHttpAccessTokenSource, createHttpCatalog, createHttpGrantSource } from "./http-catalog.ts";
import { createHttpChunkStore } from "./http-chunk-store.ts";
import { createHttpConnection, type HttpConnection } from "./http-connection.ts";
import type { HttpExchange } from "./http-exchange.ts";
import { lazyNodeRegistry } from "./lazy-registry.ts";
import { canWatchUploads, watchingFetch } from "./upload-watch.ts";

export type { HttpExchange, HttpRequest, HttpResponse } from "./http-exchange.ts";

/** How {@link createHttpTransport} builds a transport from an HTTP client. */
export interface HttpTransportParts {
  readonly name: string;
  readonly capabilities: TransportCapabilities;
  readonly exchange: HttpExchange;
  /** For the call that asks a silent server for a sign of life; needed if calls of `exchange` wait for each other. Default: `exchange`. */
  readonly probeExchange?: HttpExchange | undefined;
  /** Closes the client's idle connections. */
  readonly close?: (() => Promise<void>) | undefined;
}

/**
 * A transport over any HTTP client: the bytes of chunks over the plain `/chunks` paths, everything else as Connect's unary JSON. No protobuf. Never
 * `/objects`, the plain HTTP for whole objects: that is for curl and other programs without the SDK.
 */
export function createHttpTransport(parts: HttpTransportParts): Transport {
  const { name, capabilities, exchange, probeExchange = exchange, close } = parts;
  let closed = false;
  const whileOpen =
    (send: HttpExchange): HttpExchange =>
    (request) => {
      if (closed) throw new AshlarError("STORE_CLOSED", `the ${name} transport is closed`);
      return send(request);
    };
  const connect = (endpoint: Endpoint): HttpConnection =>
    createHttpConnection({ ...endpoint, url: checkedUrl(endpoint.url) }, whileOpen(exchange), whileOpen(probeExchange));
  return {
    name,
    capabilities: Object.freeze(capabilities),
    openChunkStore: (endpoint) => createHttpChunkStore(connect(endpoint)),
    openGateway(endpoint) {
      const connection = connect(endpoint);
      return {
        catalog: createHttpCatalog(connection),
        grants: createHttpGrantSource(connection),
        accessTokens: createHttpAccessTokenSource(connection),
        chunks: createHttpChunkStore(connection),
        cluster: lazyNodeRegistry(async () => (await import("./http-registry.ts")).openHttpNodeRegistry(connection)),
        close: () => connection.close(),
      };
    },
    async close() {
      closed = true;
      await close?.();
    },
  };
}

/** Options of {@link httpTransport}. */
export interface HttpTransportOptions {
  /** Default: the global one, and in browsers XMLHttpRequest for uploads with progress. */
  readonly fetch?: typeof globalThis.fetch | undefined;
}

/**
 * Chunks over plain HTTP (`/chunks`), everything else as Connect JSON, over fetch: the smallest transport, for browsers and everywhere else. In Node
 * `undiciTransport` of the adapters is faster. The SDK never uses `/objects`, the plain HTTP that curl uses.
 */
export function httpTransport(options: HttpTransportOptions = {}): Transport {
  checkOptions(options, {});
  const { fetch } = options;
  const overFetch = createFetchExchange(fetch);
  const uploadProgress = canWatchUploads(fetch);
  return createHttpTransport({
    name: "http",
    capabilities: { clientStreaming: false, browser: true, uploadProgress },
    exchange: async (request) =>
      uploadProgress && request.onUploadProgress
        ? createFetchExchange(await watchingFetch(request.onUploadProgress))(request)
        : overFetch(request),
  });
}
