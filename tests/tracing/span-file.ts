import { existsSync, readFileSync } from "node:fs";
import type { ReadableSpan } from "@opentelemetry/sdk-trace-base";

/** One ended span, as a process wrote it. */
export interface WrittenSpan {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId: string | undefined;
  readonly service: string;
  readonly name: string;
  /** OpenTelemetry's number: 0 internal, 1 server, 2 client. */
  readonly kind: number;
  readonly attributes: Readonly<Record<string, unknown>>;
  /** 2: failed. */
  readonly statusCode: number;
}

export function writtenSpan(span: ReadableSpan, service: string): WrittenSpan {
  const { traceId, spanId } = span.spanContext();
  return {
    traceId,
    spanId,
    parentSpanId: span.parentSpanContext?.spanId,
    service,
    name: span.name,
    kind: span.kind,
    attributes: span.attributes,
    statusCode: span.status.code,
  };
}

export function readSpans(file: string): readonly WrittenSpan[] {
  if (!existsSync(file)) return [];
  const lines = readFileSync(file, "utf8").split("\n");
  return lines.filter((line) => line !== "").map((line) => JSON.parse(line) as WrittenSpan);
}

/** The span and its ancestors, as far as they are in `spans`; the span itself comes first. */
export function pathUp(spans: readonly WrittenSpan[], span: WrittenSpan): readonly WrittenSpan[] {
  const parent = spans.find(({ spanId }) => spanId === span.parentSpanId);
  return parent === undefined ? [span] : [span, ...pathUp(spans, parent)];
}
