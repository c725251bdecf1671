import { assertFunctions, callWatcher, dropRejection } from "../internal/app-functions.ts";
import { NO_SPAN, type Span, type SpanAttributes, type Tracer } from "./tracer.ts";

/** The span of a tracer whose methods may fail. */
class GuardedSpan implements Span {
  readonly inner: Span;
  readonly traceId: string | undefined;
  readonly spanId: string | undefined;
  readonly #tracer: Tracer;

  constructor(inner: Span, tracer: Tracer) {
    this.inner = inner;
    this.traceId = inner.traceId;
    this.spanId = inner.spanId;
    this.#tracer = tracer;
  }

  set(attributes: SpanAttributes): void {
    callWatcher(this.#tracer, "a span's set", () => this.inner.set(attributes));
  }

  end(error?: unknown): void {
    callWatcher(this.#tracer, "a span's end", () => this.inner.end(error));
  }
}

const guarded = new WeakSet<Tracer>();

/**
 * Wraps the app's tracer so that its failures change nothing: the first error that the tracer or its spans throw goes to the console, later ones are
 * dropped, and the work within a span runs exactly once in every case. Every option that takes a tracer passes it through here; a tracer that is
 * guarded already is returned as it is.
 *
 * @throws {AshlarError} INVALID_ARGUMENT for a tracer without start, within and headers.
 */
export function guardedTracer<Given extends Tracer | undefined>(tracer: Given): Given {
  assertFunctions("tracer", tracer, "start within headers");
  return (tracer === undefined || guarded.has(tracer) ? tracer : guard(tracer)) as Given;
}

function guard(tracer: Tracer): Tracer {
  const own: Tracer = {
    start(name, options) {
      const span = callWatcher(tracer, "tracer.start", () => tracer.start(name, options));
      return typeof span?.set === "function" && typeof span.end === "function"
        ? new GuardedSpan(span, tracer)
        : NO_SPAN;
    },
    within(span, work) {
      if (!(span instanceof GuardedSpan)) return work();
      const once = runOnce(work);
      callWatcher(tracer, "tracer.within", () => {
        const answer: unknown = tracer.within(span.inner, once.run);
        // An asynchronous tracer rejects as the work does; that error belongs to the caller that waits for the work.
        if (answer !== once.run()) dropRejection(answer);
      });
      return once.outcome();
    },
    headers: () => callWatcher(tracer, "tracer.headers", () => tracer.headers()) ?? {},
  };
  guarded.add(own);
  return own;
}

/** Runs work at most once. Only `outcome` throws the work's error: it is no failure of the tracer. */
function runOnce<T>(work: () => T): { run(): T; outcome(): T } {
  let settled: { readonly value?: T; readonly error?: unknown } | undefined;
  const run = (): T => {
    if (settled === undefined) {
      settled = {};
      try {
        settled = { value: work() };
      } catch (error) {
        settled = { error };
      }
    }
    return settled.value as T;
  };
  return {
    run,
    outcome() {
      run();
      if (settled !== undefined && "error" in settled) throw settled.error;
      return settled?.value as T;
    },
  };
}
