import type { AlertSummary } from '../../protocol/rest/alerts.ts';
import type { Profile } from '../../protocol/rest/profile.ts';
import type { Regression } from '../../protocol/rest/regressions.ts';
import type { Stall } from '../../protocol/rest/stalls.ts';
import type { Target } from '../../protocol/rest/target.ts';
import type { DeathSummary } from './page-state.ts';
import { amountOf, changeOf } from './regression-words.ts';
import { kindWords } from './words.ts';
import { stallLength, stallPlace } from './vitals-words.ts';

export const markKinds = {
  death: { word: 'Death', sign: '✕' },
  alert: { word: 'Alert', sign: '!' },
  stall: { word: 'Stall', sign: '■' },
  regression: { word: 'Regression', sign: '↗' },
  capture: { word: 'Capture', sign: '●' },
  start: { word: 'Start', sign: '▲' },
} as const;
export type MarkKind = keyof typeof markKinds;

/** Something that happened to a target at a moment, and where more of it is to be seen. */
export interface Mark {
  readonly id: string;
  readonly kind: MarkKind;
  readonly atMs: number;
  readonly toMs: number;
  readonly text: string;
  /** Path of the view and what of it to show. */
  readonly path: string;
  readonly query: Readonly<Record<string, string>>;
}

export interface MarkSources {
  readonly profiles: readonly Profile[];
  readonly stalls: readonly Stall[];
  readonly alerts: readonly AlertSummary[];
  readonly deaths: readonly DeathSummary[];
  readonly regressions: readonly Regression[];
  readonly target: Target;
  readonly nowMs: number;
}

/** All of one target, newest first. */
export function marksOf(sources: MarkSources): Mark[] {
  const { profiles, stalls, alerts, deaths, regressions, target, nowMs } = sources;
  const mine = <T extends { readonly targetId: string }>(list: readonly T[]): T[] =>
    list.filter(({ targetId }) => targetId === target.id);
  const marks = [
    ...mine(profiles).map(markOfProfile),
    ...mine(stalls).map(markOfStall),
    ...mine(alerts).map((alert) => markOfAlert(alert, nowMs)),
    ...mine(deaths).map(markOfDeath),
    ...mine(regressions).map((regression) => markOfRegression(regression, nowMs)),
    ...startsOf(target),
  ];
  return marks.sort((a, b) => b.atMs - a.atMs);
}

/** From when on a list that ends is known to the page: what is older is not marked. Null where all of it is, or lies before the range. */
export function markedSince(
  list: readonly { readonly startedAt: string }[],
  { isCut, fromMs }: { isCut: boolean; fromMs: number },
): string | null {
  const oldest = list.at(-1)?.startedAt;
  return isCut && oldest !== undefined && Date.parse(oldest) > fromMs ? oldest : null;
}

function markOfProfile(profile: Profile): Mark {
  const shown =
    profile.kind === 'heap-snapshot' ? null : (profile.cpu?.topFunction ?? profile.sampling?.topSite ?? null);
  return {
    id: `profile-${profile.id}`,
    kind: 'capture',
    atMs: Date.parse(profile.startedAt),
    toMs: Date.parse(profile.endedAt),
    text: shown === null ? kindWords[profile.kind] : `${kindWords[profile.kind]}: ${shown}`,
    path: '/captures',
    query: { profile: profile.id },
  };
}

function markOfStall(stall: Stall): Mark {
  const place = stallPlace(stall);
  const where = stall.verdict === 'starved' ? ', waiting for a CPU' : place === null ? '' : ` in ${place}`;
  const atMs = Date.parse(stall.startedAt);
  return {
    id: `stall-${stall.id}`,
    kind: 'stall',
    atMs,
    toMs: atMs + stall.durationMs,
    text: `${stallLength(stall)}${where}`,
    path: '/stacks',
    query: { stall: stall.id },
  };
}

function markOfAlert(alert: AlertSummary, nowMs: number): Mark {
  return {
    id: `alert-${alert.id}`,
    kind: 'alert',
    atMs: Date.parse(alert.openedAt),
    toMs: alert.closedAt === null ? nowMs : Date.parse(alert.closedAt),
    text: alert.title,
    path: '/alerts',
    query: { alert: alert.id },
  };
}

function markOfDeath(death: DeathSummary): Mark {
  const atMs = Date.parse(death.at);
  return {
    id: `death-${death.id}`,
    kind: 'death',
    atMs,
    toMs: atMs,
    text: death.summary,
    path: '/alerts',
    query: { death: death.id },
  };
}

function markOfRegression(regression: Regression, nowMs: number): Mark {
  const { id, since, endedAt, title, unit, baseline, now, change } = regression;
  return {
    id: `regression-${id}`,
    kind: 'regression',
    atMs: Date.parse(since),
    toMs: endedAt === null ? nowMs : Date.parse(endedAt),
    text: `${title}: ${amountOf(baseline.median, unit)} to ${amountOf(now, unit)}, ${changeOf(change)}`,
    path: '/regressions',
    query: { regression: id },
  };
}

function startsOf({ identity, previous }: Target): Mark[] {
  const runs = [...(identity === null ? [] : [identity]), ...previous.map((run) => run.identity)];
  return [...new Map(runs.map((run) => [run.instanceId, run])).values()].map((run) => {
    const atMs = Date.parse(run.startedAt);
    const version = run.appVersion === null ? '' : ` version ${run.appVersion}`;
    return {
      id: `start-${run.instanceId}`,
      kind: 'start' as const,
      atMs,
      toMs: atMs,
      text: `pid ${run.pid} started${version}`,
      path: '/',
      query: {},
    };
  });
}

export interface MarkBand {
  readonly kind: MarkKind;
  readonly fromMs: number;
  toMs: number;
}

/** When something of a kind lasted: what overlaps is one band, so that ten open alerts do not hide the lines. */
export function bandsOf(marks: readonly Pick<Mark, 'kind' | 'atMs' | 'toMs'>[]): MarkBand[] {
  const bands: MarkBand[] = [];
  const last = new Map<MarkKind, MarkBand>();
  for (const { kind, atMs, toMs } of marks.toSorted((a, b) => a.atMs - b.atMs)) {
    const before = last.get(kind);
    if (before !== undefined && atMs <= before.toMs) {
      before.toMs = Math.max(before.toMs, toMs);
      continue;
    }
    const band = { kind, fromMs: atMs, toMs };
    last.set(kind, band);
    bands.push(band);
  }
  return bands;
}

export interface MarkGroup {
  /** Of the width, 0 to 1. */
  readonly left: number;
  /** From 0: what would touch in one row stands in the next. */
  readonly row: number;
  readonly kind: MarkKind;
  /** Newest first. */
  readonly marks: readonly Mark[];
}

/** As they stand on a time axis: those of a kind that would touch each other are one group, those of different kinds in rows. */
export function layoutMarks(
  marks: readonly Mark[],
  axis: { readonly fromMs: number; readonly toMs: number; readonly leastGap: number },
): MarkGroup[] {
  const groups: { left: number; kind: MarkKind; marks: Mark[] }[] = [];
  const last = new Map<MarkKind, (typeof groups)[number]>();
  for (const mark of marks) {
    const left = (mark.atMs - axis.fromMs) / (axis.toMs - axis.fromMs);
    if (left < 0 || left > 1) continue;
    const before = last.get(mark.kind);
    if (before !== undefined && before.left - left < axis.leastGap) {
      before.marks.push(mark);
      continue;
    }
    const group = { left, kind: mark.kind, marks: [mark] };
    last.set(mark.kind, group);
    groups.push(group);
  }
  // From right to left, as they come: where each row is taken from.
  const taken: number[] = [];
  return groups.map((group) => {
    const free = taken.findIndex((left) => left - group.left >= axis.leastGap);
    const row = free < 0 ? taken.length : free;
    taken[row] = group.left;
    return { ...group, row };
  });
}
