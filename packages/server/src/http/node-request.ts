import type { IncomingHttpHeaders, IncomingMessage } from "node:http";
import type { Http2ServerRequest, ServerHttp2Stream } from "node:http2";
import { AshlarError } from "@ashlar/sdk/errors";
import type { HttpRequest } from "./http-handler.ts";

/** A request of Node's HTTP/1.1 or HTTP/2 server. */
export type NodeRequest = IncomingMessage | Http2ServerRequest;

/** What is known of a request before its body. */
export type RequestHead = Pick<
  HttpRequest,
  "httpVersion" | "method" | "url" | "path" | "query" | "header" | "requestId"
>;

const AUTHORITY = /^[A-Za-z0-9._~:[\]-]+$/;

/** Method, target and headers of a Node request. The request id is empty until somebody gives it one. */
export function requestHead(request: NodeRequest): RequestHead {
  const encrypted = "encrypted" in request.socket && request.socket.encrypted === true;
  const named = "authority" in request ? request.authority || request.headers.host : request.headers.host;
  const authority = named !== undefined && AUTHORITY.test(named) ? named : "localhost";
  const target = originForm(request.url ?? "/");
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

/** A request target without scheme and authority, which proxies may send (RFC 9112 §3.2.2). */
function originForm(target: string): string {
  if (target.startsWith("/")) return target;
  const absolute = /^https?:\/\/[^/?]*(.*)$/i.exec(target)?.[1];
  if (absolute === undefined) return `/${target}`;
  return absolute.startsWith("/") ? absolute : `/${absolute}`;
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
 * @param onRead called when the body is asked for the first time.
 */
export function readBody(request: NodeRequest, onRead: () => void): AsyncIterable<Uint8Array> {
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
          try {
            next = await inner.next();
          } catch (error) {
            throw clientWentAway(error);
          }
          if (next.done !== true) return next;
          if ("stream" in request && (await wasReset(request.stream))) throw clientWentAway(undefined);
          return { done: true, value: undefined };
        },
        async return() {
          // Not awaited: a generator that waits for the network would not answer.
          inner?.return?.().then(undefined, () => {});
          return { done: true, value: undefined };
        },
      };
    },
  };
}

/**
 * Whether the client reset a stream right after its end. Node's own HTTP/2 client (and with it grpc-js and connect-node) aborts a request by ending
 * its body in order and resetting the stream behind it, so that an aborted upload would be taken for a short one.
 */
async function wasReset(stream: Pick<ServerHttp2Stream, "closed">): Promise<boolean> {
  // Both frames travel together; the second is seen in the next turn of the event loop at the latest.
  for (let turn = 0; turn < 2 && !stream.closed; turn++) await new Promise((resolve) => setImmediate(resolve));
  return stream.closed;
}

function clientWentAway(cause: unknown): AshlarError {
  return new AshlarError("CANCELED", "the client went away before the end of the body", { cause });
}
