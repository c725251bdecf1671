import { expect, test } from "vitest";
import type { Span, SpanAttributes, Tracer } from "../ports/index.ts";
import { tracedPort } from "./traced-port.ts";

interface Recorded {
  readonly name: string;
  attributes: SpanAttributes;
  error?: unknown;
  ends: number;
}

/** Records spans. The active span is that of the running `within`, which is enough for calls that begin at once. */
function recordingTracer(): {
  readonly tracer: Tracer;
  readonly spans: Recorded[];
  readonly active: () => Span | undefined;
} {
  const spans: Recorded[] = [];
  let active: Span | undefined;
  const tracer: Tracer = {
    start(name, options) {
      const recorded: Recorded = { name, attributes: { ...options?.attributes }, ends: 0 };
      spans.push(recorded);
      return {
        traceId: "1".repeat(32),
        spanId: "2".repeat(16),
        set(attributes) {
          recorded.attributes = { ...recorded.attributes, ...attributes };
        },
        end(error) {
          recorded.ends++;
          recorded.error = error;
        },
      };
    },
    within(span, work) {
      const before = active;
      active = span;
      try {
        return work();
      } finally {
        active = before;
      }
    },
    headers: () => ({}),
  };
  return { tracer, spans, active: () => active };
}

class Store {
  readonly capabilities = Object.freeze({ big: true });
  readonly seen: unknown[] = [];
  #secret = 7;
  async add(count: number): Promise<number> {
    this.seen.push(count);
    return this.#secret + count;
  }
  async fail(): Promise<never> {
    throw new TypeError("no");
  }
  failAtOnce(): Promise<never> {
    throw new TypeError("at once");
  }
  async close(): Promise<void> {
    this.#secret = 0;
  }
}

test("each call has a span with attributes of its input and result, and the port works as before", async () => {
  const { tracer, spans } = recordingTracer();
  const store = new Store();
  const traced = tracedPort(store, {
    tracer,
    prefix: "store",
    attributes: { where: "here" },
    before: (method, [count]) => ({ method, in: Number(count) }),
    after: (_method, result) => ({ out: Number(result) }),
  });
  expect(await traced.add(5)).toBe(12);
  expect(spans).toEqual([
    { name: "store.add", attributes: { where: "here", method: "add", in: 5, out: 12 }, error: undefined, ends: 1 },
  ]);
  expect(traced.capabilities).toBe(store.capabilities);
  expect(traced.seen).toEqual([5]);
  expect("missing" in traced).toBe(false);
  await traced.close();
  expect(spans).toHaveLength(1);
});

test("an error of a call passes through unchanged and ends its span", async () => {
  const { tracer, spans } = recordingTracer();
  const traced = tracedPort(new Store(), { tracer, prefix: "store" });
  await expect(traced.fail()).rejects.toThrow(TypeError);
  expect(() => traced.failAtOnce()).toThrow("at once");
  expect(spans.map(({ ends, error }) => [ends, error instanceof TypeError])).toEqual([
    [1, true],
    [1, true],
  ]);
});

test("a call runs inside its span", async () => {
  const { tracer, active } = recordingTracer();
  const traced = tracedPort({ look: async () => active()?.spanId }, { tracer, prefix: "store" });
  expect(await traced.look()).toBe("2".repeat(16));
  expect(active()).toBeUndefined();
});
