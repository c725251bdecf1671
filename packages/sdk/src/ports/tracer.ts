/** Values of a span or an event. `undefined` is left out. */
export type SpanAttributes = Readonly<Record<string, string | number | boolean | undefined>>;

/**
 * What a span describes: `internal` is work in this process, `client` a call to another process, `server` a request that came in.
 */
export type SpanKind = "internal" | "client" | "server";

/** How a span begins. */
export interface SpanStart {
  /** Default `internal`. */
  readonly kind?: SpanKind | undefined;
  readonly attributes?: SpanAttributes | undefined;
  /**
   * Reads a header of the request that came in, by lower-case name: the span continues the trace that `traceparent` names (W3C Trace Context).
   * Default: the span that is active.
   */
  readonly remote?: ((name: string) => string | null | undefined) | undefined;
}

/** One piece of work with a beginning and an end. */
export interface Span {
  /** 32 hex digits; absent if nothing is traced. */
  readonly traceId?: string | undefined;
  /** 16 hex digits; absent if nothing is traced. */
  readonly spanId?: string | undefined;
  /** Adds attributes; later values win. */
  set(attributes: SpanAttributes): void;
  /** Ends the span. A second end is ignored. @param error what the work failed with; absent if it succeeded. */
  end(error?: unknown): void;
}

/** The span to use if nothing is traced. */
export const NO_SPAN: Span = Object.freeze({ set: () => {}, end: () => {} });

/**
 * Where spans go. Stores, transports and servers take a tracer as an option; without one they make no spans and pay nothing.
 *
 * `@ashlar/adapters/tracing/opentelemetry` implements it with OpenTelemetry. Errors that its methods throw change nothing.
 */
export interface Tracer {
  /** Begins a span below the active one. @param name what is done, not to which object: there must be few different names. */
  start(name: string, options?: SpanStart): Span;
  /** Runs `work`, and everything that it starts, with `span` as the active span. Returns what `work` returns. */
  within<T>(span: Span, work: () => T): T;
  /** Headers that let another process continue the active span's trace; none if nothing is traced. Lower-case names. */
  headers(): Readonly<Record<string, string>>;
}
