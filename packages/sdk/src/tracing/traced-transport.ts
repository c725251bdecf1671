import { guardedTracer } from "../ports/guarded-tracer.ts";
import type { Endpoint, SpanAttributes, Tracer, Transport } from "../ports/index.ts";
import { tracedChunkStore } from "./traced-chunk-store.ts";
import { tracedPort } from "./traced-port.ts";

/**
 * A transport with a `client` span for each call. Calls carry the trace to the server in the header `traceparent`.
 *
 * Spans are named `chunks.*`, `catalog.*`, `grants.*` and `cluster.*`. In a browser, a server of another origin must allow the header; Ashlar's
 * servers do.
 */
export function tracedTransport(transport: Transport, given: Tracer): Transport {
  const tracer = guardedTracer(given);
  const carrying = (endpoint: Endpoint): Endpoint => ({
    ...endpoint,
    headers: () => ({ ...endpoint.headers?.(), ...tracer.headers() }),
  });
  return {
    name: transport.name,
    capabilities: transport.capabilities,
    openChunkStore: (endpoint) =>
      tracedChunkStore(transport.openChunkStore(carrying(endpoint)), {
        tracer,
        prefix: "chunks",
        kind: "client",
        attributes: attributesOf(transport, endpoint),
      }),
    openGateway(endpoint) {
      const connection = transport.openGateway(carrying(endpoint));
      const options = { tracer, kind: "client" as const, attributes: attributesOf(transport, endpoint) };
      return {
        ...connection,
        catalog: tracedPort(connection.catalog, { ...options, prefix: "catalog" }),
        grants: tracedPort(connection.grants, { ...options, prefix: "grants" }),
        chunks: tracedChunkStore(connection.chunks, { ...options, prefix: "chunks" }),
        cluster: tracedPort(connection.cluster, { ...options, prefix: "cluster" }),
      };
    },
    close: () => transport.close(),
  };
}

function attributesOf({ name }: Transport, { url, nodeId }: Endpoint): SpanAttributes {
  const { hostname, port, protocol } = new URL(url);
  return {
    "ashlar.transport": name,
    "ashlar.node.id": nodeId,
    "server.address": hostname,
    "server.port": Number(port) || (protocol === "https:" ? 443 : 80),
  };
}
