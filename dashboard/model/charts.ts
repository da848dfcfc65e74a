import type { SeriesValues } from '../../protocol/rest/vitals.ts';
import { formatBytes, formatDuration, formatShare } from '../format.ts';

export interface ChartSeries<Values = SeriesValues> {
  readonly label: string;
  readonly read: (values: Values) => number | null;
  /** A bound and no measurement: dashed, and left out of the scale while it is far above. */
  readonly isLimit?: boolean;
  /** Where it leads if it goes on like this: not read but reckoned, and dashed. */
  readonly isOutlook?: boolean;
}

export interface ChartPlan<Values = SeriesValues> {
  readonly id: string;
  readonly title: string;
  readonly format: (value: number) => string;
  /** Ticks at powers of two. */
  readonly isBinary?: boolean;
  /** The scale never ends below: a quiet process does not look like a storm. */
  readonly leastTop: number;
  readonly series: readonly ChartSeries<Values>[];
}

const MiB = 1024 * 1024;

/** What the overview draws of a target, in this order. */
export const chartPlans: readonly ChartPlan[] = [
  {
    id: 'cpu',
    title: 'CPU',
    format: formatShare,
    leastTop: 0.1,
    series: [
      { label: 'process, of a core', read: totalCores },
      { label: 'main thread', read: ({ cpuMainCores }) => cpuMainCores },
      { label: 'throttled, of the time', read: ({ throttledRatio }) => throttledRatio },
    ],
  },
  {
    id: 'heap',
    title: 'Heap',
    format: formatBytes,
    isBinary: true,
    leastTop: 8 * MiB,
    series: [
      { label: 'used', read: ({ heapUsedBytes }) => heapUsedBytes },
      { label: 'external', read: ({ externalBytes }) => externalBytes },
      { label: 'heap limit', read: ({ heapLimitBytes }) => heapLimitBytes, isLimit: true },
      { label: 'container limit', read: ({ containerLimitBytes }) => containerLimitBytes, isLimit: true },
    ],
  },
  {
    id: 'memory',
    title: 'Memory of the process',
    format: formatBytes,
    isBinary: true,
    leastTop: 32 * MiB,
    series: [
      { label: 'RSS', read: ({ rssBytes }) => rssBytes },
      { label: 'container', read: ({ containerBytes }) => containerBytes },
      { label: 'container limit', read: ({ containerLimitBytes }) => containerLimitBytes, isLimit: true },
    ],
  },
  {
    id: 'delay',
    title: 'Event-loop delay',
    format: formatDuration,
    leastTop: 10,
    series: [
      { label: 'p99', read: ({ delayP99Ms }) => delayP99Ms },
      { label: 'longest', read: ({ delayMaxMs }) => delayMaxMs },
    ],
  },
  {
    id: 'utilization',
    title: 'Event loop busy',
    format: formatShare,
    leastTop: 0.1,
    series: [{ label: 'of the time', read: ({ utilization }) => utilization }],
  },
  {
    id: 'gc',
    title: 'Garbage collection',
    format: formatShare,
    leastTop: 0.01,
    series: [{ label: 'of the time', read: ({ gcRatio }) => gcRatio }],
  },
];

const dashes = [[], [6, 3], [2, 3]] as const;
const limitDashes = [
  [8, 5],
  [2, 5],
] as const;

/** No two lines of a chart differ by their colour alone. */
export function dashOf(series: readonly Pick<ChartSeries<never>, 'isLimit'>[], index: number): readonly number[] {
  const isLimit = series[index]?.isLimit === true;
  const before = series.slice(0, index).filter((one) => (one.isLimit === true) === isLimit).length;
  const patterns: readonly (readonly number[])[] = isLimit ? limitDashes : dashes;
  return patterns[Math.min(before, patterns.length - 1)] ?? [];
}

function totalCores({ cpuUserCores, cpuSystemCores }: SeriesValues): number | null {
  return cpuUserCores === null || cpuSystemCores === null ? null : cpuUserCores + cpuSystemCores;
}

/** A limit belongs to the picture when the values are within a third of it: far above them it would flatten all. */
const limitReach = 3;
const headroom = 1.12;

/** Where the y axis ends, for values that are shown now; limits as they were last. */
export function topOf(
  plan: ChartPlan<never>,
  shown: { readonly highest: number; readonly limits: readonly number[] },
): number {
  const highest = Math.max(shown.highest, 0);
  const near = shown.limits.filter((limit) => limit > 0 && limit <= Math.max(highest, plan.leastTop) * limitReach);
  return Math.max(plan.leastTop, highest * headroom, ...near.map((limit) => limit * 1.04));
}
