import { createConnectTransport } from "@connectrpc/connect-web";
import type { Transport } from "../ports/index.ts";
import { createWebTransport, type FetchTransportOptions } from "./web.ts";

export type { FetchTransportOptions } from "./web.ts";

/**
 * The Connect protocol over fetch, in binary: for browsers and edge runtimes. It works in Node too, but other transports are faster there.
 *
 * fetch cannot stream to a server, so a chunk is one message. In browsers its upload reports progress within the chunk, elsewhere once.
 */
export function connectTransport(options: FetchTransportOptions = {}): Transport {
  return createWebTransport("connect", options, createConnectTransport);
}
