import type { Registry } from 'prom-client';

/** As Counter, Gauge and Histogram have it; the public way to their labels reads all sources of their values. */
interface LabelledMetric {
  readonly hashMap: Readonly<Record<string, { readonly labels: Readonly<Record<string, string>> }>>;
  remove(labels: Readonly<Record<string, string>>): void;
}

/** Removes every series of a target that will not come back: a restart loop must not grow `/metrics` for as long as the agent runs. */
export function forgetTarget(registry: Registry, target: string): void {
  for (const metric of registry.getMetricsAsArray() as unknown as LabelledMetric[]) {
    for (const { labels } of Object.values(metric.hashMap)) if (labels['target'] === target) metric.remove(labels);
  }
}
