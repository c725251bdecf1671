import { guardedTracer } from "../ports/guarded-tracer.ts";
import type { SpanAttributes, SpanKind, Tracer } from "../ports/index.ts";
import { inSpan } from "./in-span.ts";

/** What is told of one call of a port. Asked only where a span is recorded. */
export interface CallDescription {
  /** Of a call that begins. @param args as given; borrowed. */
  readonly before?: ((method: string, args: readonly unknown[]) => SpanAttributes) | undefined;
  /** Of a call that succeeded. */
  readonly after?: ((method: string, result: unknown) => SpanAttributes) | undefined;
}

/** How {@link tracedPort} names and describes spans. */
export interface TracedPortOptions extends CallDescription {
  readonly tracer: Tracer;
  /** Spans are called `<prefix>.<method>`. */
  readonly prefix: string;
  readonly kind?: SpanKind | undefined;
  /** Of every call. */
  readonly attributes?: SpanAttributes | undefined;
}

type Method = (this: unknown, ...args: unknown[]) => unknown;

/**
 * A port whose calls are spans: each asynchronous method but `close` begins one, is active in it, and ends it when its promise settles.
 *
 * Whatever else the target has, optional methods too, shows through unchanged.
 */
export function tracedPort<Port extends object>(target: Port, given: TracedPortOptions): Port {
  const { prefix, kind, attributes, before, after } = given;
  const tracer = guardedTracer(given.tracer);
  const wrapped = new Map<PropertyKey, { readonly method: unknown; readonly traced: Method }>();
  return new Proxy(target, {
    get(port, name) {
      const method: unknown = Reflect.get(port, name, port);
      if (typeof method !== "function" || typeof name !== "string" || name === "close") return bound(port, method);
      const known = wrapped.get(name);
      if (known?.method === method) return known.traced;
      const traced: Method = (...args) =>
        inSpan(tracer, { name: `${prefix}.${name}`, kind, attributes }, (span) => {
          const recorded = span.traceId !== undefined;
          if (recorded && before !== undefined) span.set(before(name, args));
          const answer = (method as Method).apply(port, args);
          if (!recorded || after === undefined || !(answer instanceof Promise)) return answer;
          return answer.then((result: unknown) => {
            span.set(after(name, result));
            return result;
          });
        });
      wrapped.set(name, { method, traced });
      return traced;
    },
  });
}

/** Private fields are not those of the proxy. */
function bound(port: object, value: unknown): unknown {
  return typeof value === "function" ? value.bind(port) : value;
}
