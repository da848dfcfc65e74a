import type { SeriesRule } from './series-rule.ts';

export interface Thresholds {
  /** Growth over the baseline from which on CPU is a regression: 0.5 is half as much again. */
  readonly cpuShare: number;
  readonly memoryShare: number;
  readonly series: readonly SeriesRule[];
}

/** What has to be exceeded for a measure to be worse. */
export interface Limit {
  readonly unit: 'cores' | 'ms' | 'bytes' | 'number';
  readonly title: string;
  /** -1: it is worse when it falls. */
  readonly direction: 1 | -1;
  /** Of the baseline. */
  readonly share: number;
  /** In the measure's own unit. */
  readonly atLeast: number;
  readonly criticalShare?: number;
  /** How many requests of the route the compared windows must have. */
  readonly requests?: { readonly route: string; readonly atLeast: number };
}

const mebibyte = 2 ** 20;

/** Undefined for what is shown and never compared: load, load averages, rates of routes. */
export function limitOf(measure: string, { cpuShare, memoryShare, series }: Thresholds): Limit | undefined {
  switch (measure) {
    case 'cpu':
      return { unit: 'cores', title: 'CPU', direction: 1, share: cpuShare, atLeast: 0.1 };
    case 'cpu-per-request':
      // What has to be 0.1 core is the excess times the load: see `compare`.
      return { unit: 'ms', title: 'CPU per request', direction: 1, share: cpuShare, atLeast: 0 };
    case 'heap-floor':
      return memory('memory held by the heap', memoryShare);
    case 'rss':
      return memory('memory of the process', memoryShare);
    case 'delay-p99':
      return { unit: 'ms', title: 'event-loop delay p99', direction: 1, share: 1, atLeast: 50 };
  }
  const route = measure.startsWith(routePrefix) ? measure.slice(routePrefix.length) : undefined;
  if (route !== undefined) {
    const title = `p95 of ${route}`;
    return { unit: 'ms', title, direction: 1, share: 0.5, atLeast: 20, requests: { route, atLeast: 100 } };
  }
  const rule = series.find(({ text }) => measure === seriesMeasure(text));
  if (rule === undefined) return undefined;
  const { text, direction, share, atLeast } = rule;
  return { unit: 'number', title: text, direction, share, atLeast };
}

const routePrefix = 'route-p95 ';

export function seriesMeasure(text: string): string {
  return `series ${text}`;
}

function memory(title: string, share: number): Limit {
  return { unit: 'bytes', title, direction: 1, share, atLeast: 32 * mebibyte, criticalShare: 0.5 };
}
