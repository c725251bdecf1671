/** Label names and values of one time series. */
export type MetricLabels = Readonly<Record<string, string>>;

/** What a metric is. The name begins with `ashlar_` and ends with its unit (`_seconds`, `_bytes`, `_total`). */
export interface MetricSpec {
  readonly name: string;
  readonly help: string;
  readonly labelNames?: readonly string[] | undefined;
}

/** Only grows. */
export interface Counter {
  add(count: number, labels?: MetricLabels): void;
}

/** Goes up and down. */
export interface Gauge {
  set(value: number, labels?: MetricLabels): void;
  add(difference: number, labels?: MetricLabels): void;
}

/** Counts observations in buckets. */
export interface Histogram {
  observe(value: number, labels?: MetricLabels): void;
}

/** Where parts of a server put their figures. Asking twice for one name gives the same metric. */
export interface Metrics {
  counter(spec: MetricSpec): Counter;
  gauge(spec: MetricSpec): Gauge;
  /** @param spec.buckets upper bounds, ascending, in the metric's unit. */
  histogram(spec: MetricSpec & { readonly buckets: readonly number[] }): Histogram;
  /** Everything in the Prometheus text format. */
  render(): Promise<{ readonly contentType: string; readonly text: string }>;
}

/** Bounds in seconds for what takes from half a millisecond to half a minute. */
export const DURATION_BUCKETS_SECONDS: readonly number[] = Object.freeze([
  0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30,
]);

const drop = (): void => {};

/** Keeps nothing: for embedding without metrics. */
export const noMetrics: Metrics = Object.freeze({
  counter: () => ({ add: drop }),
  gauge: () => ({ set: drop, add: drop }),
  histogram: () => ({ observe: drop }),
  render: async () => ({ contentType: "text/plain; charset=utf-8", text: "" }),
});
