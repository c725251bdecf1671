import { createGrpcWebTransport } from "@connectrpc/connect-web";
import type { Transport } from "../ports/index.ts";
import type { FetchTransportOptions } from "./connect.ts";
import { createRpcTransport } from "./rpc.ts";

/**
 * gRPC-Web over fetch, in binary: for browsers behind proxies that know gRPC-Web.
 *
 * fetch cannot stream to a server, so a chunk is one message and its upload reports progress once.
 */
export function grpcWebTransport(options: FetchTransportOptions = {}): Transport {
  const { fetch } = options;
  return createRpcTransport({
    name: "grpc-web",
    capabilities: { clientStreaming: false, browser: true, uploadProgress: false },
    openChannel: (baseUrl) => ({
      transport: createGrpcWebTransport({ baseUrl, useBinaryFormat: true, ...(fetch === undefined ? {} : { fetch }) }),
    }),
  });
}
