import { AshlarError } from "@ashlar/sdk/errors";
import type { Clock, SpanAttributes } from "@ashlar/sdk/ports";
import { type Counter, DURATION_BUCKETS_SECONDS, type Histogram, type MetricLabels, type Metrics } from "./metrics.ts";

/** Begins to measure what a span covers; `undefined` if no metric is kept of it. The returned function is to be called at the end. */
export type SpanMeter = (
  name: string,
  attributes: SpanAttributes | undefined,
) => ((error: unknown) => void) | undefined;

/** The metrics of one kind of span, named `<prefix>.<operation>`. */
interface MeteredKind {
  readonly durations: Histogram;
  readonly failures?: Counter | undefined;
  readonly labelName: string;
  /** Further labels of failures, in addition to the operation and the code. */
  readonly failureLabels?: ((attributes: SpanAttributes | undefined) => MetricLabels) | undefined;
}

/** Metrics of the spans that stores and transports make: SQL operations, steps on files, calls to nodes. */
export function createSpanMeter(metrics: Metrics, clock: Pick<Clock, "monotonicMs">): SpanMeter {
  const kinds: Readonly<Record<string, MeteredKind>> = {
    sql: {
      labelName: "operation",
      durations: durationsOf(metrics, {
        name: "ashlar_sql_duration_seconds",
        help: "One operation of the metadata store, from the call to its commit, retries and waiting for others included",
        labelName: "operation",
      }),
      failures: metrics.counter({
        name: "ashlar_sql_failures_total",
        help: "Operations of the metadata store that failed, by error code; refusals such as a failed condition count too",
        labelNames: ["operation", "code"],
      }),
    },
    file: {
      labelName: "step",
      durations: durationsOf(metrics, {
        name: "ashlar_file_duration_seconds",
        help: "One step of writing a chunk file: write, fsync, rename, or fsync of its folder",
        labelName: "step",
      }),
    },
    chunks: {
      labelName: "method",
      durations: durationsOf(metrics, {
        name: "ashlar_replica_duration_seconds",
        help: "One call from here to a storage node",
        labelName: "method",
      }),
      failures: metrics.counter({
        name: "ashlar_replica_failures_total",
        help: "Calls to a storage node that failed, by node and error code; CANCELED: no longer needed",
        labelNames: ["node", "method", "code"],
      }),
      failureLabels: (attributes) => ({ node: String(attributes?.["ashlar.node.id"] ?? "") }),
    },
  };
  return (name, attributes) => {
    const dot = name.indexOf(".");
    const kind = Object.hasOwn(kinds, name.slice(0, dot)) ? kinds[name.slice(0, dot)] : undefined;
    if (kind === undefined) return undefined;
    const labels = { [kind.labelName]: name.slice(dot + 1) };
    const startedMs = clock.monotonicMs();
    return (error) => {
      kind.durations.observe((clock.monotonicMs() - startedMs) / 1000, labels);
      if (error === undefined) return;
      kind.failures?.add(1, { ...labels, ...kind.failureLabels?.(attributes), code: AshlarError.from(error).code });
    };
  };
}

function durationsOf(
  metrics: Metrics,
  { name, help, labelName }: { readonly name: string; readonly help: string; readonly labelName: string },
): Histogram {
  return metrics.histogram({ name, help, labelNames: [labelName], buckets: DURATION_BUCKETS_SECONDS });
}
