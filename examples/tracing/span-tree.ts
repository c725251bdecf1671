import { existsSync, readFileSync } from "node:fs";

/** One span, as a process wrote it. */
export interface SpanLine {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId: string | undefined;
  /** The process. */
  readonly service: string;
  readonly name: string;
  readonly startMs: number;
  readonly durationMs: number;
  readonly attributes: Readonly<Record<string, unknown>>;
  readonly failed: boolean;
}

/** All spans that were written so far. */
export function readSpans(file: string): readonly SpanLine[] {
  if (!existsSync(file)) return [];
  const lines = readFileSync(file, "utf8").split("\n");
  return lines.filter((line) => line !== "").map((line) => JSON.parse(line) as SpanLine);
}

/** A trace as text: a line for each span, with its process and its time, below its parent span. */
export function spanTree(spans: readonly SpanLine[], root: SpanLine): string {
  const rows: { readonly tree: string; readonly span: SpanLine }[] = [];
  const visit = (span: SpanLine, lead: string, branch: string, below: string): void => {
    rows.push({ tree: lead + branch + span.name, span });
    const children = spans
      .filter(({ parentSpanId }) => parentSpanId === span.spanId)
      .sort((a, b) => a.startMs - b.startMs);
    children.forEach((child, index) => {
      const last = index === children.length - 1;
      visit(child, lead + below, last ? "└─ " : "├─ ", last ? "   " : "│  ");
    });
  };
  visit(root, "", "", "");
  const width = Math.max(...rows.map(({ tree }) => tree.length));
  return rows.map(({ tree, span }) => `${tree.padEnd(width)}  ${described(span)}`).join("\n");
}

function described({ service, durationMs, failed, attributes }: SpanLine): string {
  const size = attributes["ashlar.size_bytes"];
  const code = attributes["error.type"];
  return [
    service.padEnd(7),
    `${durationMs.toFixed(1)} ms`.padStart(9),
    ...(typeof size === "number" ? [` ${size} bytes`] : []),
    ...(failed ? [` ${String(code)}`] : []),
  ].join(" ");
}
