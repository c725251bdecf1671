import {
  collectDefaultMetrics,
  Counter as PromCounter,
  Gauge as PromGauge,
  Histogram as PromHistogram,
  Registry,
} from "prom-client";
import type { Counter, Gauge, Histogram, MetricSpec, Metrics } from "./metrics.ts";

/** Options of {@link createMetrics}. */
export interface CreateMetricsOptions {
  /** Where to register; default: a new registry. */
  readonly registry?: Registry | undefined;
  /** Put on every time series. */
  readonly defaultLabels?: Readonly<Record<string, string>> | undefined;
  /** Also the figures of the process: memory, event loop, garbage collection. Default false; they belong to a whole process. */
  readonly processMetrics?: boolean | undefined;
}

/** Metrics kept by prom-client. */
export function createMetrics(options: CreateMetricsOptions = {}): Metrics {
  const registry = options.registry ?? new Registry();
  if (options.defaultLabels !== undefined) registry.setDefaultLabels({ ...options.defaultLabels });
  if (options.processMetrics === true) collectDefaultMetrics({ register: registry });
  const known = <Metric>(name: string): Metric | undefined => registry.getSingleMetric(name) as Metric | undefined;
  return Object.freeze<Metrics>({
    counter(spec): Counter {
      const metric = known<PromCounter>(spec.name) ?? new PromCounter(configuration(spec, registry));
      return { add: (count, labels) => metric.inc({ ...labels }, count) };
    },
    gauge(spec): Gauge {
      const metric = known<PromGauge>(spec.name) ?? new PromGauge(configuration(spec, registry));
      return {
        set: (value, labels) => metric.set({ ...labels }, value),
        add: (difference, labels) => metric.inc({ ...labels }, difference),
      };
    },
    histogram(spec): Histogram {
      const metric =
        known<PromHistogram>(spec.name) ??
        new PromHistogram({ ...configuration(spec, registry), buckets: [...spec.buckets] });
      return { observe: (value, labels) => metric.observe({ ...labels }, value) };
    },
    render: async () => ({ contentType: registry.contentType, text: await registry.metrics() }),
  });
}

function configuration(
  spec: MetricSpec,
  registry: Registry,
): { name: string; help: string; labelNames: string[]; registers: Registry[] } {
  return { name: spec.name, help: spec.help, labelNames: [...(spec.labelNames ?? [])], registers: [registry] };
}
