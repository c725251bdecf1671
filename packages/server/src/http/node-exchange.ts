import type { IncomingMessage, ServerResponse } from "node:http";
import { constants, type Http2ServerRequest, type Http2ServerResponse } from "node:http2";
import { AshlarError } from "@ashlar/sdk/errors";
import type { Logger } from "@ashlar/sdk/ports";
import type { HttpHandler, HttpRequest, HttpResponse } from "./http-handler.ts";
import { HTTP_LIMITS } from "./http-limits.ts";
import { type NodeRequest, readBody, requestHead } from "./node-request.ts";
import { type NodeResponse, writeResponse } from "./node-response.ts";

/** Serves Node's requests with an {@link HttpHandler}, and knows what is running. */
export interface NodeExchange {
  serve(request: NodeRequest, response: NodeResponse, options?: { readonly expectsContinue?: boolean }): void;
  runningCount(): number;
  /** From now on HTTP/1.1 connections close after their answer. @returns whether everything finished within `graceMs`. */
  drain(graceMs: number): Promise<boolean>;
}

/** @param options.handler its own error handling is trusted; what it still throws before the headers ends as a bare 500. */
export function createNodeExchange(options: { readonly handler: HttpHandler; readonly logger: Logger }): NodeExchange {
  const running = new Set<NodeResponse>();
  let draining = false;
  let onIdle: (() => void) | undefined;
  const finished = (response: NodeResponse): void => {
    running.delete(response);
    if (running.size === 0) onIdle?.();
  };
  return {
    serve(nodeRequest, nodeResponse, { expectsContinue = false } = {}) {
      running.add(nodeResponse);
      if (draining) closeAfterAnswer(nodeResponse);
      const abort = new AbortController();
      nodeResponse.once("close", () => {
        if (!nodeResponse.writableFinished) abort.abort(new AshlarError("CANCELED", "the client went away"));
        finished(nodeResponse);
      });
      nodeResponse.on("error", (error: Error) => options.logger.debug({ error }, "an answer could not be written"));
      // Without a listener an error of a half-read request would end the process; readBody reports it to the reader.
      nodeRequest.on("error", () => {});
      let continued = !expectsContinue;
      const request: HttpRequest = {
        ...requestHead(nodeRequest),
        signal: abort.signal,
        body: readBody(nodeRequest, () => {
          if (continued) return;
          continued = true;
          nodeResponse.writeContinue();
        }),
      };
      void answer(options, request, nodeResponse).then(() => {
        if (!continued) closeAfterAnswer(nodeResponse);
        discardRest(nodeRequest, nodeResponse);
      });
    },
    runningCount: () => running.size,
    async drain(graceMs) {
      draining = true;
      for (const response of running) closeAfterAnswer(response);
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

async function answer(
  options: { readonly handler: HttpHandler; readonly logger: Logger },
  request: HttpRequest,
  nodeResponse: NodeResponse,
): Promise<void> {
  let response: HttpResponse;
  try {
    response = await options.handler(request);
  } catch (error) {
    options.logger.error({ error, path: request.path }, "a handler failed");
    response = { status: 500 };
  }
  try {
    await writeResponse(nodeResponse, response);
  } catch (error) {
    // The headers are out: only a cut connection can tell the client that the body is not whole.
    options.logger.debug({ error, path: request.path }, "an answer was cut short");
    cut(nodeResponse);
  }
}

function isHttp2(message: NodeResponse): message is Http2ServerResponse {
  return "stream" in message;
}

function cut(response: NodeResponse): void {
  if (isHttp2(response)) response.stream?.close(constants.NGHTTP2_INTERNAL_ERROR);
  else response.destroy();
}

function closeAfterAnswer(response: NodeResponse): void {
  if (!isHttp2(response)) response.shouldKeepAlive = false;
}

/**
 * An answer that came before the end of the request: reads on for a while without keeping anything, so that the client sees the answer and not a
 * reset connection, then gives up.
 */
function discardRest(request: NodeRequest, response: NodeResponse): void {
  if (request.complete || request.destroyed) return;
  if (isHttp2(response)) {
    const { stream } = request as Http2ServerRequest;
    // Not reset at once: that would overtake the trailers, which for gRPC are the answer. Meanwhile the window bounds what comes.
    const timer = setTimeout(() => stream.close(constants.NGHTTP2_NO_ERROR), HTTP_LIMITS.RESET_DELAY_MS.value);
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
