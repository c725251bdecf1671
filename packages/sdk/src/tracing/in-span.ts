import type { Span, SpanStart, Tracer } from "../ports/index.ts";
import { NO_SPAN } from "../ports/tracer.ts";

/** The name of a span, how it begins, and when it ends. */
export interface WorkSpan extends SpanStart {
  /** What is done, not to which object: there must be few different names. */
  readonly name: string;
  /** If the work succeeds, it ends the span itself later, for example with a stream. Default false: the span ends with the work. */
  readonly goesOn?: boolean | undefined;
}

/**
 * Runs work in its own span. The span is active during the work and ends when the work returns, resolves or fails. Results and errors pass through
 * unchanged.
 *
 * @param tracer absent: the work runs with a span that drops everything.
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

/** Reads a stream with every step in `span`, because the requests of a stream begin when it is read. The span ends with the stream. */
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
