import type { Baseline, VersionRecord } from '../../protocol/rest/baseline.ts';
import type { Reference } from '../../protocol/rest/regressions.ts';
import { compare, loadChange, type LoadChange, type Verdict } from './comparison.ts';
import type { Thresholds } from './measures.ts';
import type { Window } from './window.ts';

export interface Compared {
  readonly reference: Reference;
  readonly baseline: Baseline;
  readonly load: LoadChange;
  readonly verdicts: readonly Verdict[];
}

/** What the version knows of itself, of the version before, and of this run's first minutes. */
export interface Known {
  readonly version: string | null;
  readonly own: Baseline | undefined;
  readonly provisional: Baseline | undefined;
  readonly previous: VersionRecord | undefined;
}

/** The windows beside everything that there is to compare with: the version before, then this one; the one alone where somebody said that it is normal. */
export function compareAll(windows: readonly Window[], known: Known, thresholds: Thresholds): Compared[] {
  return referencesOf(known).map(({ reference, baseline }) => ({
    reference,
    baseline,
    load: loadChange(windows, baseline),
    verdicts: compare(windows, baseline, thresholds),
  }));
}

function referencesOf({ version, own, provisional, previous }: Known): Pick<Compared, 'reference' | 'baseline'>[] {
  const before = own?.kind === 'manual' ? undefined : (previous?.baseline ?? undefined);
  const list: Pick<Compared, 'reference' | 'baseline'>[] = [];
  if (before !== undefined)
    list.push({ baseline: before, reference: referenceTo(before, 'previous-version', previous?.version ?? null) });
  const mine = own ?? provisional;
  if (mine !== undefined)
    list.push({
      baseline: mine,
      reference: referenceTo(mine, mine.kind === 'provisional' ? 'provisional' : 'settled', version),
    });
  return list;
}

function referenceTo(baseline: Baseline, kind: Reference['kind'], version: string | null): Reference {
  return { kind, version, takenAt: baseline.takenAt, isProvisional: baseline.kind === 'provisional' };
}
