import type { IncomingMessage, ServerResponse } from "node:http";
import { constants, type Http2ServerRequest } from "node:http2";
import { AshlarError } from "@ashlar/sdk/errors";
import type { Logger } from "@ashlar/sdk/ports";
import { HTTP_LIMITS } from "../bounds/http-limits.ts";
import { createSlotPool } from "../bounds/slot-pool.ts";
import type { HttpHandler, HttpRequest, HttpResponse } from "../http-handler.ts";
import { isHttp2, type NodejsResponse } from "./answer-end.ts";
import { earlyRefusal } from "./early-refusal.ts";
import type { Peer } from "./exchange.ts";
import { readBody, requestHead } from "./nodejs-request.ts";
import { dropBody, writeResponse } from "./nodejs-response.ts";
import type { NodejsRequest } from "./request-target.ts";
import { createServedExchange, type ExchangeTimes, type ServedExchange } from "./served-exchange.ts";

/** How a request is to be served. */
export interface ServeOptions {
  readonly peer: Peer;
  /** The client waits for a 100 before it sends the body. */
  readonly expectsContinue: boolean;
  /** Called whenever the caller shows that it may call. */
  readonly onTrust: () => void;
}

/** Serves Node's requests with an {@link HttpHandler}, and knows what is running. */
export interface NodejsExchange {
  serve(request: NodejsRequest, response: NodejsResponse, options: ServeOptions): ServedExchange;
  runningCount(): number;
  /** Ends calls that have been open for too long. */
  checkAges(): void;
  /** From now on HTTP/1.1 connections close after their answer. @returns whether everything finished within `graceMs`. */
  drain(graceMs: number): Promise<boolean>;
}

/** Options of {@link createNodejsExchange}. */
export interface NodejsExchangeOptions extends ExchangeTimes {
  /** Its own error handling is trusted; what it still throws before the headers ends as a bare 500. */
  readonly handler: HttpHandler;
  readonly logger: Logger;
}

/** Manages each exchange from its headers to its end, whatever handler and client do. */
export function createNodejsExchange(options: NodejsExchangeOptions): NodejsExchange {
  const running = new Map<NodejsResponse, ServedExchange>();
  const unauthenticatedAnswers = createSlotPool({
    max: HTTP_LIMITS.UNAUTHENTICATED_ANSWERS_MAX.value,
    alone: { address: HTTP_LIMITS.UNAUTHENTICATED_ANSWERS_PER_ADDRESS_MAX.value },
  });
  let draining = false;
  let onIdle: (() => void) | undefined;
  return {
    serve(nodejsRequest, nodejsResponse, { peer, expectsContinue, onTrust }) {
      const { clock, paces, idleTimeoutMs } = options;
      const stop = (): void => cut(nodejsResponse);
      const onUnauthenticated = (): void => {
        // Over HTTP/1.1 the kernel takes a whole refusal, and a connection has one at a time.
        if (!isHttp2(nodejsResponse)) return;
        const slot = unauthenticatedAnswers.take(peer);
        if (slot === undefined) stop();
        else void exchange.ended.then(slot.release);
      };
      const exchange = createServedExchange(nodejsResponse, {
        ...{ clock, paces, idleTimeoutMs, peer },
        ...{ onTrust, onUnauthenticated, cut: stop },
      });
      running.set(nodejsResponse, exchange);
      void exchange.ended.then(() => {
        running.delete(nodejsResponse);
        if (running.size === 0) onIdle?.();
      });
      if (draining) closeAfterAnswer(nodejsResponse);
      nodejsResponse.on("error", (error: Error) => options.logger.debug({ error }, "an answer could not be written"));
      // Without a listener an error of a half-read request would end the process; readBody reports it to the reader.
      nodejsRequest.on("error", () => {});
      let continued = !expectsContinue;
      const onRead = (): void => {
        if (continued) return;
        continued = true;
        nodejsResponse.writeContinue();
      };
      void answer(options, { nodejsRequest, nodejsResponse, exchange, onRead }).then(() => {
        if (!continued) closeAfterAnswer(nodejsResponse);
        discardRest(nodejsRequest, nodejsResponse);
      });
      return exchange;
    },
    runningCount: () => running.size,
    checkAges() {
      for (const exchange of running.values()) exchange.checkAge();
    },
    async drain(graceMs) {
      draining = true;
      for (const response of running.keys()) closeAfterAnswer(response);
      if (running.size === 0) return true;
      return await new Promise((resolve) => {
        const timer = setTimeout(() => resolve(false), graceMs);
        onIdle = () => {
          clearTimeout(timer);
          resolve(true);
        };
      });
    },
  };
}

interface Answering {
  readonly nodejsRequest: NodejsRequest;
  readonly nodejsResponse: NodejsResponse;
  readonly exchange: ServedExchange;
  readonly onRead: () => void;
}

async function answer(options: NodejsExchangeOptions, answering: Answering): Promise<void> {
  const { nodejsRequest, nodejsResponse, exchange } = answering;
  const path = nodejsRequest.url;
  const responding = respond(options, answering);
  const response = await exchange.writing.wait(responding).catch(() => undefined);
  if (response === undefined) {
    // The client is gone before there was an answer: nobody takes what the handler still returns.
    void responding.then(dropBody);
    return;
  }
  // Nobody reads the request any further; its bytes would wait in the stream for as long as the answer is not taken.
  if (isHttp2(nodejsResponse) && isWhole(response)) nodejsRequest.resume();
  try {
    await writeResponse(nodejsResponse, response, { exchange, isHead: nodejsRequest.method === "HEAD" });
  } catch (error) {
    // The headers are out: only a cut connection can tell the client that the body is not whole.
    options.logger.debug({ error, path }, "an answer was cut short");
    cut(nodejsResponse);
  }
}

function isWhole({ body }: HttpResponse): boolean {
  return body === undefined || body instanceof Uint8Array;
}

async function respond(options: NodejsExchangeOptions, answering: Answering): Promise<HttpResponse> {
  const { nodejsRequest, nodejsResponse, exchange, onRead } = answering;
  let request: HttpRequest;
  let status: number | undefined;
  try {
    const { value: countMax } = HTTP_LIMITS.HEADER_COUNT_MAX;
    if (nodejsRequest.rawHeaders.length > 2 * countMax) {
      status = 431;
      throw new AshlarError("INVALID_ARGUMENT", `the request has more than ${countMax} header fields`);
    }
    const head = requestHead(nodejsRequest);
    request = { ...head, signal: exchange.signal, body: readBody(nodejsRequest, exchange, onRead), exchange };
  } catch (error) {
    closeAfterAnswer(nodejsResponse);
    exchange.markUnauthenticated();
    return earlyRefusal(error, status);
  }
  try {
    return await options.handler(request);
  } catch (error) {
    const level = exchange.signal.aborted ? "debug" : "error";
    options.logger[level]({ error, path: request.path }, "a handler failed");
    return { status: 500 };
  }
}

function cut(response: NodejsResponse): void {
  if (!isHttp2(response)) {
    response.destroy();
    return;
  }
  const { stream } = response;
  if (stream.destroyed) return;
  stream.close(constants.NGHTTP2_INTERNAL_ERROR);
  // The reset waits behind bytes that the peer does not read; after this time the stream ends without it.
  const timer = setTimeout(() => stream.destroy(), HTTP_LIMITS.LINGER_MS.value);
  timer.unref();
  stream.once("close", () => clearTimeout(timer));
}

function closeAfterAnswer(response: NodejsResponse): void {
  if (!isHttp2(response)) response.shouldKeepAlive = false;
}

/**
 * An answer that came before the end of the request: reads on for a while without keeping anything, so that the client sees the answer and not a
 * reset connection, then gives up.
 */
function discardRest(request: NodejsRequest, response: NodejsResponse): void {
  if (request.complete || request.destroyed) return;
  if (isHttp2(response)) {
    const { stream } = request as Http2ServerRequest;
    request.resume();
    const reset = (): void => {
      // Before the end of the answer Node would wait for it, and send no reset at all if it is cut meanwhile.
      if (stream.writableFinished) stream.close(constants.NGHTTP2_NO_ERROR);
      else stream.once("finish", reset);
    };
    // Not at once: that would overtake the trailers, which for gRPC are the answer.
    const timer = setTimeout(reset, HTTP_LIMITS.RESET_DELAY_MS.value);
    timer.unref();
    stream.once("close", () => clearTimeout(timer));
    return;
  }
  const http1 = request as IncomingMessage;
  http1.resume();
  const timer = setTimeout(() => (response as ServerResponse).req.socket.destroy(), HTTP_LIMITS.LINGER_MS.value);
  timer.unref();
  http1.once("close", () => clearTimeout(timer));
}
