import type { IncomingHttpHeaders } from "node:http";
import { AshlarError } from "@ashlar/sdk/errors";
import type { HttpRequest } from "../http-handler.ts";
import { wasReset } from "./body-end.ts";
import { type NodejsRequest, parseTarget } from "./request-target.ts";
import type { ServedExchange } from "./served-exchange.ts";

/** What is known of a request before its body. */
export type RequestHead = Pick<
  HttpRequest,
  "httpVersion" | "method" | "url" | "path" | "query" | "header" | "requestId"
>;

/**
 * Method, target and headers of a Node request. The request id is empty until somebody gives it one.
 *
 * @throws {AshlarError} INVALID_ARGUMENT for a host or target that no client may send.
 */
export function requestHead(request: NodejsRequest): RequestHead {
  const encrypted = "encrypted" in request.socket && request.socket.encrypted === true;
  const { authority, target } = parseTarget(request);
  const mark = target.indexOf("?");
  return {
    httpVersion: request.httpVersion,
    method: request.method ?? "GET",
    url: `${encrypted ? "https" : "http"}://${authority}${target}`,
    path: mark < 0 ? target : target.slice(0, mark),
    query: mark < 0 ? "" : target.slice(mark + 1),
    header: webHeaders(request.headers),
    requestId: "",
  };
}

function webHeaders(headers: IncomingHttpHeaders): Headers {
  const result = new Headers();
  for (const name in headers) {
    const value = headers[name];
    if (value === undefined || name.startsWith(":")) continue;
    if (typeof value === "string") result.set(name, value);
    else for (const item of value) result.append(name, item);
  }
  return result;
}

/**
 * A request body as an async iterable that may be left early without hurting the connection, so that an early answer still gets through.
 *
 * @param exchange ends a wait for the client when the exchange ends, and measures the client's pace.
 * @param onRead called when the body is asked for the first time.
 */
export function readBody(
  request: NodejsRequest,
  { reading, readPace }: Pick<ServedExchange, "reading" | "readPace">,
  onRead: () => void,
): AsyncIterable<Uint8Array> {
  return {
    [Symbol.asyncIterator](): AsyncIterator<Uint8Array, undefined> {
      let inner: AsyncIterator<Uint8Array> | undefined;
      return {
        async next() {
          if (inner === undefined) {
            onRead();
            inner = request.iterator({ destroyOnReturn: false })[Symbol.asyncIterator]() as AsyncIterator<Uint8Array>;
          }
          let next: IteratorResult<Uint8Array>;
          readPace.begin();
          try {
            next = await reading.wait(inner.next());
          } catch (error) {
            readPace.close();
            throw AshlarError.is(error) ? error : clientWentAway(error);
          }
          if (next.done !== true) {
            readPace.end(next.value.byteLength);
            return next;
          }
          readPace.close();
          if ("stream" in request && (await wasReset(request.stream))) throw clientWentAway(undefined);
          return { done: true, value: undefined };
        },
        async return() {
          readPace.close();
          // Not awaited: a generator that waits for the network would not answer.
          inner?.return?.().then(undefined, () => {});
          return { done: true, value: undefined };
        },
      };
    },
  };
}

function clientWentAway(cause: unknown): AshlarError {
  return new AshlarError("CANCELED", "the client went away before the end of the body", { cause });
}
