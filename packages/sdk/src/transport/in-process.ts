import { type ConnectRouter, createConnectRouter, type Transport as RpcTransport } from "@connectrpc/connect";
import { createUniversalHandlerClient, type UniversalClientFn } from "@connectrpc/connect/protocol";
import { createTransport } from "@connectrpc/connect/protocol-connect";
import { AshlarError } from "../errors/index.ts";
import * as LIMITS from "../limit-values.ts";
import type { Transport } from "../ports/index.ts";
import { checkOptions } from "../ports/options.ts";
import { createHandlerClient, type FetchHandler } from "./handler-client.ts";
import { createRpcTransport } from "./rpc.ts";

export type { FetchHandler } from "./handler-client.ts";

/** Options of {@link inProcessTransport}: the servers, as route registrations or as one fetch-style handler. */
export type InProcessTransportOptions =
  | {
      /**
       * Registers the RPCs of the server at `url`, as its own listener would. Called once for each endpoint that is opened; if there is only
       * one server, ignore the URL. These are Connect's routes, for your own services or parts of a server in tests; for a whole gateway or
       * storage node use `fetch`.
       */
      readonly routes: (router: ConnectRouter, url: string) => void;
      /** Largest message in bytes that a handler takes, unless it sets its own limit; default CHUNK_MAX_BYTES_DEFAULT and room for other fields. */
      readonly readMaxBytes?: number | undefined;
    }
  | {
      /** A whole server, such as `createGateway(options).fetch`, with its access control and limits; the request's URL says which server. */
      readonly fetch: FetchHandler;
    };

const ENVELOPE_BYTES = 1024;

/** Calls servers without a socket, with the same serialisation, errors and limits as on the wire. For tests, and for seats in one process. */
export function inProcessTransport(options: InProcessTransportOptions): Transport {
  checkOptions(options, { routes: "function", readMaxBytes: "count" });
  if (!("fetch" in options || "routes" in options))
    throw new AshlarError("INVALID_ARGUMENT", "routes or fetch is given");
  return createRpcTransport({
    name: "in-process",
    capabilities: { clientStreaming: true, browser: true, uploadProgress: true },
    openChannel: (url) => ({ transport: connectOver(clientOf(options, url), url) }),
  });
}

function clientOf(options: InProcessTransportOptions, url: string): UniversalClientFn {
  if ("fetch" in options) return createHandlerClient(options.fetch);
  const router = createConnectRouter({
    acceptCompression: [],
    readMaxBytes: options.readMaxBytes ?? LIMITS.CHUNK_MAX_BYTES_DEFAULT + ENVELOPE_BYTES,
  });
  options.routes(router, url);
  return createUniversalHandlerClient(router.handlers);
}

function connectOver(httpClient: UniversalClientFn, baseUrl: string): RpcTransport {
  return createTransport({
    httpClient,
    baseUrl,
    useBinaryFormat: true,
    interceptors: [],
    acceptCompression: [],
    sendCompression: null,
    compressMinBytes: Number.MAX_SAFE_INTEGER,
    readMaxBytes: LIMITS.CONTROL_MESSAGE_MAX_BYTES,
    writeMaxBytes: LIMITS.CHUNK_MAX_BYTES + ENVELOPE_BYTES,
  });
}
