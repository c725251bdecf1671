import { grpcTransport } from "@ashlar/adapters/transport/grpc";
import { grpcJsTransport } from "@ashlar/adapters/transport/grpc-js";
import { undiciTransport } from "@ashlar/adapters/transport/undici";
import type { Transport } from "@ashlar/sdk/ports";
import { connectTransport } from "@ashlar/sdk/transport/connect";
import { grpcWebTransport } from "@ashlar/sdk/transport/grpc-web";
import { httpTransport } from "@ashlar/sdk/transport/http";
import { inProcessTransport } from "@ashlar/sdk/transport/in-process";

/** How a test reaches servers; `fetch` and `undici` are the two forms of the `http` transport. */
export type TransportName = "fetch" | "undici" | "connect" | "grpc-web" | "grpc" | "grpc-js" | "in-process";

/** @param servers answers requests without a socket; for `in-process`. */
export function openTransport(name: TransportName, servers: { fetch(request: Request): Promise<Response> }): Transport {
  switch (name) {
    case "fetch":
      return httpTransport();
    case "undici":
      return undiciTransport();
    case "connect":
      return connectTransport();
    case "grpc-web":
      return grpcWebTransport();
    case "grpc":
      return grpcTransport();
    case "grpc-js":
      return grpcJsTransport();
    case "in-process":
      return inProcessTransport({ fetch: (request) => servers.fetch(request) });
  }
}
