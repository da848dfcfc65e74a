export const metricTypes = [
  'counter',
  'gauge',
  'histogram',
  'summary',
  'unknown',
  'info',
  'stateset',
  'gaugehistogram',
] as const;
export type MetricType = (typeof metricTypes)[number];

/** What a sample is of its family: the bucket of a histogram, the quantile of a summary, or simply its value. */
export type SampleRole = 'value' | 'total' | 'bucket' | 'count' | 'sum' | 'quantile' | 'created';

export type Labels = Readonly<Record<string, string>>;

/** One series of a page. The parser hands out the same object for the same series, page after page. */
export interface MetricSeries {
  /** Of the sample: `http_request_duration_seconds_bucket`. */
  readonly name: string;
  /** Without empty ones, which are the same as none. */
  readonly labels: Labels;
  /** Canonical text, labels in order of their names: equal for equal series, however they were written. */
  readonly key: string;
  /** `http_request_duration_seconds`; as of the last page. */
  readonly family: string;
  readonly type: MetricType;
  readonly role: SampleRole;
  /** Only grows, until its process starts anew: what counts is its increase. */
  readonly isCumulative: boolean;
}

export interface MetricFamily {
  readonly name: string;
  readonly type: MetricType;
  readonly help: string | undefined;
  readonly unit: string | undefined;
}

export interface Exemplar {
  readonly labels: Labels;
  readonly value: number;
  readonly timestampMs: number | undefined;
}

/** Columns: `values[i]` is the sample of `series[i]`, in the order of the page. */
export interface MetricsPage {
  readonly series: readonly MetricSeries[];
  readonly values: readonly number[];
  /** By index; of samples that carry one. */
  readonly timestampsMs: ReadonlyMap<number, number>;
  /** By index; at most 1000. */
  readonly exemplars: ReadonlyMap<number, Exemplar>;
  readonly families: ReadonlyMap<string, MetricFamily>;
  readonly sizeBytes: number;
  /** Samples left out, because their series was on the page before. */
  readonly repeated: number;
  /** Families that the page gives two types; the first one holds. */
  readonly retyped: readonly string[];
}
