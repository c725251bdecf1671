/**
 * Registers OpenTelemetry in a process before anything else runs: `node --import ./otel.ts …`, or NODE_OPTIONS for the servers.
 *
 * An app in production has a similar file, with a batching exporter to its collector. Here each span becomes a line of the file in TRACE_FILE.
 */
import { appendFileSync } from "node:fs";
import { context, trace } from "@opentelemetry/api";
import { AsyncLocalStorageContextManager } from "@opentelemetry/context-async-hooks";
import { BasicTracerProvider, type ReadableSpan, SimpleSpanProcessor } from "@opentelemetry/sdk-trace-base";
import type { SpanLine } from "./span-tree.ts";

const { TRACE_FILE, SERVICE = "app" } = process.env;

if (TRACE_FILE !== undefined) {
  const exporter = {
    export(spans: readonly ReadableSpan[], done: (result: { readonly code: number }) => void): void {
      appendFileSync(TRACE_FILE, spans.map((span) => `${JSON.stringify(lineOf(span))}\n`).join(""));
      done({ code: 0 });
    },
    shutdown: async (): Promise<void> => {},
  };
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
  trace.setGlobalTracerProvider(new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] }));
}

function lineOf(span: ReadableSpan): SpanLine {
  const { traceId, spanId } = span.spanContext();
  const [seconds, nanos] = span.startTime;
  return {
    traceId,
    spanId,
    parentSpanId: span.parentSpanContext?.spanId,
    service: SERVICE,
    name: span.name,
    startMs: seconds * 1000 + nanos / 1e6,
    durationMs: span.duration[0] * 1000 + span.duration[1] / 1e6,
    attributes: span.attributes,
    failed: span.status.code === 2,
  };
}
