import type { Regression } from '../../protocol/rest/regressions.ts';
import { newId } from '../store/id.ts';
import { correlatedMeasures, type Correlated } from './correlated.ts';
import type { Verdict } from './comparison.ts';
import type { Compared } from './references.ts';
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
  /** Scraped series that moved since a baseline was taken. */
  readonly series: (compared: Compared) => readonly Correlated[];
}

const correlatedMax = 5;

/** What is worse at present, of one run of a program: one finding per measure, whatever it is compared with. */
export class Findings {
  readonly #open = new Map<string, Regression>();

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
      const worst = worstOf(metric, compared);
      const known = this.#open.get(metric);
      if (worst !== undefined) changes.push(this.#tell({ known, worst, windows, facts }));
      else if (known !== undefined && isOver(known, compared))
        changes.push(this.#end(known, 'it is as before', facts.at));
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

  #tell(parts: {
    known: Regression | undefined;
    worst: Worst;
    windows: readonly Window[];
    facts: FindingFacts;
  }): FindingChange {
    const { known, worst, windows, facts } = parts;
    const { compared, verdict } = worst;
    const { targetId, instanceId, service, at } = facts;
    const { reference, load } = compared;
    const regression: Regression = {
      id: known?.id ?? newId(),
      targetId,
      instanceId,
      service,
      ...comparedOf(verdict),
      title: titleOf(verdict, { reference, load }),
      reference,
      state: 'open',
      outcome: outcomeOf(worst),
      since: known?.since ?? new Date(windows[0]?.fromMs ?? 0).toISOString(),
      foundAt: known?.foundAt ?? at,
      updatedAt: at,
      endedAt: null,
      endReason: null,
      load: { ...load, ratio: load.ratio === Infinity ? null : load.ratio },
      correlated: known?.correlated ?? [
        ...correlatedMeasures(windows, compared.baseline, verdict.measure).slice(0, correlatedMax),
        ...facts.series(compared).slice(0, correlatedMax),
      ],
      causes: known?.causes ?? [],
    };
    this.#open.set(verdict.measure, regression);
    return { change: known === undefined ? 'opened' : 'updated', regression };
  }

  #end(known: Regression, endReason: string, at: string): FindingChange {
    this.#open.delete(known.metric);
    return { change: 'ended', regression: { ...known, state: 'ended', endedAt: at, updatedAt: at, endReason } };
  }
}

interface Worst {
  readonly compared: Compared;
  readonly verdict: Verdict;
}

/** Of what it is compared with, the one that makes it an alert, if one does. */
function worstOf(metric: string, compared: readonly Compared[]): Worst | undefined {
  const worse = compared.flatMap((one) =>
    one.verdicts
      .filter(({ measure, isWorse }) => measure === metric && isWorse)
      .map((verdict) => ({ compared: one, verdict })),
  );
  return worse.toSorted((a, b) => outcomes.indexOf(outcomeOf(a)) - outcomes.indexOf(outcomeOf(b)))[0];
}

const outcomes: readonly Regression['outcome'][] = ['sent', 'explained', 'provisional'];

/** Memory that grew by half is told whatever explains it: the limit does not care. */
function outcomeOf({ compared, verdict }: Worst): Regression['outcome'] {
  if (compared.reference.isProvisional) return 'provisional';
  return verdict.explanation !== null && verdict.severity !== 'critical' ? 'explained' : 'sent';
}

/** Not as soon as one window is better: when none of the last is beyond, or nothing is compared any more. */
function isOver({ metric, reference }: Regression, compared: readonly Compared[]): boolean {
  const same = compared.find((one) => one.reference.kind === reference.kind);
  return same?.verdicts.find(({ measure }) => measure === metric)?.isWell ?? true;
}
