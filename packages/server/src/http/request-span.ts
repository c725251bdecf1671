import { AshlarError, ERROR_CODES, isErrorCode } from "@ashlar/sdk/errors";
import type { Span, SpanAttributes, Tracer } from "@ashlar/sdk/ports";
import { formatTraceParent, parseTraceParent } from "@ashlar/sdk/tracing";
import { inRequest, type RequestScope } from "../observability/request-scope.ts";
import type { HttpRequest } from "./http-handler.ts";

/** One request as the trace and the log know it. */
export interface RequestSpan {
  readonly scope: RequestScope;
  /** Runs `work` in the request's span and scope. */
  run<T>(work: () => T): T;
  end(outcome: RequestOutcome): void;
}

/** How a request ended. */
export interface RequestOutcome {
  readonly status: number;
  /** Our code; `OK` if nothing failed. */
  readonly code: string;
  readonly bytesIn: number;
  readonly bytesOut: number;
}

/** What the router and the headers say about a request. */
export interface RequestSpanStart {
  readonly tracer: Tracer | undefined;
  readonly requestId: string;
  readonly route: string;
  /** `http`, `grpc`, `grpc-web` or `connect`. */
  readonly protocol: string;
}

/** Other methods are reported as `_OTHER`, OpenTelemetry's word for them: over HTTP/2 a method may be any text. */
const METHODS: ReadonlySet<string> = new Set(["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE"]);

/**
 * Begins the `server` span of a request, below the span that its `traceparent` names.
 *
 * Attributes follow OpenTelemetry's conventions for HTTP and RPC servers. `url.path` is left out on purpose: object keys may be private.
 */
export function startRequestSpan(request: HttpRequest, options: RequestSpanStart): RequestSpan {
  const { tracer, requestId, route, protocol } = options;
  const isRpc = protocol !== "http";
  const isKnown = METHODS.has(request.method);
  const name = isRpc ? route.slice(1) : `${isKnown ? request.method : "HTTP"} ${route}`;
  const span = tracer?.start(name, {
    kind: "server",
    remote: (header) => request.header.get(header),
    attributes: {
      "http.request.method": isKnown ? request.method : "_OTHER",
      "http.route": route,
      "network.protocol.version": request.httpVersion,
      "ashlar.request.id": requestId,
      ...(isRpc ? { "rpc.system.name": protocol === "connect" ? "connectrpc" : "grpc", "rpc.method": name } : {}),
    },
  });
  const scope = scopeOf(request, requestId, span);
  return {
    scope,
    run: (work) =>
      inRequest(scope, tracer === undefined || span === undefined ? work : () => tracer.within(span, work)),
    end(outcome) {
      if (span === undefined) return;
      span.set(attributesOf(outcome, isRpc));
      span.end(failureOf(outcome));
    },
  };
}

function scopeOf(request: HttpRequest, requestId: string, span: Span | undefined): RequestScope {
  if (span?.traceId !== undefined) return { requestId, traceId: span.traceId, spanId: span.spanId };
  const parent = parseTraceParent(request.header.get("traceparent"));
  if (parent === undefined) return { requestId };
  // Formatted anew: what a later version appends may be of any length, and is not ours to pass on.
  return { requestId, traceId: parent.traceId, spanId: parent.spanId, traceParent: formatTraceParent(parent) };
}

function attributesOf({ status, code, bytesIn, bytesOut }: RequestOutcome, isRpc: boolean): SpanAttributes {
  return {
    "http.response.status_code": status,
    "http.request.body.size": bytesIn,
    "http.response.body.size": bytesOut,
    "error.type": code === "OK" ? undefined : code,
    "rpc.response.status_code": isRpc ? rpcStatusOf(code) : undefined,
  };
}

function rpcStatusOf(code: string): string {
  if (code === "OK") return code;
  return isErrorCode(code) ? ERROR_CODES[code].connect.toUpperCase() : "UNKNOWN";
}

/** A refused request is a failure of the client, not of the server whose span this is. */
function failureOf({ status, code }: RequestOutcome): AshlarError | undefined {
  if (code === "OK" && status < 500) return undefined;
  if (!isErrorCode(code)) return status < 500 ? undefined : new AshlarError("INTERNAL", `answered ${status}`);
  return ERROR_CODES[code].http < 500 ? undefined : new AshlarError(code, `answered ${status}`);
}
