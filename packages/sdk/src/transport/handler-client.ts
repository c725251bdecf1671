import type { UniversalClientFn } from "@connectrpc/connect/protocol";
import { slicesOf } from "./stream-slices.ts";

/** A server as a function, such as `createGateway().fetch` or any fetch-style server. */
export type FetchHandler = (request: Request) => Promise<Response>;

/** An HTTP client for Connect's protocols that calls a handler in this process instead of the network; streams flow both ways. */
export function createHandlerClient(handler: FetchHandler): UniversalClientFn {
  return async ({ url, method, header, signal, body }) => {
    // A request with a stream as its body needs "half"; the types of lib.dom lack it.
    const init: RequestInit & { readonly duplex: "half" } = { method, headers: header, duplex: "half" };
    if (signal !== undefined) init.signal = signal;
    if (body !== undefined) init.body = streamOf(body);
    const response = await handler(new Request(url, init));
    return { status: response.status, header: response.headers, body: slicesOf(response.body), trailer: new Headers() };
  };
}

function streamOf(body: AsyncIterable<Uint8Array>): ReadableStream<Uint8Array<ArrayBuffer>> {
  const iterator = body[Symbol.asyncIterator]();
  return new ReadableStream({
    async pull(controller) {
      const next = await iterator.next();
      if (next.done === true) controller.close();
      else controller.enqueue(next.value as Uint8Array<ArrayBuffer>);
    },
    async cancel() {
      await iterator.return?.();
    },
  });
}
