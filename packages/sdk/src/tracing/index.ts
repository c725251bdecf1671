// For users.
export { type TracedOptions, traced } from "./traced.ts";
// For authors of tracers and servers.
export { type TracedChunkStoreOptions, tracedChunkStore } from "./traced-chunk-store.ts";
export { type CallDescription, type TracedPortOptions, tracedPort } from "./traced-port.ts";
export { tracedTransport } from "./traced-transport.ts";
export { formatTraceParent, parseTraceParent, type TraceParent } from "./traceparent.ts";
