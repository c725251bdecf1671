import type { SpanStart } from "@ashlar/sdk/ports";
import { expect, it } from "vitest";
import { currentRequest } from "../observability/request-scope.ts";
import type { HttpRequest } from "./http-handler.ts";
import { startRequestSpan } from "./request-span.ts";

const request = (method: string, header: Record<string, string> = {}): HttpRequest => ({
  httpVersion: "2.0",
  method,
  url: "http://a/things/1",
  path: "/things/1",
  query: "",
  header: new Headers(header),
  body: (async function* () {})(),
  signal: new AbortController().signal,
  requestId: "",
});

const rest = { requestId: "r1", route: "things", protocol: "http" };

it("a span names known methods, and calls any other _OTHER", () => {
  const started: [string, SpanStart | undefined][] = [];
  const tracer = {
    start(name: string, options?: SpanStart) {
      started.push([name, options]);
      return { set: () => {}, end: () => {} };
    },
    within: <T>(_span: unknown, work: () => T): T => work(),
    headers: () => ({}),
  };
  for (const method of ["PUT", "M".repeat(60_000)]) startRequestSpan(request(method), { tracer, ...rest });
  expect(started.map(([name, options]) => [name, options?.attributes?.["http.request.method"]])).toEqual([
    ["PUT things", "PUT"],
    ["HTTP things", "_OTHER"],
  ]);
});

it("what a trace header has beyond the known fields is not passed on", () => {
  const known = `${"a".repeat(32)}-${"b".repeat(16)}-01`;
  const traceparent = `01-${known}-${"c".repeat(60_000)}`;
  const span = startRequestSpan(request("PUT", { traceparent }), { tracer: undefined, ...rest });
  expect(span.run(() => currentRequest())?.traceParent).toBe(`00-${known}`);
});
