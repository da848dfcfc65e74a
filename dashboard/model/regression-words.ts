import type { Baseline } from '../../protocol/rest/baseline.ts';
import type { Reference, Regression, RegressionCheck } from '../../protocol/rest/regressions.ts';
import type { Profile } from '../../protocol/rest/profile.ts';
import { formatBytes, formatDuration, formatShare, formatUtc } from '../format.ts';
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

/** `25 % of a core to 47 % of a core, ▲ 88 %`. */
export function findingWords({
  baseline,
  now,
  change,
  unit,
}: Pick<Regression, 'baseline' | 'now' | 'change' | 'unit'>) {
  return `${amountOf(baseline.median, unit)} to ${amountOf(now, unit)}, ${changeOf(change)}`;
}

/** Of the requests then: `▲ 2.5 % requests`. */
export function loadWords(ratio: number | null): string {
  if (ratio === null) return 'not known';
  return Math.abs(ratio - 1) < 0.0005 ? 'as many requests' : `${changeOf(ratio - 1)} requests`;
}

export function significanceWords(significance: number): string {
  return `${significance.toFixed(1)} standard deviations of its windows`;
}

/** `closely (0.91 of 1, 9 windows)`; Spearman's coefficient, as the agent counts it. */
export function correlatedWords({ correlation, windows }: Regression['correlated'][number]): string {
  if (correlation === null) return 'too few windows to say';
  const size = Math.abs(correlation);
  const how = size >= 0.8 ? 'closely' : size >= 0.5 ? 'partly' : 'hardly';
  const way = correlation < 0 ? ', the other way' : '';
  return `${how}${way} (${correlation.toFixed(2)} in ${windows} windows)`;
}

type Taken = Pick<Profile, 'id' | 'kind' | 'targetId' | 'startedAt' | 'endedAt' | 'thread'>;

export interface ProfilesAround {
  readonly before: string | null;
  readonly after: string | null;
}

/** The last CPU profile from before it began and the last since then: what its functions did in each. */
export function profilesAround(
  profiles: readonly Taken[],
  { targetId, since, endedAt }: Pick<Regression, 'targetId' | 'since' | 'endedAt'>,
): ProfilesAround {
  const mine = profiles
    .filter((profile) => profile.kind === 'cpu' && profile.targetId === targetId && profile.thread.kind === 'main')
    .toSorted((a, b) => b.startedAt.localeCompare(a.startedAt));
  const before = mine.find((profile) => profile.endedAt <= since);
  const after = mine.find(({ startedAt }) => startedAt >= since && (endedAt === null || startedAt <= endedAt));
  return { before: before?.id ?? null, after: after?.id ?? null };
}

/** Why what its functions did before and after cannot be laid side by side; null where it can. */
export function compareObstacle({ before, after }: ProfilesAround, { endedAt }: Pick<Regression, 'endedAt'>) {
  if (before !== null && after !== null) return null;
  const since = endedAt === null ? 'since it began' : 'while it lasted';
  const missing =
    before !== null
      ? `none ${since}`
      : after !== null
        ? 'none from before it began'
        : `none from before it began and none ${since}`;
  return `Its functions cannot be compared: of the CPU profiles that are kept, ${missing}.`;
}

/** For a ticket or a chat. */
export function regressionAsText(regression: Regression): string {
  const { title, service, state, outcome, reference, since, endedAt, load, causes, correlated } = regression;
  return [
    `${title}: ${findingWords(regression)} (${outcomeWords[outcome][1].toLowerCase()}, ${state})`,
    `${service.name}${service.version === null ? '' : ` ${service.version}`} beside: ${referenceWords(reference)}`,
    `Since ${formatUtc(since)}${endedAt === null ? '' : `, ended ${formatUtc(endedAt)}`}`,
    `Significance: ${significanceWords(regression.significance)}`,
    `Load: ${load.ratio === null ? 'not known' : changeOf(load.ratio - 1)}`,
    ...(regression.explanation === null ? [] : [`Explained: ${regression.explanation}`]),
    ...causes.map(({ text }) => `- ${text}`),
    ...correlated.map((one) => `~ ${one.name}: ${one.baseline} to ${one.now}, ${correlatedWords(one)}`),
  ].join('\n');
}

/** The whole comparison, for a ticket or a chat. */
export function checkAsText(check: RegressionCheck): string {
  const rows = compareRows(check).map(({ title, unit, now, cells, worst }) => {
    const befores = cells.map((cell) => (cell === null ? '?' : amountOf(cell.baseline.median, unit)));
    return `${verdictWords[worst][1]}: ${title} ${amountOf(now, unit)} (${befores.join('; ')})`;
  });
  const references = check.comparisons.map(({ reference }) => referenceWords(reference)).join('; ');
  return [`${formatUtc(check.at)}: ${check.message}`, `Beside: ${references}`, ...rows].join('\n');
}

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
