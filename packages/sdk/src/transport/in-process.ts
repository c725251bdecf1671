import { type ConnectRouter, createConnectRouter, type Transport as RpcTransport } from "@connectrpc/connect";
import { createUniversalHandlerClient, type UniversalClientFn } from "@connectrpc/connect/protocol";
import { createTransport } from "@connectrpc/connect/protocol-connect";
import { AshlarError } from "../errors/index.ts";
import { LIMITS } from "../limits.ts";
import type { Transport } from "../ports/index.ts";
import { checkOptions } from "../ports/options.ts";
import { createHandlerClient, type FetchHandler } from "./handler-client.ts";
import { createRpcTransport } from "./rpc.ts";

export type { FetchHandler } from "./handler-client.ts";

/** Options of {@link inProcessTransport}: the servers, as route registrations or as one fetch-style handler. */
export type InProcessTransportOptions =
  | {
      /**
       * Registers the RPCs of the server at `url`, as its own listener would. Asked once for each endpoint that is opened; where there is
       * one server, the URL says nothing. These are Connect's routes, for services of one's own or parts of a server in tests; a whole gateway
       * or storage node comes in by `fetch` instead.
       */
      readonly routes: (router: ConnectRouter, url: string) => void;
      /** Largest message that a handler takes in bytes unless it says so itself; default CHUNK_MAX_BYTES_DEFAULT and room for the other fields. */
      readonly readMaxBytes?: number | undefined;
    }
  | {
      /** A whole server, such as `createGateway(options).fetch`, with its access control and limits; the request's URL says which one. */
      readonly fetch: FetchHandler;
    };

const ENVELOPE_BYTES = 1024;

/** Servers called without a socket: same serialisation, errors and limits as on the wire. For tests, and for seats in one process. */
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
