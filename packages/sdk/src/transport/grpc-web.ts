import { createGrpcWebTransport } from "@connectrpc/connect-web";
import type { Transport } from "../ports/index.ts";
import { createWebTransport, type FetchTransportOptions } from "./web.ts";

/**
 * gRPC-Web over fetch, in binary: for browsers behind proxies that know gRPC-Web.
 *
 * fetch cannot stream to a server, so a chunk is one message. In browsers its upload reports progress within the chunk, elsewhere once.
 */
export function grpcWebTransport(options: FetchTransportOptions = {}): Transport {
  return createWebTransport("grpc-web", options, createGrpcWebTransport);
}
