import { SidescopeError } from '../../protocol/error.ts';
import type { RequestHistoryList, RequestHistoryQuery } from '../../protocol/rest/request-history.ts';
import type { EndedRequest, RequestStep, RequestSum } from './request-steps.ts';
import { addSum, newSum, RequestSteps } from './request-steps.ts';

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
 * first request. About 1 MB a target and day, 4 MB where four routes are busy.
 */
export class RequestHistory {
  readonly #now: () => number;
  readonly #busiestRoutes: () => readonly string[];
  readonly #all = openSteps();
  readonly #targets = new Map<string, TargetSteps>();
  #tracked = new Set<string>();
  #trackedAtMs = -Infinity;
  #sinceMs: number | undefined;
  /** Requests that came too late for their step, and those of more targets than are kept apart. */
  readonly left = { late: 0, targets: 0 };

  constructor({ now, busiestRoutes }: { now: () => number; busiestRoutes: () => readonly string[] }) {
    this.#now = now;
    this.#busiestRoutes = busiestRoutes;
  }

  add(request: EndedRequest, targetId: string | null): void {
    const nowMs = this.#now();
    // A sender whose clock goes ahead must not make steps of the future.
    const ended = { ...request, endMs: Math.min(request.endMs, nowMs) };
    this.#track(request.name, nowMs);
    if (ended.endMs < nowMs - fineSteps * fineMs) {
      this.left.late += 1;
      return;
    }
    this.#sinceMs = Math.min(this.#sinceMs ?? Infinity, ended.endMs);
    const own = targetId === null ? undefined : this.#stepsOf(targetId);
    for (const steps of own === undefined ? [this.#all] : [this.#all, own]) {
      steps.fine.add(ended, this.#tracked);
      steps.coarse.add(ended, this.#tracked);
    }
  }

  /** Throws `invalid-request` when the times are not in order. Takes about 5 ms for an hour, 10 for a day. */
  read({ target, from, to, step }: RequestHistoryQuery): RequestHistoryList {
    const nowMs = this.#now();
    const toMs = to === undefined ? nowMs : Date.parse(to);
    const fromMs = from === undefined ? toMs - fineSteps * fineMs : Date.parse(from);
    if (fromMs >= toMs)
      throw new SidescopeError('invalid-request', `from ${iso(fromMs)} is not before to ${iso(toMs)}`);
    const stepMs = stepFor({ wantedMs: step, lengthMs: toMs - fromMs });
    const completeMs = Math.floor((nowMs - lagMs) / fineMs) * fineMs;
    const steps = target === undefined ? this.#all : this.#targets.get(target);
    const units = steps === undefined ? [] : this.#units(steps, { fromMs, toMs: Math.min(toMs, completeMs), nowMs });
    const groups = Map.groupBy(units, ({ startMs }) => Math.floor(startMs / stepMs) * stepMs);
    const routes = busiestOf(units);
    return {
      targetId: target ?? null,
      from: iso(fromMs),
      to: iso(toMs),
      stepMs,
      completeTo: iso(completeMs),
      since: this.#sinceMs === undefined ? null : iso(this.#sinceMs),
      routes,
      points: [...groups].map(([startMs, group]) => pointOf(startMs, group, routes)),
    };
  }

  /** Whole minutes up to the hour of single steps, those then; from the first request on. */
  #units(steps: TargetSteps, { fromMs, toMs, nowMs }: { fromMs: number; toMs: number; nowMs: number }): Unit[] {
    if (this.#sinceMs === undefined) return [];
    const firstMs = Math.max(fromMs, this.#sinceMs, nowMs - coarseSteps * coarseMs);
    const fineFromMs = Math.ceil((nowMs - fineSteps * fineMs) / coarseMs) * coarseMs;
    const units: Unit[] = [];
    let startMs = startOf(firstMs, firstMs < fineFromMs ? coarseMs : fineMs);
    for (;;) {
      const kept = startMs < fineFromMs ? steps.coarse : steps.fine;
      // One that is not over yet would look like less traffic.
      if (startMs + kept.stepMs > toMs) return units;
      units.push({ startMs, durationMs: kept.stepMs, step: kept.at(startMs) });
      startMs += kept.stepMs;
    }
  }

  #stepsOf(targetId: string): TargetSteps | undefined {
    const known = this.#targets.get(targetId);
    if (known !== undefined) return known;
    if (this.#targets.size >= maxTargets) {
      this.left.targets += 1;
      return undefined;
    }
    const steps = openSteps();
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

interface Unit {
  readonly startMs: number;
  readonly durationMs: number;
  readonly step: RequestStep | undefined;
}

function openSteps(): TargetSteps {
  return {
    fine: new RequestSteps({ stepMs: fineMs, maxSteps: fineSteps }),
    coarse: new RequestSteps({ stepMs: coarseMs, maxSteps: coarseSteps }),
  };
}

/** Steps are made of whole ones of 5 s. */
function stepFor({ wantedMs, lengthMs }: { wantedMs: number | undefined; lengthMs: number }): number {
  const least = Math.max(wantedMs ?? lengthMs / defaultPoints, lengthMs / maxPoints);
  return Math.max(fineMs, Math.ceil(least / fineMs) * fineMs);
}

function busiestOf(units: readonly Unit[]): string[] {
  const totals = new Map<string, number>();
  for (const { step } of units)
    for (const [name, { requests, durations }] of step?.routes ?? [])
      totals.set(name, (totals.get(name) ?? 0) + requests * (durations.quantile(0.5) ?? 0));
  return [...totals]
    .toSorted(([, a], [, b]) => b - a)
    .slice(0, shownRoutes)
    .map(([name]) => name);
}

function pointOf(
  startMs: number,
  units: readonly Unit[],
  routes: readonly string[],
): RequestHistoryList['points'][number] {
  const all = newSum();
  for (const { step } of units) if (step !== undefined) addSum(all, step);
  return {
    at: iso(startMs),
    durationMs: units.reduce((sum, { durationMs }) => sum + durationMs, 0),
    requests: all.requests,
    failed: all.failed,
    p50Ms: quantileOf(all, 0.5),
    p95Ms: quantileOf(all, 0.95),
    p99Ms: quantileOf(all, 0.99),
    routeP95Ms: routes.map((name) => {
      const route = newSum();
      for (const { step } of units) {
        const part = step?.routes.get(name);
        if (part !== undefined) addSum(route, part);
      }
      return quantileOf(route, 0.95);
    }),
  };
}

function quantileOf({ durations }: RequestSum, q: number): number | null {
  const value = durations.quantile(q);
  return value === null ? null : Number(value.toPrecision(4));
}

function startOf(atMs: number, stepMs: number): number {
  return Math.floor(atMs / stepMs) * stepMs;
}

function iso(ms: number): string {
  return new Date(ms).toISOString();
}
