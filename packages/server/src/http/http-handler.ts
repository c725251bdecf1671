import type { UniversalServerRequest } from "@connectrpc/connect/protocol";
import type { Exchange } from "./exchange/exchange.ts";
import type { StreamedBody } from "./piece.ts";

/**
 * One HTTP request, free of any server library. A superset of Connect's universal request, so that RPC handlers take it as it is.
 */
export interface HttpRequest extends Omit<UniversalServerRequest, "body"> {
  /** Path as the client sent it, still percent-encoded and never normalised: `..` and empty segments are object key characters. */
  readonly path: string;
  /** Query string without the question mark; empty if there is none. */
  readonly query: string;
  /** The body in order, to be read once; may be left unread. The reader may keep the slices. Throws CANCELED if the client goes away. */
  readonly body: AsyncIterable<Uint8Array>;
  /** Identifies the request in logs and answers. */
  readonly requestId: string;
  /** The route that answers it, once it was looked up. */
  readonly route?: ResolvedRoute | undefined;
  /** What carries the request; absent where a handler is called without a server. */
  readonly exchange?: Exchange | undefined;
}

/** One HTTP answer. */
export interface HttpResponse {
  readonly status: number;
  readonly header?: Headers | undefined;
  /**
   * Written with backpressure; its iterator is returned when the client goes away. A `Uint8Array` goes out with a content-length, and the pieces of a
   * file range are given back as soon as they are written.
   */
  readonly body?: StreamedBody | Uint8Array | undefined;
  readonly trailer?: Headers | undefined;
}

/** Answers one request. Errors that it throws become problem+json where the composed handler catches them. */
export type HttpHandler = (request: HttpRequest) => Promise<HttpResponse>;

/** What a router knows about where a request goes. */
export interface RouteInfo {
  /** Bounded in number: a label of metrics. */
  readonly route: string;
  readonly kind: "rpc" | "http";
}

/** The handler of a request, and what has to be known about it before it runs. */
export interface ResolvedRoute extends RouteInfo {
  /** The most of a request's body that `answer` holds at once, in bytes. */
  readonly heldMaxBytes: number;
  readonly answer: HttpHandler;
}
