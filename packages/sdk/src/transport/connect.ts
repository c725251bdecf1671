import { createConnectTransport } from "@connectrpc/connect-web";
import type { Transport } from "../ports/index.ts";
import { createWebTransport, type FetchTransportOptions } from "./web.ts";

export type { FetchTransportOptions } from "./web.ts";

/**
 * The Connect protocol over fetch, in binary: for browsers and edge runtimes; in Node it works too, others are faster.
 *
 * fetch cannot stream to a server, so a chunk is one message. Its upload reports progress within the chunk in browsers, once elsewhere.
 */
export function connectTransport(options: FetchTransportOptions = {}): Transport {
  return createWebTransport("connect", options, createConnectTransport);
}
