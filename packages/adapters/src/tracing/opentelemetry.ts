import { AshlarError } from "@ashlar/sdk/errors";
import type { Span, SpanAttributes, SpanKind, SpanStart, Tracer } from "@ashlar/sdk/ports";
import { formatTraceParent, parseTraceParent } from "@ashlar/sdk/tracing";
import {
  type Context,
  context,
  SpanKind as OpenTelemetryKind,
  type Span as OpenTelemetrySpan,
  propagation,
  SpanStatusCode,
  TraceFlags,
  type TracerProvider,
  trace,
} from "@opentelemetry/api";

/** Options of {@link openTelemetryTracer}. */
export interface OpenTelemetryTracerOptions {
  /** Where spans go; default: the global provider, also one that is registered later. */
  readonly tracerProvider?: TracerProvider | undefined;
}

/** The spans appear under this name. */
const INSTRUMENTATION = "@ashlar";

const KINDS: Readonly<Record<SpanKind, OpenTelemetryKind>> = {
  internal: OpenTelemetryKind.INTERNAL,
  client: OpenTelemetryKind.CLIENT,
  server: OpenTelemetryKind.SERVER,
};

/** The span that is given while no provider is registered; it does nothing. */
const NO_SPAN: Span = Object.freeze({ set: () => {}, end: () => {} });

/**
 * Makes spans through `@opentelemetry/api`, so through the SDK that the app has registered there; without one it costs next to nothing.
 *
 * The trace travels by the registered propagator, or in `traceparent` (W3C Trace Context) where none is registered. Spans nest as far as the
 * registered context manager follows asynchronous calls: in Node `AsyncLocalStorageContextManager` (of `@opentelemetry/context-async-hooks`)
 * does; in browsers, without zone.js, each request begins a trace of its own.
 *
 * @example
 * const client = createClient(traced(embedded({ path: "./data" }), openTelemetryTracer()));
 */
export function openTelemetryTracer(options: OpenTelemetryTracerOptions = {}): Tracer {
  const tracer = (options.tracerProvider ?? trace).getTracer(INSTRUMENTATION);
  const spans = new WeakMap<Span, Context>();
  return {
    start(name, { kind = "internal", attributes, remote } = {}) {
      const parent = remote === undefined ? context.active() : continued(remote);
      const inner = tracer.startSpan(name, { kind: KINDS[kind], ...attributesOf(attributes) }, parent);
      const { traceId, spanId } = inner.spanContext();
      // Without a provider the API returns the parent again, which is no span of ours.
      const isOwn = spanId !== trace.getSpanContext(parent)?.spanId;
      if (!isOwn || !trace.isSpanContextValid(inner.spanContext())) return NO_SPAN;
      const span = spanOver(inner, { traceId, spanId });
      spans.set(span, trace.setSpan(parent, inner));
      return span;
    },
    within(span, work) {
      const active = spans.get(span);
      return active === undefined ? work() : context.with(active, work);
    },
    headers() {
      const active = trace.getSpanContext(context.active());
      if (active === undefined || !trace.isSpanContextValid(active)) return NO_HEADERS;
      const carrier: Record<string, string> = {};
      propagation.inject(context.active(), carrier);
      if (Object.keys(carrier).length > 0) return carrier;
      const sampled = (active.traceFlags & TraceFlags.SAMPLED) !== 0;
      return { traceparent: formatTraceParent({ ...active, sampled }) };
    },
  };
}

const NO_HEADERS: Readonly<Record<string, string>> = Object.freeze({});

/** The context that the headers of a request name. */
function continued(remote: NonNullable<SpanStart["remote"]>): Context {
  const carried = propagation.extract(context.active(), remote, {
    get: (carrier, name) => carrier(name.toLowerCase()) ?? undefined,
    keys: () => propagation.fields(),
  });
  if (trace.getSpanContext(carried) !== undefined) return carried;
  const parent = parseTraceParent(remote("traceparent"));
  if (parent === undefined) return carried;
  const { traceId, spanId, sampled } = parent;
  const traceFlags = sampled ? TraceFlags.SAMPLED : TraceFlags.NONE;
  return trace.setSpanContext(carried, { traceId, spanId, traceFlags, isRemote: true });
}

function spanOver(inner: OpenTelemetrySpan, ids: { readonly traceId: string; readonly spanId: string }): Span {
  let ended = false;
  return {
    ...ids,
    set(attributes) {
      inner.setAttributes(definedOf(attributes));
    },
    end(error) {
      if (ended) return;
      ended = true;
      if (error !== undefined) {
        const { code, message } = AshlarError.from(error);
        inner.setAttribute("error.type", code);
        inner.setStatus({ code: SpanStatusCode.ERROR, message: `${code}: ${message}` });
      }
      inner.end();
    },
  };
}

function attributesOf(attributes: SpanAttributes | undefined): {
  attributes?: Record<string, string | number | boolean>;
} {
  return attributes === undefined ? {} : { attributes: definedOf(attributes) };
}

function definedOf(attributes: SpanAttributes): Record<string, string | number | boolean> {
  const defined: Record<string, string | number | boolean> = {};
  for (const [name, value] of Object.entries(attributes)) if (value !== undefined) defined[name] = value;
  return defined;
}
