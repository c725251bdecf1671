/** Values that go with a span or an event. `undefined` is left out. */
export type SpanAttributes = Readonly<Record<string, string | number | boolean | undefined>>;

/**
 * What a span is to its neighbours: `internal` work in this process, `client` a call that leaves it and waits, `server` a request that came in.
 */
export type SpanKind = "internal" | "client" | "server";

/** How a span begins. */
export interface SpanStart {
  /** Default `internal`. */
  readonly kind?: SpanKind | undefined;
  readonly attributes?: SpanAttributes | undefined;
  /**
   * Headers of a request that came in, by lower-case name: the span continues the trace that they name (`traceparent`, W3C Trace Context).
   * Default: the span that is active.
   */
  readonly remote?: ((name: string) => string | null | undefined) | undefined;
}

/** One piece of work with a beginning and an end. */
export interface Span {
  /** 32 hex digits; absent where nothing is traced. */
  readonly traceId?: string | undefined;
  /** 16 hex digits; absent where nothing is traced. */
  readonly spanId?: string | undefined;
  /** Adds attributes; later values win. */
  set(attributes: SpanAttributes): void;
  /** Ends the span. @param error what the work failed with; absent where it did not. A second end is ignored. */
  end(error?: unknown): void;
}

/** What stands for a span where nothing is traced. */
export const NO_SPAN: Span = Object.freeze({ set: () => {}, end: () => {} });

/**
 * Where spans go. Stores, transports and servers take one as an option; without it they make no spans and pay nothing.
 *
 * `@ashlar/adapters/tracing/opentelemetry` puts OpenTelemetry behind it. What methods throw decides nothing.
 */
export interface Tracer {
  /** Begins a span below the active one. @param name few different ones: what is done, not to what. */
  start(name: string, options?: SpanStart): Span;
  /** Runs `work`, and what it starts, with `span` as the active one. Returns what `work` returns. */
  within<T>(span: Span, work: () => T): T;
  /** Headers that let another process continue the active span's trace; none where nothing is traced. Lower-case names. */
  headers(): Readonly<Record<string, string>>;
}
