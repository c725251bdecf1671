import type { Span, SpanStart, Tracer } from "../ports/index.ts";
import { NO_SPAN } from "../ports/tracer.ts";

/** How the span of a piece of work is called, and when it ends. */
export interface WorkSpan extends SpanStart {
  /** Few different ones: what is done, not to what. */
  readonly name: string;
  /** The work hands its span on where it succeeds, to end with something later, such as a stream. Default false: it ends with the work. */
  readonly goesOn?: boolean | undefined;
}

/**
 * Runs work in a span of its own, which is active in it and ends with what the work returns, or resolves with, or fails with. That passes through unchanged.
 *
 * @param tracer absent: the work runs as it is, and what it tells its span goes nowhere.
 */
export function inSpan<T>(tracer: Tracer | undefined, start: WorkSpan, work: (span: Span) => Promise<T>): Promise<T>;
export function inSpan<T>(tracer: Tracer | undefined, start: WorkSpan, work: (span: Span) => T): T;
export function inSpan(tracer: Tracer | undefined, start: WorkSpan, work: (span: Span) => unknown): unknown {
  if (tracer === undefined) return work(NO_SPAN);
  const { name, goesOn = false, ...options } = start;
  const span = tracer.start(name, options);
  const succeeded = <Result>(result: Result): Result => {
    if (!goesOn) span.end();
    return result;
  };
  const failed = (error: unknown): never => {
    span.end(error);
    throw error;
  };
  let answer: unknown;
  try {
    answer = tracer.within(span, () => work(span));
  } catch (error) {
    return failed(error);
  }
  return answer instanceof Promise ? answer.then(succeeded, failed) : succeeded(answer);
}

/** A stream whose every step runs in a span, because the requests of a stream begin when it is read. The span ends with it. */
export function streamInSpan<Item>(tracer: Tracer, span: Span, source: AsyncIterable<Item>): AsyncIterable<Item> {
  return {
    [Symbol.asyncIterator](): AsyncIterator<Item, undefined> {
      const inner = source[Symbol.asyncIterator]();
      return {
        next: () =>
          tracer
            .within(span, () => inner.next())
            .then(
              (result) => {
                if (result.done !== true) return result;
                span.end();
                return { done: true, value: undefined };
              },
              (error: unknown) => {
                span.end(error);
                throw error;
              },
            ),
        async return() {
          span.set({ "ashlar.given_up": true });
          span.end();
          await tracer.within(span, () => inner.return?.());
          return { done: true, value: undefined };
        },
      };
    },
  };
}
