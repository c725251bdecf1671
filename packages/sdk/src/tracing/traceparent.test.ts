import { expect, test } from "vitest";
import { formatTraceParent, parseTraceParent } from "./traceparent.ts";

const TRACE = "4bf92f3577b34da6a3ce929d0e0e4736";
const SPAN = "00f067aa0ba902b7";

test("reads and writes the header of W3C Trace Context", () => {
  const parent = { traceId: TRACE, spanId: SPAN, sampled: true };
  expect(parseTraceParent(`00-${TRACE}-${SPAN}-01`)).toEqual(parent);
  expect(parseTraceParent(`00-${TRACE}-${SPAN}-00`)).toEqual({ ...parent, sampled: false });
  expect(parseTraceParent(formatTraceParent(parent))).toEqual(parent);
});

test("accepts fields that a later version appends, and reads only the flag that it knows", () => {
  expect(parseTraceParent(`01-${TRACE}-${SPAN}-03-more`)?.sampled).toBe(true);
  expect(parseTraceParent(`01-${TRACE}-${SPAN}-02`)?.sampled).toBe(false);
});

test.each([
  ["none", null],
  ["nothing", ""],
  ["no version", `${TRACE}-${SPAN}-01`],
  ["the forbidden version", `ff-${TRACE}-${SPAN}-01`],
  ["version 00 with more", `00-${TRACE}-${SPAN}-01-more`],
  ["a trace of zeros", `00-${"0".repeat(32)}-${SPAN}-01`],
  ["a span of zeros", `00-${TRACE}-${"0".repeat(16)}-01`],
  ["upper case", `00-${TRACE.toUpperCase()}-${SPAN}-01`],
  ["a short trace id", `00-${TRACE.slice(1)}-${SPAN}-01`],
  ["a line end", `00-${TRACE}-${SPAN}-01\n`],
])("ignores %s", (_name, header) => {
  expect(parseTraceParent(header)).toBeUndefined();
});
