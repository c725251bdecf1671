import { AshlarError } from "@ashlar/sdk/errors";
import { HTTP_LIMITS } from "./bounds/http-limits.ts";
import type { Exchange, ExchangeEnd } from "./exchange/exchange.ts";
import { createInterrupt, type Interrupt } from "./exchange/interrupt.ts";
import { dropBody } from "./exchange/nodejs-response.ts";
import type { HttpHandler, HttpResponse } from "./http-handler.ts";
import { bytesOf, isFileRange } from "./piece.ts";

/** Answers a standard `Request`, as any fetch-style server (Deno, Bun, Hono, a test) calls it. */
export type FetchHandler = (request: Request) => Promise<Response>;

/**
 * Serves a handler without a port of its own.
 *
 * gRPC needs HTTP trailers, which a `Response` cannot carry: use gRPC-Web, Connect or plain HTTP here. Paths are normalised by `Request`
 * before we see them, so object keys with `..` segments must be percent-encoded. It is not known here whom a request comes from: the server around
 * the handler has to bound addresses, connections and slow uploads.
 */
export function toFetchHandler(handler: HttpHandler): FetchHandler {
  return async (request) => {
    const { pathname, search } = new URL(request.url);
    const { exchange, reading, end } = fetchExchange(request.signal);
    let response: HttpResponse;
    try {
      response = await handler({
        httpVersion: "2.0",
        method: request.method,
        url: request.url,
        path: pathname,
        query: search.slice(1),
        header: request.headers,
        body: request.body === null ? EMPTY : readStream(request.body, reading),
        signal: request.signal,
        requestId: "",
        exchange,
      });
    } catch (error) {
      end("cut");
      throw error;
    }
    const { body, status } = response;
    const init = { status, headers: response.header ?? new Headers() };
    if (body === undefined || body instanceof Uint8Array || isBodiless(request.method, status)) {
      dropBody(response);
      end("sent");
      const bytes = body instanceof Uint8Array && status !== 204 && status !== 304 ? body : null;
      return new Response(bytes as Uint8Array<ArrayBuffer> | null, init);
    }
    const slices = isFileRange(body) ? bytesOf(body.pieces) : body;
    return new Response(toStream(slices, request.signal, end), init);
  };
}

function isBodiless(method: string, status: number): boolean {
  return method === "HEAD" || status === 204 || status === 304;
}

function fetchExchange(signal: AbortSignal): {
  exchange: Exchange;
  reading: Interrupt;
  end: (how: ExchangeEnd) => void;
} {
  const reading = createInterrupt();
  let end: (how: ExchangeEnd) => void = () => {};
  const ended = new Promise<ExchangeEnd>((resolve) => {
    end = resolve;
  });
  if (signal.aborted) end("cut");
  else signal.addEventListener("abort", () => end("cut"), { once: true });
  const nothing = (): void => {};
  const told = { trust: nothing, markUnauthenticated: nothing, stayOpen: nothing, giveWay: nothing };
  const exchange = { peer: undefined, ended, ...told, mayGiveWay: () => false, refuseBody: reading.strike };
  return { exchange, reading, end };
}

const EMPTY: AsyncIterable<Uint8Array> = {
  async *[Symbol.asyncIterator]() {
    // no bytes
  },
};

async function* readStream(
  stream: ReadableStream<Uint8Array>,
  reading: Interrupt,
): AsyncGenerator<Uint8Array, void, undefined> {
  const reader = stream.getReader();
  let ended = false;
  try {
    for (;;) {
      const { done, value } = await reading.wait(reader.read());
      if (done) break;
      yield value;
    }
    ended = true;
  } catch (error) {
    if (AshlarError.is(error)) throw error;
    throw new AshlarError("CANCELED", "the client went away before the end of the body", { cause: error });
  } finally {
    if (!ended) reader.cancel().then(undefined, () => {});
  }
}

/** The body of an answer as a stream. Calls `end` when it was read, canceled or aborted, failed, or was not read for ANSWER_WINDOW_MS. */
function toStream(
  body: AsyncIterable<Uint8Array>,
  signal: AbortSignal,
  end: (how: ExchangeEnd) => void,
): ReadableStream<Uint8Array> {
  const iterator = body[Symbol.asyncIterator]();
  let timer: ReturnType<typeof setTimeout> | undefined;
  let fail: (error: Error) => void = () => {};
  const stop = (how: ExchangeEnd): void => {
    clearTimeout(timer);
    signal.removeEventListener("abort", onAbort);
    end(how);
    // Not awaited: an iterator that waits for something would not answer.
    iterator.return?.().then(undefined, () => {});
  };
  const cut = (why: string): void => {
    stop("cut");
    fail(new AshlarError("CANCELED", why));
  };
  const onAbort = (): void => cut("the client went away");
  const watch = (): void => {
    clearTimeout(timer);
    timer = setTimeout(() => cut("nobody read the answer"), HTTP_LIMITS.ANSWER_WINDOW_MS.value);
    (timer as { unref?: () => void }).unref?.();
  };
  signal.addEventListener("abort", onAbort, { once: true });
  return new ReadableStream<Uint8Array>({
    start(controller) {
      fail = (error) => controller.error(error);
      watch();
      if (signal.aborted) onAbort();
    },
    async pull(controller) {
      clearTimeout(timer);
      let next: IteratorResult<Uint8Array>;
      try {
        next = await iterator.next();
      } catch (error) {
        stop("cut");
        throw error;
      }
      if (signal.aborted) return;
      if (next.done === true) {
        stop("sent");
        controller.close();
        return;
      }
      controller.enqueue(next.value);
      watch();
    },
    cancel: () => stop("cut"),
  });
}
