import { AshlarError } from "@ashlar/sdk/errors";
import type { HttpHandler } from "./http-handler.ts";

/** Answers a standard `Request`, as any fetch-style server (Deno, Bun, Hono, a test) calls it. */
export type FetchHandler = (request: Request) => Promise<Response>;

/**
 * Serves a handler without a port of its own.
 *
 * gRPC needs HTTP trailers, which a `Response` cannot carry: use gRPC-Web, Connect or plain HTTP here. Paths are normalised by `Request`
 * before we see them, so object keys with `..` segments must be percent-encoded.
 */
export function toFetchHandler(handler: HttpHandler): FetchHandler {
  return async (request) => {
    const { pathname, search } = new URL(request.url);
    const response = await handler({
      httpVersion: "2.0",
      method: request.method,
      url: request.url,
      path: pathname,
      query: search.slice(1),
      header: request.headers,
      body: request.body === null ? EMPTY : readStream(request.body),
      signal: request.signal,
      requestId: "",
    });
    const { body, status } = response;
    const init = { status, headers: response.header ?? new Headers() };
    if (body === undefined || status === 204 || status === 304) return new Response(null, init);
    return new Response(body instanceof Uint8Array ? (body as Uint8Array<ArrayBuffer>) : toStream(body), init);
  };
}

const EMPTY: AsyncIterable<Uint8Array> = {
  async *[Symbol.asyncIterator]() {
    // no bytes
  },
};

async function* readStream(stream: ReadableStream<Uint8Array>): AsyncGenerator<Uint8Array, void, undefined> {
  const reader = stream.getReader();
  let ended = false;
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      yield value;
    }
    ended = true;
  } catch (error) {
    throw new AshlarError("CANCELED", "the client went away before the end of the body", { cause: error });
  } finally {
    if (!ended) reader.cancel().then(undefined, () => {});
  }
}

function toStream(body: AsyncIterable<Uint8Array>): ReadableStream<Uint8Array> {
  const iterator = body[Symbol.asyncIterator]();
  return new ReadableStream<Uint8Array>({
    async pull(controller) {
      const next = await iterator.next();
      if (next.done === true) controller.close();
      else controller.enqueue(next.value);
    },
    async cancel() {
      await iterator.return?.();
    },
  });
}
