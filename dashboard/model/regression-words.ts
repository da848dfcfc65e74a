import type { Baseline } from '../../protocol/rest/baseline.ts';
import type { Reference, Regression, RegressionCheck } from '../../protocol/rest/regressions.ts';
import { formatBytes, formatDuration, formatShare } from '../format.ts';
import type { Tone } from './words.ts';

type Measure = RegressionCheck['comparisons'][number]['measures'][number];
type Unit = Measure['unit'];

export interface CompareRow {
  readonly metric: string;
  readonly title: string;
  readonly unit: Unit;
  readonly now: number;
  /** One per comparison, in their order; null where that one has no such measure. */
  readonly cells: readonly (Measure | null)[];
  readonly worst: Measure['verdict'];
}

const verdicts: readonly Measure['verdict'][] = ['worse', 'unsure', 'explained', 'ok'];

/** One row per measure, all references beside each other; what is worse stands first. */
export function compareRows({ comparisons }: Pick<RegressionCheck, 'comparisons'>): CompareRow[] {
  const metrics = new Map<string, Measure>();
  for (const { measures } of comparisons) {
    for (const measure of measures) if (!metrics.has(measure.metric)) metrics.set(measure.metric, measure);
  }
  const rows = [...metrics.values()].map(({ metric, title, unit, now }) => {
    const cells = comparisons.map(({ measures }) => measures.find((other) => other.metric === metric) ?? null);
    const worst = verdicts.find((verdict) => cells.some((cell) => cell?.verdict === verdict)) ?? 'ok';
    return { metric, title, unit, now, cells, worst };
  });
  return rows.toSorted((a, b) => verdicts.indexOf(a.worst) - verdicts.indexOf(b.worst));
}

export const verdictWords = {
  ok: ['good', 'As before'],
  worse: ['bad', 'Worse'],
  explained: ['idle', 'Explained by load'],
  unsure: ['warn', 'Unsure yet'],
} as const satisfies Record<Measure['verdict'], readonly [Tone, string]>;

export const outcomeWords = {
  sent: ['bad', 'Alerted'],
  explained: ['idle', 'Explained by load'],
  provisional: ['warn', 'Early finding'],
} as const satisfies Record<Regression['outcome'], readonly [Tone, string]>;

export function referenceWords({ kind, version }: Reference): string {
  if (kind === 'previous-version') return `Version ${version ?? 'before'}`;
  return kind === 'settled' ? 'Settled baseline' : 'First minutes';
}

export function baselineWords({ kind, windows, isLate }: Baseline): string {
  const what = { provisional: 'Of the first minutes', settled: 'Settled', manual: 'Taken by hand' }[kind];
  return `${what}, ${windows} windows${isLate ? ', the start was not seen' : ''}`;
}

export function amountOf(value: number, unit: Unit): string {
  switch (unit) {
    case 'bytes':
      return formatBytes(value);
    case 'ms':
      return formatDuration(value);
    case 'cores':
      return `${formatShare(value)} of a core`;
    case 'number':
      return String(Number(value.toPrecision(3)));
  }
}

/** `▲ 62 %`; what was 0 before has no share. */
export function changeOf(change: number | null): string {
  if (change === null) return 'new';
  return `${change > 0 ? '▲' : change < 0 ? '▼' : '='} ${formatShare(Math.abs(change))}`;
}
