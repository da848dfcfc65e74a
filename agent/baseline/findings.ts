import type { Correlated, MetricWindows, Regression } from '../../protocol/rest/regressions.ts';
import { newId } from '../store/id.ts';
import { byCorrelation, movedMeasures, windowsAround, type Moved } from './correlated.ts';
import type { Verdict } from './comparison.ts';
import type { Compared } from './references.ts';
import { isOfSurroundings, surroundingCauses } from './surroundings.ts';
import { comparedOf, titleOf } from './words.ts';
import type { Window } from './window.ts';

export interface FindingChange {
  readonly change: 'opened' | 'updated' | 'ended';
  readonly regression: Regression;
}

export interface FindingFacts {
  readonly targetId: string;
  readonly instanceId: string;
  readonly service: Regression['service'];
  /** Wall clock. */
  readonly at: string;
  /** Windows of this run, the newest last. */
  readonly history: readonly Window[];
  readonly series: MovedSeries;
}

export interface MovedSeries {
  /** Scraped series that moved since a baseline was taken, the largest change first. */
  moved(compared: Compared): readonly Moved[];
  /** Of one that moved. */
  valueIn(name: string, window: Window): number | undefined;
}

/** Of measures, and of series; how closely they follow is asked of a few more. */
const correlatedMax = 5;
const candidatesMax = 20;

/** What is worse at present, of one run of a program: one finding per measure, whatever it is compared with. */
export class Findings {
  readonly #open = new Map<string, Regression>();
  /** Metrics whose finding began for want of CPU: memory that was left lying is not given back with the CPU. */
  readonly #starved = new Set<string>();

  get open(): readonly Regression[] {
    return [...this.#open.values()];
  }

  /** `windows` are those that a change must last for. */
  update(compared: readonly Compared[], windows: readonly Window[], facts: FindingFacts): FindingChange[] {
    const changes: FindingChange[] = [];
    const metrics = new Set([
      ...this.#open.keys(),
      ...compared.flatMap(({ verdicts }) => verdicts.map(({ measure }) => measure)),
    ]);
    for (const metric of metrics) {
      const known = this.#open.get(metric);
      const lastsMs = known === undefined ? 0 : Date.parse(facts.at) - Date.parse(known.since);
      const worst = worstOf(metric, { compared: compared.map((one) => this.#withBegin(one)), lastsMs });
      if (worst?.verdict.isStarved === true) this.#starved.add(metric);
      if (worst !== undefined) {
        changes.push(this.#tell({ known, worst, windows, facts, lastsMs }));
        continue;
      }
      const over = known && whyOver(known, compared, facts.at);
      if (known !== undefined && over !== undefined) changes.push(this.#end(known, over, facts.at));
    }
    return changes;
  }

  /** A finding as it is now, with more known of its causes. Undefined when it is over. */
  amend(id: string, causes: Regression['causes']): Regression | undefined {
    const known = this.open.find((finding) => finding.id === id);
    if (known === undefined) return undefined;
    const amended = { ...known, causes };
    this.#open.set(known.metric, amended);
    return amended;
  }

  endAll(why: string, at: string): FindingChange[] {
    return this.open.map((finding) => this.#end(finding, why, at));
  }

  /** An open finding of RSS stays what it was taken for, as long as collections leave no more. */
  #withBegin(compared: Compared): Compared {
    const verdicts = compared.verdicts.map((verdict) =>
      verdict.measure === 'rss' && verdict.isWorse && verdict.isLeftLying && this.#starved.has('rss')
        ? {
            ...verdict,
            isStarved: true,
            explanation:
              verdict.explanation ?? 'it grew while it waited for a CPU, and what collections leave is as it was',
          }
        : verdict,
    );
    return { ...compared, verdicts };
  }

  #tell(parts: {
    known: Regression | undefined;
    worst: Worst;
    windows: readonly Window[];
    facts: FindingFacts;
    lastsMs: number;
  }): FindingChange {
    const { known, worst, windows, facts, lastsMs } = parts;
    const { compared, verdict } = worst;
    const { targetId, instanceId, service, at, history } = facts;
    const { reference, load } = compared;
    const since = known?.since ?? new Date(windows[0]?.fromMs ?? 0).toISOString();
    const regression: Regression = {
      id: known?.id ?? newId(),
      targetId,
      instanceId,
      service,
      ...comparedOf(verdict),
      title: titleOf(verdict, { reference, load }),
      reference,
      state: 'open',
      outcome: outcomeOf(worst, lastsMs),
      since,
      foundAt: known?.foundAt ?? at,
      updatedAt: at,
      endedAt: null,
      endReason: null,
      load: { ...load, ratio: load.ratio === Infinity ? null : load.ratio },
      correlated: correlatedOf(worst, { windows, facts, sinceMs: Date.parse(since) }),
      causes: [
        ...(known?.causes ?? []).filter((cause) => !isOfSurroundings(cause)),
        ...surroundingCauses(verdict.measure, { windows, baseline: compared.baseline, load }),
      ],
      windows: metricWindows(history, verdict.measure),
    };
    this.#open.set(verdict.measure, regression);
    return { change: known === undefined ? 'opened' : 'updated', regression };
  }

  #end(known: Regression, endReason: string, at: string): FindingChange {
    this.#open.delete(known.metric);
    this.#starved.delete(known.metric);
    return { change: 'ended', regression: { ...known, state: 'ended', endedAt: at, updatedAt: at, endReason } };
  }
}

/** What a chart shows of a metric. */
export function metricWindows(history: readonly Window[], metric: string): MetricWindows {
  return history.flatMap(({ toMs, values }) => {
    const value = values[metric];
    return value === undefined ? [] : [{ at: new Date(toMs).toISOString(), value: Number(value.toPrecision(6)) }];
  });
}

function correlatedOf(
  { compared, verdict }: Worst,
  { windows, facts, sinceMs }: { windows: readonly Window[]; facts: FindingFacts; sinceMs: number },
): Correlated[] {
  const { history, series } = facts;
  const around = { windows: windowsAround({ history, sinceMs }), metric: verdict.measure };
  const closest = (moved: readonly Moved[], valueOf: MovedSeries['valueIn']): Correlated[] =>
    byCorrelation(moved.slice(0, candidatesMax), { ...around, valueOf }).slice(0, correlatedMax);
  return [
    ...closest(movedMeasures(windows, compared.baseline, verdict.measure), (name, { values }) => values[name]),
    ...closest(series.moved(compared), (name, window) => series.valueIn(name, window)),
  ];
}

interface Worst {
  readonly compared: Compared;
  readonly verdict: Verdict;
}

/** Of what it is compared with, the one that makes it an alert, if one does. */
function worstOf(
  metric: string,
  { compared, lastsMs }: { compared: readonly Compared[]; lastsMs: number },
): Worst | undefined {
  const worse = compared.flatMap((one) =>
    one.verdicts
      .filter(({ measure, isWorse }) => measure === metric && isWorse)
      .map((verdict) => ({ compared: one, verdict })),
  );
  return worse.toSorted((a, b) => outcomes.indexOf(outcomeOf(a, lastsMs)) - outcomes.indexOf(outcomeOf(b, lastsMs)))[0];
}

const starvedForMs = 3_600_000;

const outcomes: readonly Regression['outcome'][] = ['sent', 'explained', 'provisional'];

/**
 * Memory that grew by half is told whatever explains it: the limit does not care. But what a starved process leaves lying is no more than that for an hour: the limit itself
 * is watched meanwhile.
 */
function outcomeOf({ compared, verdict }: Worst, lastsMs: number): Regression['outcome'] {
  if (compared.reference.isProvisional) return 'provisional';
  if (verdict.isStarved && lastsMs < starvedForMs) return 'explained';
  return verdict.explanation !== null && verdict.severity !== 'critical' ? 'explained' : 'sent';
}

/** A route that nobody asks for, a series that is gone: what cannot be compared is not well, but nobody waits for it for ever. */
const unknownForMs = 30 * 60_000;

/** Not as soon as one window is better: when none of the last is beyond. Undefined while it is not over. */
function whyOver(
  { metric, reference, updatedAt }: Regression,
  compared: readonly Compared[],
  at: string,
): string | undefined {
  const same = compared.find((one) => one.reference.kind === reference.kind);
  if (same === undefined) return 'what it was compared with is no baseline any more';
  const verdict = same.verdicts.find(({ measure }) => measure === metric);
  if (verdict !== undefined) return verdict.isWell ? 'it is as before' : undefined;
  const isForgotten = Date.parse(at) - Date.parse(updatedAt) >= unknownForMs;
  return isForgotten ? 'there was too little to compare for half an hour' : undefined;
}
