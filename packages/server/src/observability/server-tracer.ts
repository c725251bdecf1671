import { type Clock, guardedTracer, type Span, type SpanStart, type Tracer } from "@ashlar/sdk/ports";
import { REQUEST_ID_HEADER } from "../http/request-id.ts";
import type { Metrics } from "./metrics.ts";
import { currentRequest } from "./request-scope.ts";
import { createSpanMeter, type SpanMeter } from "./span-meter.ts";

/** Options of {@link createServerTracer}. */
export interface ServerTracerOptions {
  /** Where spans go; absent: nowhere, and only metrics are kept and ids passed on. */
  readonly inner?: Tracer | undefined;
  readonly metrics: Metrics;
  readonly clock: Clock;
}

const NO_SPAN: Span = Object.freeze({ set: () => {}, end: () => {} });

/**
 * The tracer of a server process: turns the spans of stores and transports into metrics (durations of SQL operations, of file steps, of calls to
 * nodes), and passes the request id on to the servers that it calls, so that one id finds the lines of all of them.
 */
export function createServerTracer({ inner: given, metrics, clock }: ServerTracerOptions): Tracer {
  const inner = guardedTracer(given);
  const meter = createSpanMeter(metrics, clock);
  return {
    start(name, options) {
      const span = inner?.start(name, options);
      return measured(name, { span, options, meter });
    },
    within(span, work) {
      const traced = span instanceof MeasuredSpan ? span.inner : span;
      return inner === undefined || traced === undefined ? work() : inner.within(traced, work);
    },
    headers: () => ({ ...requestHeaders(), ...inner?.headers() }),
  };
}

function requestHeaders(): Readonly<Record<string, string>> {
  const scope = currentRequest();
  if (scope === undefined) return {};
  const { requestId, traceParent } = scope;
  return { [REQUEST_ID_HEADER]: requestId, ...(traceParent === undefined ? {} : { traceparent: traceParent }) };
}

function measured(
  name: string,
  parts: { readonly span: Span | undefined; readonly options: SpanStart | undefined; readonly meter: SpanMeter },
): Span {
  const { span, options, meter } = parts;
  const finish = meter(name, options?.attributes);
  if (finish === undefined) return span ?? NO_SPAN;
  return new MeasuredSpan(span, finish);
}

class MeasuredSpan implements Span {
  readonly inner: Span | undefined;
  readonly traceId: string | undefined;
  readonly spanId: string | undefined;
  #finish: ((error: unknown) => void) | undefined;

  constructor(inner: Span | undefined, finish: (error: unknown) => void) {
    this.inner = inner;
    this.traceId = inner?.traceId;
    this.spanId = inner?.spanId;
    this.#finish = finish;
  }

  set(attributes: Parameters<Span["set"]>[0]): void {
    this.inner?.set(attributes);
  }

  end(error?: unknown): void {
    const finish = this.#finish;
    this.#finish = undefined;
    finish?.(error);
    this.inner?.end(error);
  }
}
