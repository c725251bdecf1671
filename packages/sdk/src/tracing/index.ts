// For users: `traced`. For authors of tracers and servers: the rest.
export { inSpan, type WorkSpan } from "./in-span.ts";
export { type TracedOptions, traced } from "./traced.ts";
export { type TracedChunkStoreOptions, tracedChunkStore } from "./traced-chunk-store.ts";
export { type CallDescription, type TracedPortOptions, tracedPort } from "./traced-port.ts";
export { tracedTransport } from "./traced-transport.ts";
export { formatTraceParent, parseTraceParent, type TraceParent } from "./traceparent.ts";
