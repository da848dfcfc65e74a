import { invalidParameter } from '../../protocol/rest/invalid-request.ts';
import type { RequestHistoryList, RequestHistoryQuery } from '../../protocol/rest/request-history.ts';
import { RequestSteps } from './request-steps.ts';
import type { EndedRequest } from './request-sum.ts';
import { RequestSums } from './request-sum.ts';

const fineMs = 5_000;
const coarseMs = 60_000;
const fineSteps = 720;
const coarseSteps = 1_440;
const maxTargets = 8;
const maxTracked = 4;
const shownRoutes = 3;
const maxPoints = 2_000;
const defaultPoints = 300;
/** Exporters send every 5 s, and a trace is settled 1.5 to 2 s after its last span came. */
const lagMs = 8_000;

interface TargetSteps {
  readonly fine: RequestSteps;
  readonly coarse: RequestSteps;
}

/**
 * Requests by the time at which they ended: steps of 5 s for an hour, of a minute for a day; in memory, for as long as the agent runs. Nothing is kept before the
 * first request. A day of 10 requests a second takes 1.4 MB, 2 MB with four routes, and 14 ms to read.
 */
export class RequestHistory {
  readonly #now: () => number;
  readonly #busiestRoutes: () => readonly string[];
  /** '' for requests of no target, and of those beyond the bound. */
  readonly #targets = new Map<string, TargetSteps>();
  #tracked = new Set<string>();
  #trackedAtMs = -Infinity;
  #sinceMs: number | undefined;
  #latestMs = -Infinity;
  /** Requests that came too late for their step, those of more targets than are kept apart, and those of times that a clock set back has yet to come to. */
  readonly left = { late: 0, targets: 0, clock: 0 };

  constructor({ now, busiestRoutes }: { now: () => number; busiestRoutes: () => readonly string[] }) {
    this.#now = now;
    this.#busiestRoutes = busiestRoutes;
  }

  add(request: EndedRequest, targetId: string | null): void {
    const nowMs = this.#nowMs();
    // A sender whose clock goes ahead must not make steps of the future.
    const ended = { ...request, endMs: Math.min(request.endMs, nowMs) };
    this.#track(request.name, nowMs);
    const isOld = ended.endMs < nowMs - fineSteps * fineMs;
    const steps = isOld ? undefined : this.#stepsOf(targetId ?? '');
    if (steps?.fine.add(ended, this.#tracked) !== true) {
      this.left.late += 1;
      return;
    }
    steps.coarse.add(ended, this.#tracked);
    this.#sinceMs = Math.min(this.#sinceMs ?? Infinity, ended.endMs);
  }

  /** Throws `invalid-request` when the times are not in order. */
  read({ target, from, to, step }: RequestHistoryQuery): RequestHistoryList {
    const nowMs = this.#nowMs();
    const toMs = to === undefined ? nowMs : Date.parse(to);
    const fromMs = from === undefined ? toMs - fineSteps * fineMs : Date.parse(from);
    if (fromMs >= toMs) throw invalidParameter('from', `must be before \`to\`, ${iso(toMs)}`, iso(fromMs));
    const stepMs = stepFor({ wantedMs: step, lengthMs: toMs - fromMs });
    const completeMs = Math.floor((nowMs - lagMs) / fineMs) * fineMs;
    const groups = this.#groups({ target, fromMs, toMs: Math.min(toMs, completeMs), stepMs, nowMs });
    const routes = busiestOf(groups);
    return {
      targetId: target ?? null,
      from: iso(fromMs),
      to: iso(toMs),
      stepMs,
      completeTo: iso(completeMs),
      since: this.#sinceMs === undefined ? null : iso(this.#sinceMs),
      routes,
      points: groups.map((group) => pointOf(group, routes)),
    };
  }

  /** Of whole minutes up to the hour of single steps, of those then; from the first request on. */
  #groups(asked: { target: string | undefined; fromMs: number; toMs: number; stepMs: number; nowMs: number }): Group[] {
    const { target, fromMs, toMs, stepMs, nowMs } = asked;
    const own = target === undefined ? undefined : this.#targets.get(target);
    const kept = target === undefined ? [...this.#targets.values()] : own === undefined ? [] : [own];
    if (this.#sinceMs === undefined || kept.length === 0) return [];
    const firstMs = Math.max(fromMs, this.#sinceMs, nowMs - coarseSteps * coarseMs);
    const fineFromMs = Math.ceil((nowMs - fineSteps * fineMs) / coarseMs) * coarseMs;
    const groups: Group[] = [];
    let startMs = startOf(firstMs, firstMs < fineFromMs ? coarseMs : fineMs);
    for (;;) {
      const isFine = startMs >= fineFromMs;
      const durationMs = isFine ? fineMs : coarseMs;
      // One that is not over yet would look like less traffic.
      if (startMs + durationMs > toMs) return groups;
      const atMs = startOf(startMs, stepMs);
      let group = groups.at(-1);
      if (group?.atMs !== atMs) groups.push((group = { atMs, durationMs: 0, sums: new RequestSums() }));
      group.durationMs += durationMs;
      for (const { fine, coarse } of kept) (isFine ? fine : coarse).addTo(startMs, group.sums);
      startMs += durationMs;
    }
  }

  forget(targetId: string): void {
    this.#targets.delete(targetId);
  }

  /** A clock that was set back by more than its corrections: steps ahead of it would be mixed with those to come, and old ones would go before their time. */
  #nowMs(): number {
    const nowMs = this.#now();
    if (nowMs >= this.#latestMs - coarseMs) {
      this.#latestMs = Math.max(this.#latestMs, nowMs);
      return nowMs;
    }
    for (const { fine, coarse } of this.#targets.values()) {
      fine.forgetAfter(nowMs);
      this.left.clock += coarse.forgetAfter(nowMs);
    }
    if (this.#sinceMs !== undefined && this.#sinceMs > nowMs) this.#sinceMs = undefined;
    return (this.#latestMs = nowMs);
  }

  #stepsOf(targetId: string): TargetSteps {
    const known = this.#targets.get(targetId);
    if (known !== undefined) return known;
    const named = this.#targets.size - (this.#targets.has('') ? 1 : 0);
    if (targetId !== '' && named >= maxTargets) {
      this.left.targets += 1;
      return this.#stepsOf('');
    }
    const steps = {
      fine: new RequestSteps({ stepMs: fineMs, maxSteps: fineSteps }),
      coarse: new RequestSteps({ stepMs: coarseMs, maxSteps: coarseSteps }),
    };
    this.#targets.set(targetId, steps);
    return steps;
  }

  /** The busiest of the last hour, looked for once a minute; in the first one those that come first. */
  #track(name: string, nowMs: number): void {
    if (nowMs - this.#trackedAtMs >= coarseMs || nowMs < this.#trackedAtMs) {
      this.#trackedAtMs = nowMs;
      this.#tracked = new Set(this.#busiestRoutes().slice(0, maxTracked));
    }
    if (this.#tracked.size < maxTracked) this.#tracked.add(name);
  }
}

interface Group {
  readonly atMs: number;
  durationMs: number;
  readonly sums: RequestSums;
}

/** Steps are made of whole ones of 5 s. */
function stepFor({ wantedMs, lengthMs }: { wantedMs: number | undefined; lengthMs: number }): number {
  const least = Math.max(wantedMs ?? lengthMs / defaultPoints, lengthMs / maxPoints);
  return Math.max(fineMs, Math.ceil(least / fineMs) * fineMs);
}

function busiestOf(groups: readonly Group[]): string[] {
  const totals = new Map<string, number>();
  for (const { sums } of groups)
    for (const [name, sum] of sums.routes)
      totals.set(name, (totals.get(name) ?? 0) + sum.requests * (sum.quantile(0.5) ?? 0));
  return [...totals]
    .toSorted(([, a], [, b]) => b - a)
    .slice(0, shownRoutes)
    .map(([name]) => name);
}

function pointOf(
  { atMs, durationMs, sums: { all, routes: byRoute } }: Group,
  routes: readonly string[],
): RequestHistoryList['points'][number] {
  return {
    at: iso(atMs),
    durationMs,
    requests: all.requests,
    failed: all.failed,
    p50Ms: rounded(all.quantile(0.5)),
    p95Ms: rounded(all.quantile(0.95)),
    p99Ms: rounded(all.quantile(0.99)),
    routeP95Ms: routes.map((name) => rounded(byRoute.get(name)?.quantile(0.95) ?? null)),
  };
}

function rounded(value: number | null): number | null {
  return value === null ? null : Number(value.toPrecision(4));
}

function startOf(atMs: number, stepMs: number): number {
  return Math.floor(atMs / stepMs) * stepMs;
}

function iso(ms: number): string {
  return new Date(ms).toISOString();
}
