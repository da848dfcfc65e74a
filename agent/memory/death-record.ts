import type { Death } from '../../protocol/rest/deaths.ts';
import type { GrowthReading } from '../../protocol/rest/leaks.ts';
import type { MemoryLimit } from '../../protocol/rest/memory-limit.ts';
import type { Stacks } from '../../protocol/rest/stacks.ts';
import type { Stall } from '../../protocol/rest/stalls.ts';
import type { TargetIdentity } from '../../protocol/rest/target.ts';
import type { Vitals, VitalsPoint } from '../../protocol/rest/vitals.ts';
import { newId } from '../store/id.ts';
import { judgeDeath } from './death-cause.ts';
import { deathMemory } from './death-memory.ts';
import type { ExitEvidence } from './exit-watch.ts';
import type { LimitUses } from './nearer-limit.ts';

/** What other parts know of a target. They fail alone: a record without its vitals is better than none. */
export interface DeathSources {
  points(targetId: string, times: { from: string; to: string; step: number }): readonly VitalsPoint[];
  limitOf(targetId: string): MemoryLimit | null;
  usesOf(vitals: Vitals): LimitUses;
  /** Waits for one that is being read. */
  sampling(targetId: string): Promise<GrowthReading | undefined>;
  openAlerts(targetId: string): Death['alerts'];
}

/** What was seen of a run while it lasted. */
export interface SeenRun {
  readonly targetId: string;
  readonly targetName: string;
  readonly identity: TargetIdentity;
  /** The last reading, and the one before it, that told of memory. */
  readonly last: Vitals | undefined;
  readonly before: Vitals | undefined;
  readonly stall: Stall | undefined;
  readonly stacks: Stacks | undefined;
}

export const lastMinutesMs = 600_000;
const stepMs = 10_000;
const historyMs = 6 * 3_600_000;
/** The stall watch tells a stall that the end cut in the same moment. */
const stallEndMs = 3_000;

/** The record of a run that ended while it was watched. */
export function composeDeath(
  run: SeenRun,
  parts: { exit: ExitEvidence; endedAtMs: number; sampling: GrowthReading | undefined; sources: DeathSources },
): Death {
  const { targetId, identity, last } = run;
  const { exit, endedAtMs, sampling, sources } = parts;
  const from = new Date(endedAtMs - lastMinutesMs).toISOString();
  const to = new Date(endedAtMs + 1).toISOString();
  const vitals = [...sources.points(targetId, { from, to, step: stepMs })];
  const verdict = judgeDeath({
    exit,
    uses: last === undefined ? [] : sources.usesOf(last).uses,
    lastReadingAgoMs: last === undefined ? null : Math.max(0, endedAtMs - Date.parse(last.at)),
    heapShareAtEnd: heapShareAt(run, { endedAtMs, usesOf: (vitals) => sources.usesOf(vitals) }),
  });
  return {
    ...aboutRun(run, endedAtMs),
    ...verdict,
    memory: deathMemory({ points: vitals, last, limit: sources.limitOf(targetId), cause: verdict.cause }),
    sampling: sampling?.instanceId === identity.instanceId ? sampling : null,
    stall: run.stall !== undefined && isOpen(run.stall, endedAtMs) ? run.stall : null,
    stacks: run.stacks !== undefined && endedAtMs - Date.parse(run.stacks.takenAt) <= lastMinutesMs ? run.stacks : null,
    alerts: sources.openAlerts(targetId),
    vitals,
  };
}

/** The record of a run that ended while no agent watched, seen when another one is there in its place. */
export function lostDeath(
  run: Pick<SeenRun, 'targetId' | 'targetName' | 'identity'>,
  { seenAt, next, sources }: { seenAt: string; next: NonNullable<Death['next']>; sources: DeathSources },
): Death {
  const { targetId } = run;
  const { startedAt: nextStartedAt } = next;
  // The history outlives the agent. Of what is longer ago than this nobody asks for the minutes.
  const oldestMs = Date.parse(nextStartedAt) - historyMs;
  const from = new Date(Math.max(Date.parse(seenAt), oldestMs)).toISOString();
  const recent = from < nextStartedAt ? sources.points(targetId, { from, to: nextStartedAt, step: stepMs }) : [];
  const lastAtMs = Date.parse(recent.at(-1)?.at ?? seenAt);
  const vitals = recent.filter(({ at }) => Date.parse(at) >= lastAtMs - lastMinutesMs);
  return {
    ...aboutRun({ ...run, last: undefined }, Date.parse(nextStartedAt)),
    cause: 'unknown',
    confidence: 'guess',
    summary: `ended while no agent watched, between ${new Date(lastAtMs).toISOString()} and ${nextStartedAt}`,
    evidence: ['another process has its place since'],
    unknown: ['how it ended'],
    exitCode: null,
    signal: null,
    error: null,
    memory: deathMemory({ points: vitals, last: undefined, limit: null, cause: 'unknown' }),
    sampling: null,
    stall: null,
    stacks: null,
    alerts: [],
    next,
    vitals,
  };
}

function aboutRun(
  run: Pick<SeenRun, 'targetId' | 'targetName' | 'identity' | 'last'>,
  endedAtMs: number,
): Pick<
  Death,
  'id' | 'targetId' | 'targetName' | 'instanceId' | 'identity' | 'at' | 'uptimeMs' | 'lastReading' | 'next'
> {
  const { targetId, targetName, identity, last } = run;
  return {
    id: newId(),
    targetId,
    targetName,
    instanceId: identity.instanceId,
    identity,
    at: new Date(endedAtMs).toISOString(),
    uptimeMs: Math.max(0, endedAtMs - Date.parse(identity.startedAt)),
    lastReading: last ?? null,
    next: null,
  };
}

/** The line through the last two readings, at the end: a heap may fill up between two readings. */
function heapShareAt(
  { last, before }: SeenRun,
  { endedAtMs, usesOf }: { endedAtMs: number; usesOf: DeathSources['usesOf'] },
): number | null {
  if (last === undefined || before === undefined) return null;
  const [now, then] = [last, before].map((vitals) => usesOf(vitals).uses.find(({ pool }) => pool === 'heap')?.share);
  const [lastMs, beforeMs] = [Date.parse(last.at), Date.parse(before.at)];
  // Where the clock was set between them, the line is none.
  if (now === undefined || then === undefined || lastMs <= beforeMs || now <= then) return null;
  return now + ((now - then) / (lastMs - beforeMs)) * Math.min(60_000, Math.max(0, endedAtMs - lastMs));
}

function isOpen({ state, endedAt }: Stall, endedAtMs: number): boolean {
  return state === 'ongoing' || (state === 'cut' && Math.abs(endedAtMs - Date.parse(endedAt ?? '')) <= stallEndMs);
}
