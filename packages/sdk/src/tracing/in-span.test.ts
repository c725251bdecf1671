import { expect, test } from "vitest";
import type { Span, Tracer } from "../ports/index.ts";
import { inSpan } from "./in-span.ts";

/** Records starts and ends; `within` keeps its span active while the work's synchronous part runs. */
function recordingTracer(): {
  readonly tracer: Tracer;
  readonly events: string[];
  readonly active: () => Span | undefined;
} {
  const events: string[] = [];
  let active: Span | undefined;
  const tracer: Tracer = {
    start(name, options) {
      events.push(`start ${name} ${options?.kind ?? "internal"}`);
      return {
        set: () => {},
        end: (error) => void events.push(error === undefined ? "end" : `end with ${(error as Error).message}`),
      };
    },
    within(span, work) {
      active = span;
      try {
        return work();
      } finally {
        active = undefined;
      }
    },
    headers: () => ({}),
  };
  return { tracer, events, active: () => active };
}

test("work runs in its own span, which ends when the work returns or resolves", async () => {
  const { tracer, events, active } = recordingTracer();
  expect(inSpan(tracer, { name: "now" }, (span) => active() === span)).toBe(true);
  const later = inSpan(tracer, { name: "later", kind: "client" }, async () => {
    await undefined;
    events.push("work");
    return 7;
  });
  expect(await later).toBe(7);
  expect(events).toEqual(["start now internal", "end", "start later client", "work", "end"]);
});

test("an error of the work, at once or later, passes through unchanged and ends the span", async () => {
  const { tracer, events } = recordingTracer();
  const error = new TypeError("no");
  const fail = (): never => {
    throw error;
  };
  expect(() => inSpan(tracer, { name: "now" }, fail)).toThrow(error);
  await expect(inSpan(tracer, { name: "later", goesOn: true }, async () => fail())).rejects.toBe(error);
  expect(events).toEqual(["start now internal", "end with no", "start later internal", "end with no"]);
});

test("with goesOn, work that succeeded ends its span itself", async () => {
  const { tracer, events } = recordingTracer();
  const span = await inSpan(tracer, { name: "stream", goesOn: true }, async (own) => own);
  expect(events).toEqual(["start stream internal"]);
  span.end();
  expect(events).toEqual(["start stream internal", "end"]);
});

test("without a tracer the work runs without a trace", () => {
  const traceId = inSpan(undefined, { name: "none" }, (span) => {
    span.set({ a: 1 });
    return span.traceId;
  });
  expect(traceId).toBeUndefined();
});
