import { type ConnectRouter, createRouterTransport } from "@connectrpc/connect";
import { LIMITS } from "../limits.ts";
import type { Transport } from "../ports/index.ts";
import { createRpcTransport } from "./rpc.ts";

/** Options of {@link inProcessTransport}. */
export interface InProcessTransportOptions {
  /**
   * Registers the handlers of the server at `url`, as its own listener would. Asked once for each endpoint that is opened; one server may
   * ignore the URL.
   */
  readonly routes: (router: ConnectRouter, url: string) => void;
  /** Largest message that a handler takes in bytes; default CHUNK_MAX_BYTES_DEFAULT and room for the other fields. */
  readonly readMaxBytes?: number | undefined;
}

const ENVELOPE_BYTES = 1024;

/** Handlers called without a socket: same serialisation, errors and limits as on the wire. For tests, and for seats in one process. */
export function inProcessTransport({ routes, readMaxBytes }: InProcessTransportOptions): Transport {
  const handlerMaxBytes = readMaxBytes ?? LIMITS.CHUNK_MAX_BYTES_DEFAULT.value + ENVELOPE_BYTES;
  return createRpcTransport({
    name: "in-process",
    capabilities: { clientStreaming: true, browser: true, uploadProgress: true },
    openChannel: (url) => ({
      transport: createRouterTransport((router) => routes(router, url), {
        router: { acceptCompression: [], readMaxBytes: handlerMaxBytes },
        transport: {
          readMaxBytes: LIMITS.CONTROL_MESSAGE_MAX_BYTES.value,
          writeMaxBytes: LIMITS.CHUNK_MAX_BYTES.value + ENVELOPE_BYTES,
        },
      }),
    }),
  });
}
