import { AshlarError, ERROR_CODES } from "@ashlar/sdk/errors";
import type { Clock, Random, Tracer } from "@ashlar/sdk/ports";
import { DURATION_BUCKETS_SECONDS, type Metrics } from "../observability/metrics.ts";
import type { Admission, Place } from "./bounds/admission.ts";
import { createAnswerBudget } from "./bounds/answer-budget.ts";
import type { ByteBudget } from "./bounds/byte-budget.ts";
import { countedBody } from "./bounds/counted-body.ts";
import type { Exchange } from "./exchange/exchange.ts";
import { type Finish, finishOnce } from "./finish-once.ts";
import type { HttpHandler, HttpRequest, HttpResponse, RouteInfo } from "./http-handler.ts";
import { wrapBody } from "./piece.ts";
import { type RequestContext, withRequestContext } from "./request-context.ts";
import { REQUEST_ID_HEADER, requestIdOf } from "./request-id.ts";
import type { RequestLog } from "./request-log.ts";
import { type RequestSpan, startRequestSpan } from "./request-span.ts";

/** Codes of failures that no caller can do anything about. UNSUPPORTED (501) is not one: it is an answer. */
const SERVER_FAULTS: ReadonlySet<string> = new Set(
  Object.entries(ERROR_CODES).flatMap(([code, { http }]) => (http >= 500 && http !== 501 ? [code] : [])),
);

/** Options of {@link observedHandler}. */
export interface ObservedHandlerOptions {
  readonly routeOf: (request: HttpRequest) => RouteInfo;
  readonly admission: Admission;
  /** What answers hold until they are taken. */
  readonly answers: ByteBudget;
  /** How much of slots or bytes is taken, from 0 to 1. */
  readonly crowding: () => number;
  readonly log: RequestLog;
  readonly metrics: Metrics;
  /** Default: no spans; log lines name the caller's trace all the same. */
  readonly tracer?: Tracer | undefined;
  readonly clock: Clock;
  readonly random: Random;
}

/** One request from its first byte to the last of its answer. */
interface Observation {
  readonly request: HttpRequest;
  readonly info: RouteInfo;
  readonly protocol: string;
  readonly context: RequestContext;
  readonly span: RequestSpan;
  readonly startedMs: number;
  bytesIn: number;
  bytesOut: number;
}

/**
 * Gives each request an id, a span and a slot, counts, measures and logs it.
 *
 * A request counts as running until the last byte of its answer is made. It holds its slot until its exchange is over as well, so that answers that
 * nobody reads are bounded too; if its caller showed no key, it holds the slot only until its answer is there. Both end in every case, even if a
 * handler or the body of an answer never ends: see {@link finishOnce}.
 */
export function observedHandler(handler: HttpHandler, options: ObservedHandlerOptions): HttpHandler {
  const record = createRecorder(options);
  return async (received) => {
    const info = options.routeOf(received);
    const requestId = requestIdOf(received.header, options.random);
    const place = options.admission.admit(received.exchange?.peer);
    const context = contextOf(requestId, { ...options, place, exchange: received.exchange });
    const request = withRequestContext(received, context);
    const protocol = protocolOf(received, info);
    const span = startRequestSpan(received, { tracer: options.tracer, requestId, route: info.route, protocol });
    const startedMs = options.clock.monotonicMs();
    const observation = { request, info, protocol, context, span, startedMs, bytesIn: 0, bytesOut: 0 };
    record.started();
    const finish = finishOnce(received, options.clock, {
      finished(status, error) {
        // An unauthenticated caller's answer is bounded where it is written. A slot kept until it is taken could be kept by the caller at will.
        if (context.isTrusted !== true) {
          if (status >= 400 || error !== undefined || context.errorCode !== undefined)
            received.exchange?.markUnauthenticated();
          place.release();
        }
        record.finished(observation, status, error);
      },
      released: place.release,
    });
    const body = countedBody(request.body, {
      bytes(count) {
        observation.bytesIn += count;
      },
      ended: () => {},
    });
    let response: HttpResponse;
    try {
      response = await span.run(() => handler({ ...request, body }));
    } catch (error) {
      finish(500, error);
      throw error;
    }
    const header = response.header ?? new Headers();
    header.set(REQUEST_ID_HEADER, context.requestId);
    return finishWithBody({ ...response, header }, observation, finish);
  };
}

function contextOf(
  requestId: string,
  {
    place,
    exchange,
    answers,
    crowding,
  }: Pick<ObservedHandlerOptions, "answers" | "crowding"> & { place: Place; exchange: Exchange | undefined },
): RequestContext {
  const context: RequestContext = {
    requestId,
    // Made only if somebody asks: most answers hold nothing that counts.
    get answerBudget() {
      return exchange && createAnswerBudget(answers, () => ({ ...exchange.peer, ...context.caller }), exchange);
    },
    confirmEnd: exchange?.confirmEnd,
    refuseBody: exchange?.refuseBody,
    refusal: place.refusal,
    refusedBy: place.refusal?.details.pool,
    trust(caller = {}) {
      try {
        place.trust(caller);
      } catch (error) {
        context.refusedBy = "ordinary";
        throw error;
      }
      // Not earlier: a caller above its share is treated as unauthenticated, or answers that it does not take would hold the slots that it was
      // refused.
      context.isTrusted = true;
      context.caller = caller;
      exchange?.trust(crowding);
    },
    moveTo(kind) {
      try {
        place.moveTo(kind, {
          mayGiveWay: () => exchange?.mayGiveWay() === true,
          giveWay() {
            context.refusedBy = kind;
            exchange?.giveWay();
          },
        });
      } catch (error) {
        context.refusedBy = kind;
        throw error;
      }
      if (kind === "long-lived") exchange?.stayOpen();
      else exchange?.markUnauthenticated();
    },
  };
  return context;
}

function finishWithBody(response: HttpResponse, observation: Observation, finish: Finish): HttpResponse {
  const { body, status } = response;
  if (body === undefined || body instanceof Uint8Array) {
    observation.bytesOut = body?.byteLength ?? 0;
    const code = response.header?.get("ashlar-error-code") ?? undefined;
    finish(status, code);
    return response;
  }
  const observer = {
    bytes(count: number) {
      observation.bytesOut += count;
    },
    ended: (error: unknown) => finish(observation.request.signal.aborted ? 499 : status, error),
  };
  return { ...response, body: wrapBody(body, (slices) => countedBody(steppedIn(slices, observation.span), observer)) };
}

/** Runs a body in its request's span: a body is made while it is sent, long after its handler returned. */
function steppedIn<Slice>(body: AsyncIterable<Slice>, span: RequestSpan): AsyncIterable<Slice> {
  return {
    [Symbol.asyncIterator](): AsyncIterator<Slice, undefined> {
      const inner = span.run(() => body[Symbol.asyncIterator]());
      return {
        next: () => span.run(() => inner.next()),
        async return() {
          await span.run(() => inner.return?.());
          return { done: true, value: undefined };
        },
        async throw(error: unknown) {
          await span.run(() => inner.throw?.(error));
          return { done: true, value: undefined };
        },
      };
    },
  };
}

function createRecorder({ metrics, log, clock }: ObservedHandlerOptions): {
  started(): void;
  finished(observation: Observation, status: number, error?: unknown): void;
} {
  const running = metrics.gauge({ name: "ashlar_http_requests_running", help: "Requests being worked on" });
  const requests = metrics.counter({
    name: "ashlar_http_requests_total",
    help: "Finished requests",
    labelNames: ["route", "protocol", "status", "code"],
  });
  const failures = metrics.counter({
    name: "ashlar_http_failures_total",
    help: "Finished requests that failed by the server's fault, by error code",
    labelNames: ["code"],
  });
  // From the start, because Prometheus sees no increase in a counter that begins with 1.
  for (const code of SERVER_FAULTS) failures.add(0, { code });
  const durations = metrics.histogram({
    name: "ashlar_http_request_duration_seconds",
    help: "From the headers of a request to the last byte of its answer",
    labelNames: ["route", "protocol"],
    buckets: DURATION_BUCKETS_SECONDS,
  });
  const received = metrics.counter({
    name: "ashlar_http_received_bytes_total",
    help: "Body bytes received",
    labelNames: ["route"],
  });
  const sent = metrics.counter({
    name: "ashlar_http_sent_bytes_total",
    help: "Body bytes sent",
    labelNames: ["route"],
  });
  return {
    started: () => running.add(1),
    finished(observation, status, error) {
      const { request, info, protocol, context, span, bytesIn, bytesOut } = observation;
      const { route } = info;
      const durationMs = clock.monotonicMs() - observation.startedMs;
      // A client that left saw no failure, and what failed because its bytes were missing is not our failure.
      const code = request.signal?.aborted === true ? "CANCELED" : codeOf(context, error);
      running.add(-1);
      requests.add(1, { route, protocol, status: String(status), code });
      if (SERVER_FAULTS.has(code) && !isOwnDoing(context, code)) failures.add(1, { code });
      durations.observe(durationMs / 1000, { route, protocol });
      received.add(bytesIn, { route });
      sent.add(bytesOut, { route });
      const { method, path, httpVersion } = request;
      span.end({ status, code, bytesIn, bytesOut });
      const { requestId, traceId, spanId } = span.scope;
      const ids = traceId === undefined ? { requestId } : { requestId, traceId, spanId };
      const line = { ...ids, method, path, route, protocol, httpVersion, status, code };
      const fields = { ...line, durationMs: Math.round(durationMs * 100) / 100, bytesIn, bytesOut };
      log.write("info", { context, fields, message: "request" });
    },
  };
}

/** Failures that any caller can cause at will are not ours, and raise no alarm: too many calls without a key, a deadline that cannot be met. */
function isOwnDoing({ isTrusted, refusedBy }: RequestContext, code: string): boolean {
  if (code === "OVERLOADED") return refusedBy !== undefined && refusedBy !== "ordinary";
  return code === "DEADLINE_EXCEEDED" && isTrusted !== true;
}

function codeOf(context: RequestContext, error: unknown): string {
  if (context.errorCode !== undefined) return context.errorCode;
  if (typeof error === "string") return error;
  return error === undefined ? "OK" : AshlarError.from(error).code;
}

function protocolOf(request: HttpRequest, info: RouteInfo): string {
  if (info.kind === "http") return "http";
  const type = request.header.get("content-type") ?? "";
  if (type.startsWith("application/grpc-web")) return "grpc-web";
  return type.startsWith("application/grpc") ? "grpc" : "connect";
}
