import type { Baseline, LoadSource, Spread } from '../../protocol/rest/baseline.ts';
import { medianOf } from '../../protocol/trend/growth-trend.ts';
import { limitOf, type Limit, type Thresholds } from './measures.ts';
import { isLeftLying, starvationOf } from './starvation.ts';
import type { Window } from './window.ts';

/** One measure of the last windows beside a baseline. */
export interface Verdict {
  readonly measure: string;
  readonly limit: Limit;
  readonly baseline: Spread;
  readonly now: number;
  /** Of the baseline: 1 is twice as much. Infinite where the baseline is 0. */
  readonly change: number;
  /** In standard deviations of the baseline's windows. */
  readonly significance: number;
  /** Every one of the windows is beyond the threshold and beyond what the baseline saw. */
  readonly isWorse: boolean;
  /** Not one of them is. */
  readonly isWell: boolean;
  readonly severity: 'warning' | 'critical';
  /** Why the load, or a machine without CPU for it, makes it so; null where neither does, or where that is not known. */
  readonly explanation: string | null;
  /** It is the machine. */
  readonly isStarved: boolean;
  /** Of RSS: it grew without what collections leave. */
  readonly isLeftLying: boolean;
}

export interface LoadChange {
  readonly source: LoadSource;
  readonly baseline: number | null;
  readonly now: number | null;
  /** Now over the baseline; null where either is not known. */
  readonly ratio: number | null;
}

/** A change must be this far from the median of the baseline's windows, and beyond the windows themselves. */
const deviations = 3;
/** Below it requests are too few to share what the program does anyway: CPU per request would rise by itself. */
const comparableLoad = 0.7;
/** From here on queues form that the baseline did not have. */
const otherLoad = 1.5;
/** Ten requests in a window: of fewer, one that is dear is the whole difference. */
const sharedUncertainty = 1 / Math.sqrt(10);
/** What is not worth a word of the CPU of a request. */
const sameCpu = 0.2;

/** Every measure that both have. `windows` are those that a change must last for. */
export function compare(windows: readonly Window[], baseline: Baseline, thresholds: Thresholds): Verdict[] {
  const load = loadChange(windows, baseline);
  const judge = { windows, baseline, load };
  const verdicts = Object.entries(baseline.measures).flatMap(([measure, spread]) => {
    const limit = limitOf(measure, thresholds);
    return limit === undefined ? [] : (judged({ ...judge, measure, spread, limit }) ?? []);
  });
  const perRequest = verdicts.find(({ measure }) => measure === 'cpu-per-request');
  const uncertainty = countingUncertainty(windows);
  const isCpuWorse = verdicts.some(({ measure, isWorse }) => measure === 'cpu' && isWorse);
  return verdicts
    .filter((verdict) => verdict !== perRequest || !isCpuWorse)
    .map((verdict) => {
      const byLoad = explanationOf(verdict, { load, perRequest, uncertainty });
      const byMachine = verdict.isWorse ? starvationBehind(verdict, windows, baseline) : null;
      return {
        ...verdict,
        explanation: byMachine ?? byLoad,
        isStarved: byMachine !== null,
        isLeftLying: verdict.measure === 'rss' && isLeftLying(windows, baseline),
      };
    });
}

/** CPU time is used or not, whoever waits for it, and the heap's floor is what collections leave: the rest waits with the program. */
function starvationBehind({ measure }: Judged, windows: readonly Window[], baseline: Baseline): string | null {
  const text = starvationOf(windows, baseline);
  if (text === null) return null;
  if (measure === 'delay-p99' || measure.startsWith('route-p95 ')) return text;
  return measure === 'rss' && isLeftLying(windows, baseline)
    ? `${text}, and what collections leave is as it was`
    : null;
}

export function loadChange(windows: readonly Window[], { measures, loadSource }: Baseline): LoadChange {
  const loads = windows.map(({ values }) => values['load']).filter((value) => value !== undefined);
  const source = windows.at(-1)?.loadSource ?? 'unknown';
  const now = loads.length < windows.length || loads.length === 0 ? null : medianOf(loads);
  const before = loadSource === source ? (measures['load']?.median ?? null) : null;
  const ratio = now === null || before === null || (before === 0 && now === 0) ? null : now / before;
  return { source, baseline: before, now, ratio };
}

interface Judging {
  readonly windows: readonly Window[];
  readonly load: LoadChange;
  readonly measure: string;
  readonly spread: Spread;
  readonly limit: Limit;
}

type Judged = Omit<Verdict, 'explanation' | 'isStarved' | 'isLeftLying'>;

function judged({ windows, load, measure, spread, limit }: Judging): Judged | undefined {
  const values = windows.map((window) => window.values[measure]).filter((value) => value !== undefined);
  if (values.length < windows.length || values.length === 0) return undefined;
  if (limit.requests !== undefined && !hasRequests(windows, limit.requests)) return undefined;
  const isShared = measure === 'cpu-per-request';
  const uncertainty = isShared ? countingUncertainty(windows) : 0;
  if (uncertainty > sharedUncertainty) return undefined;
  if (isShared && (load.ratio === null || load.ratio < comparableLoad)) return undefined;
  const { direction, share, criticalShare } = limit;
  const now = medianOf(values);
  const difference = (now - spread.median) * direction;
  const atLeast = isShared ? (0.1 * 1000) / Math.max(load.now ?? 0, 1e-9) : limit.atLeast;
  const bound = Math.max(
    Math.abs(spread.median) * share,
    atLeast,
    deviations * spread.noise,
    deviations * uncertainty * Math.abs(spread.median),
    ((direction === 1 ? spread.high : spread.low) - spread.median) * direction,
  );
  const beyond = values.filter((value) => (value - spread.median) * direction > bound).length;
  const change =
    spread.median === 0 ? (now === 0 ? 0 : Math.sign(now) * Infinity) : (now - spread.median) / Math.abs(spread.median);
  // Of so few windows a noise of nothing says nothing: two percent at least.
  const deviation = Math.max(spread.noise, 0.02 * Math.abs(spread.median), 1e-9);
  return {
    measure,
    limit,
    baseline: spread,
    now,
    change,
    significance: Math.max(0, difference / deviation),
    isWorse: beyond === values.length,
    isWell: beyond === 0,
    severity: criticalShare !== undefined && change > criticalShare ? 'critical' : 'warning',
  };
}

/**
 * Of CPU per request, as a share: requests differ, and which of them fall into a window is chance. Of the window that has the fewest; infinite where one has none.
 */
function countingUncertainty(windows: readonly Window[]): number {
  const counts = windows.map(({ values, fromMs, toMs }) => ((values['load'] ?? 0) * (toMs - fromMs)) / 1000);
  const fewest = Math.min(...counts);
  return 1 / Math.sqrt(fewest);
}

function hasRequests(windows: readonly Window[], { route, atLeast }: NonNullable<Limit['requests']>): boolean {
  return (
    windows.reduce(
      (sum, { routeRequests }) => sum + (Object.hasOwn(routeRequests, route) ? routeRequests[route]! : 0),
      0,
    ) >= atLeast
  );
}

interface Explaining {
  readonly load: LoadChange;
  readonly perRequest: Judged | undefined;
  readonly uncertainty: number;
}

/** CPU beside what the requests of the baseline would take as many times as there are now: by the same rule as beside the baseline itself. */
function explainedCpu(
  { now, baseline, limit }: Judged,
  { ratio, uncertainty, traffic }: { ratio: number; uncertainty: number; traffic: string },
): string | null {
  const expected = baseline.median * ratio;
  const bound = Math.max(
    expected * limit.share,
    limit.atLeast,
    deviations * Math.max(baseline.noise * ratio, expected * uncertainty),
  );
  if (now - expected > bound) return null;
  const more = now / expected - 1;
  if (more <= sameCpu) return `${traffic}, each at the CPU it had`;
  return `${traffic}, each at ${Math.round(more * 100)} % more CPU, which is not beyond the threshold and the noise`;
}

function explanationOf(verdict: Judged, { load, perRequest, uncertainty }: Explaining): string | null {
  const { measure, limit, change, isWorse } = verdict;
  if (!isWorse || load.ratio === null || measure === 'cpu-per-request' || measure.startsWith('series ')) return null;
  const traffic =
    load.ratio === Infinity ? 'the baseline saw no requests' : `${load.ratio.toFixed(1)} times the requests`;
  if (measure === 'cpu') {
    if (load.ratio === Infinity) return traffic;
    if (load.ratio < 1.2 || perRequest?.isWorse === true) return null;
    return explainedCpu(verdict, { ratio: load.ratio, uncertainty, traffic });
  }
  if (limit.unit === 'bytes') return change <= load.ratio - 1 ? traffic : null;
  return load.ratio >= otherLoad && perRequest?.isWorse !== true ? traffic : null;
}
