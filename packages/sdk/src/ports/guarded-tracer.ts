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
 * A tracer of the app that decides nothing: what its methods and its spans throw goes nowhere but once to the console, and the work within a span runs once,
 * whatever the tracer does. Everything that takes a tracer as an option takes it through here, once: a guarded one stays as it is.
 *
 * @throws {AshlarError} INVALID_ARGUMENT for one without start, within and headers.
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
        // Of an asynchronous one: it rejects with what the work rejects with, which is for those who wait for the work.
        if (answer !== once.run()) dropRejection(answer);
      });
      return once.outcome();
    },
    headers: () => callWatcher(tracer, "tracer.headers", () => tracer.headers()) ?? {},
  };
  guarded.add(own);
  return own;
}

/** Work that runs once at most, and fails only for those who ask for its outcome: its error is no failure of the tracer. */
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
