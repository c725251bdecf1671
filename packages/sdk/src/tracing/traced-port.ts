import { guardedTracer } from "../ports/guarded-tracer.ts";
import type { SpanAttributes, SpanKind, Tracer } from "../ports/index.ts";
import { inSpan } from "./in-span.ts";

/** Attributes for the span of a call. The functions are called only if the span is recorded. */
export interface CallDescription {
  /** Returns attributes when a call begins. @param args the call's arguments; borrowed. */
  readonly before?: ((method: string, args: readonly unknown[]) => SpanAttributes) | undefined;
  /** Returns attributes when a call has succeeded. */
  readonly after?: ((method: string, result: unknown) => SpanAttributes) | undefined;
}

/** How {@link tracedPort} names and describes spans. */
export interface TracedPortOptions extends CallDescription {
  readonly tracer: Tracer;
  /** Spans are named `<prefix>.<method>`. */
  readonly prefix: string;
  readonly kind?: SpanKind | undefined;
  /** Attributes of every span. */
  readonly attributes?: SpanAttributes | undefined;
}

type Method = (this: unknown, ...args: unknown[]) => unknown;

/**
 * A port with a span for each call: every method except `close` runs in its own span, which ends when the method's promise settles.
 *
 * All other members of the target are unchanged, and optional methods that it lacks stay absent.
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

/** Methods need the target as `this`, because a proxy does not have the target's private fields. */
function bound(port: object, value: unknown): unknown {
  return typeof value === "function" ? value.bind(port) : value;
}
