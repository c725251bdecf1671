import { createConnectTransport } from "@connectrpc/connect-web";
import type { Transport } from "../ports/index.ts";
import { createRpcTransport } from "./rpc.ts";

/** Options of the transports over fetch. */
export interface FetchTransportOptions {
  /** Default: the global one. */
  readonly fetch?: typeof globalThis.fetch | undefined;
}

/**
 * The Connect protocol over fetch, in binary: for browsers and edge runtimes; in Node it works too, others are faster.
 *
 * fetch cannot stream to a server, so a chunk is one message and its upload reports progress once.
 */
export function connectTransport(options: FetchTransportOptions = {}): Transport {
  return createRpcTransport({
    name: "connect",
    capabilities: { clientStreaming: false, browser: true, uploadProgress: false },
    openChannel: (baseUrl) => ({
      // The default, JSON, would carry bytes as base64.
      transport: createConnectTransport({ baseUrl, useBinaryFormat: true, ...fetchOption(options) }),
    }),
  });
}

function fetchOption({ fetch }: FetchTransportOptions): { fetch?: typeof globalThis.fetch } {
  return fetch === undefined ? {} : { fetch };
}
