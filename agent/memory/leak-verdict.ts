import type { GrowthSite, LeakVerdict } from '../../protocol/rest/leaks.ts';
import type { PoolJudgement } from './leak-judge.ts';
import { nextStepOf } from './leak-words.ts';

const yearMs = 365 * 24 * 3_600_000;

/** A judgement as it is told, with the sites found so far. */
export function verdictOf(
  judgement: PoolJudgement,
  about: {
    targetId: string;
    instanceId: string;
    nowMs: number;
    sites: readonly GrowthSite[];
    /** Why sites cannot be had. */
    unavailable: string | null;
  },
): LeakVerdict {
  const { pool, state, reason, trend, levelBytes, sinceMs, limit } = judgement;
  const { targetId, instanceId, nowMs, sites, unavailable } = about;
  const isGrowing = state !== 'settled';
  const reached = limit !== null && limit.inMs !== null && limit.inMs < yearMs ? iso(nowMs + limit.inMs) : null;
  return {
    targetId,
    instanceId,
    pool,
    verdict: state,
    confidence: confidenceOf(judgement),
    reason,
    at: iso(nowMs),
    since: sinceMs === null ? null : iso(sinceMs),
    slopeMbPerHour: trend === undefined ? null : Number(((trend.slopePerMs * 3_600_000) / 1e6).toPrecision(3)),
    levelBytes: levelBytes === null ? null : Math.round(levelBytes),
    grownBytes: trend === undefined ? null : Math.round(trend.grown),
    limit: limit === null ? null : { kind: limit.kind, bytes: limit.bytes, reachedAt: reached },
    sites: isGrowing ? [...sites] : [],
    nextStep: nextStepOf({ pool, state }, { sites, unavailable }),
  };
}

/** How sure the verdict is: of a growth by its significance and its height over the noise; of a settled pool by how little speaks for one. */
function confidenceOf({ state, trend, p }: PoolJudgement): number {
  if (trend === undefined || p === null) return state === 'settled' ? 0.5 : 0;
  const height = trend.noise > 0 ? Math.min(1, trend.grown / (10 * trend.noise)) : 1;
  const growth = Math.max(0, (1 - p) * (0.5 + 0.5 * Math.max(0, height)));
  const value = state === 'settled' ? 1 - growth / 2 : state === 'suspect' ? growth * 0.6 : growth;
  return Math.round(Math.min(1, Math.max(0, value)) * 100) / 100;
}

function iso(ms: number): string {
  return new Date(ms).toISOString();
}
