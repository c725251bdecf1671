import type { Transport as RpcTransport } from "@connectrpc/connect";
import type { Transport } from "../ports/index.ts";
import { checkOptions } from "../ports/options.ts";
import { foreignAnswer } from "./foreign-server.ts";
import { createRpcTransport } from "./rpc.ts";
import { canWatchUploads, watchingFetch } from "./upload-watch.ts";

/** Options of the transports over fetch. */
export interface FetchTransportOptions {
  /** Default: the global one, and in browsers XMLHttpRequest for uploads with progress. */
  readonly fetch?: typeof globalThis.fetch | undefined;
}

/** Options of Connect-Web's transports. Their default, JSON, would send bytes as base64. */
interface WebTransportOptions {
  baseUrl: string;
  useBinaryFormat: true;
  fetch: typeof globalThis.fetch;
}

/** A transport over one of Connect-Web's protocols. In browsers, uploads with progress use a `fetch` that can report it. */
export function createWebTransport(
  name: string,
  options: FetchTransportOptions,
  open: (options: WebTransportOptions) => RpcTransport,
): Transport {
  checkOptions(options, {});
  const { fetch } = options;
  const uploadProgress = canWatchUploads(fetch);
  return createRpcTransport({
    name,
    capabilities: { clientStreaming: false, browser: true, uploadProgress },
    openChannel(baseUrl) {
      const over = (own: typeof fetch): RpcTransport =>
        open({ baseUrl, useBinaryFormat: true, fetch: ownAnswers(own, baseUrl) });
      const transport = over(fetch);
      if (!uploadProgress) return { transport };
      return { transport, watched: async (onProgress) => over(await watchingFetch(onProgress)) };
    },
  });
}

/** A `fetch` that returns answers of our servers only. Connect would accept any answer that looks like its own protocol. */
function ownAnswers(fetch: typeof globalThis.fetch | undefined, baseUrl: string): typeof globalThis.fetch {
  return async (url, init) => {
    const response = await (fetch ?? globalThis.fetch)(url, { ...init, redirect: "manual" });
    const { status, headers } = response;
    const foreign = foreignAnswer({ status, header: (name) => headers.get(name) }, baseUrl);
    if (foreign !== undefined) throw foreign;
    return response;
  };
}
