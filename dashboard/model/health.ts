import type { AlertSummary } from '../../protocol/rest/alerts.ts';
import type { Regression } from '../../protocol/rest/regressions.ts';
import type { Stall } from '../../protocol/rest/stalls.ts';
import type { Target } from '../../protocol/rest/target.ts';
import type { Vitals } from '../../protocol/rest/vitals.ts';
import { formatAgo, formatBytes, formatDuration, formatElapsed, formatShare } from '../format.ts';
import type { PageState } from './page-state.ts';
import { stallLength, stallPlace, stallVerdict } from './vitals-words.ts';
import type { Tone } from './words.ts';
import { sentence } from './words.ts';

/** How one target is, in one sentence, and where more of it is to be seen. */
export interface Health {
  readonly tone: Tone;
  readonly text: string;
  readonly path: string | null;
  readonly query: Readonly<Record<string, string>>;
}

/** Longer ago it is history, and stands in the list of what happened. */
const recentMs = 10 * 60_000;
/** Readings come every 5 s by default; older ones than a few of them say nothing of now. */
const freshMs = 30_000;
const freshReadings = 3;
const saturatedAt = 0.95;
const throttledAt = 0.2;
const nearLimitAt = 0.9;
const collectingAt = 0.3;

/** What is worst comes first: what keeps the process from answering before what makes it slow, and both before what may come. */
export function healthOf(state: PageState, target: Target, nowMs: number): Health {
  const vitals = freshVitals(state, target, nowMs);
  const readingMs = state.readingMs[target.id] ?? null;
  return (
    unreached(state, target, nowMs) ??
    blocked(state.stalls, target) ??
    died(state, target, nowMs) ??
    notThere(target, nowMs) ??
    alerted(state, target, 'critical') ??
    strained(vitals, readingMs) ??
    alerted(state, target, 'warning') ??
    regressed(state.regressions, target, 'sent') ??
    stalledLately(state.stalls, { target, nowMs }) ??
    regressed(state.regressions, target, 'provisional') ??
    well(vitals, lastReading(state, target, nowMs))
  );
}

/** Whatever was last known, it is not known to hold while the agent does not answer. */
function unreached(state: PageState, target: Target, nowMs: number): Health | null {
  if (state.connection.state !== 'reconnecting') return null;
  const last = lastReading(state, target, nowMs);
  const text = `How it is now is not known: the agent does not answer${last === null ? '' : `; ${last}`}.`;
  return { tone: 'idle', text, path: null, query: {} };
}

/** `the last reading of it is 14 s old`. */
function lastReading({ vitals }: PageState, { id }: Target, nowMs: number): string | null {
  const last = vitals[id];
  if (last === undefined) return null;
  return `the last reading of it is ${formatElapsed(nowMs - Date.parse(last.at))} old`;
}

function blocked(stalls: readonly Stall[], target: Target): Health | null {
  const stall = stalls.find(({ state, targetId }) => state === 'ongoing' && targetId === target.id);
  if (stall === undefined) return null;
  return { tone: 'bad', text: stallNow(stall), path: '/stacks', query: { stall: stall.id } };
}

/** `The event loop is blocked for 3.2 s by renderReport (report.ts:88), GET /report, trace 0a24…`. */
function stallNow(stall: Stall): string {
  const { thread, durationMs, verdict } = stall;
  if (verdict === 'stopped') return `The process is stopped by a signal, for ${formatDuration(durationMs)} so far.`;
  const who = thread === 'main' ? 'The event loop' : `The event loop of ${thread}`;
  const length = stallLength({ ...stall, thread: 'main', state: 'ended' });
  if (verdict === 'starved') return `${who} is ${length}, waiting for a CPU.`;
  const words = verdict === 'unknown' ? [] : [stallVerdict(stall), stallPlace(stall)].filter((word) => word !== null);
  const by = words.length === 0 ? '' : ` by ${words.join(' ')}`;
  return sentence(`${who} is ${length}${by}${stall.span === null ? '' : `, ${requestOf(stall.span)}`}`);
}

function requestOf({ route, name, traceId }: NonNullable<Stall['span']>): string {
  return `${route ?? name}, trace ${traceId.slice(0, 8)}…`;
}

function died({ deaths }: PageState, target: Target, nowMs: number): Health | null {
  const death = deaths.find(({ targetId }) => targetId === target.id);
  if (death === undefined || death.cause === 'exit') return null;
  const agoMs = nowMs - Date.parse(death.at);
  if (agoMs > recentMs) return null;
  const back = target.state.state === 'attached' ? ' It is back.' : '';
  return {
    tone: 'bad',
    text: `It died ${formatAgo(agoMs)}: ${sentence(death.summary)}${back}`,
    path: '/alerts',
    query: { death: death.id },
  };
}

function notThere(target: Target, nowMs: number): Health | null {
  const { state } = target;
  const nothing = { path: null, query: {} };
  if (state.state === 'attached' || state.state === 'standby') return null;
  if (state.state === 'waiting-for-exit') return { tone: 'busy', text: 'The process is ending.', ...nothing };
  if (state.state === 'connecting' && target.identity === null) {
    return { tone: 'warn', text: 'Not attached yet: the card below says what the agent met.', ...nothing };
  }
  const sinceMs = state.state === 'detached' ? Date.parse(state.since) : lastEndMs(target);
  const age = sinceMs === null ? '' : `, last data ${formatAgo(nowMs - sinceMs)}`;
  return {
    tone: 'warn',
    text: `It is gone or restarting${age}: the agent attaches again when it is back.`,
    ...nothing,
  };
}

function lastEndMs({ previous }: Target): number | null {
  const [last] = previous;
  return last === undefined ? null : Date.parse(last.endedAt);
}

/** An alert that is a regression is told by what got worse and the function behind it, and leads to the comparison. */
function alerted(
  { alerts, regressions }: PageState,
  target: Target,
  severity: AlertSummary['severity'],
): Health | null {
  const open = alerts.filter((alert) => alert.state === 'open' && alert.targetId === target.id);
  const found = open.find((alert) => alert.severity === severity);
  if (found === undefined) return null;
  const tone = severity === 'critical' ? 'bad' : 'warn';
  const more = open.length > 1 ? ` And ${open.length - 1} more.` : '';
  const regression = found.problem === 'regression' ? regressed(regressions, target, 'sent') : null;
  if (regression !== null) return { ...regression, tone, text: `${regression.text}${more}` };
  return { tone, text: `${sentence(found.title)}${more}`, path: '/alerts', query: { alert: found.id } };
}

/** What the load explains is no news. An early finding alerts nobody, so it comes after all that does. */
function regressed(
  regressions: readonly Regression[],
  target: Target,
  outcome: Exclude<Regression['outcome'], 'explained'>,
): Health | null {
  const open = regressions.filter(
    (one) => one.state === 'open' && one.targetId === target.id && one.outcome === outcome,
  );
  const found = open.find(({ severity }) => severity === 'critical') ?? open[0];
  if (found === undefined) return null;
  const { id, severity, title, causes } = found;
  const cause = causes.find(({ kind }) => kind === 'function');
  const text = `${outcome === 'sent' ? 'Worse than before' : 'An early finding'}: ${sentence(title)}`;
  return {
    tone: outcome === 'sent' && severity === 'critical' ? 'bad' : 'warn',
    // A function's name does not begin a sentence: it would be written large.
    text: cause === undefined ? text : `${text} Likely cause: ${cause.text}.`,
    path: '/regressions',
    query: { regression: id },
  };
}

function freshVitals({ vitals, readingMs }: PageState, { id }: Target, nowMs: number): Vitals | undefined {
  const last = vitals[id];
  const limitMs = Math.max(freshMs, (readingMs[id] ?? 0) * freshReadings);
  return last === undefined || nowMs - Date.parse(last.at) > limitMs ? undefined : last;
}

/** By the numbers of now, before anything has called it a problem. */
function strained(vitals: Vitals | undefined, readingMs: number | null): Health | null {
  if (vitals === undefined) return null;
  const { loop, memory, cgroup, gc } = vitals;
  const say = (text: string, path: string): Health => ({ tone: 'warn', text, path, query: {} });
  const throttled = cgroup?.throttledRatio ?? 0;
  if (throttled >= throttledAt) {
    const limitCores = cgroup?.cpuLimitCores ?? null;
    const limit = limitCores === null ? '' : ` of ${limitCores} ${limitCores === 1 ? 'core' : 'cores'}`;
    return say(`The CPU limit${limit} keeps it waiting ${formatShare(throttled)} of the time.`, '/captures');
  }
  const full = fullest(memory);
  if (full !== null) return say(full, '/memory');
  const collecting = gc === null || readingMs === null ? 0 : gc.pauseMs / readingMs;
  if (collecting >= collectingAt) {
    return say(`Garbage collection takes ${formatShare(collecting)} of the time.`, '/memory');
  }
  if ((loop.utilization ?? 0) < saturatedAt) return null;
  return say(
    `The event loop is busy ${formatShare(loop.utilization ?? 0)} of the time: requests wait for each other. A CPU profile tells what it does.`,
    '/captures',
  );
}

function fullest(memory: Vitals['memory']): string | null {
  const pools = [
    ['The heap', memory.heapUsedBytes, memory.heapLimitBytes],
    ['The process', memory.rssBytes, memory.containerLimitBytes],
  ] as const;
  for (const [name, used, limit] of pools) {
    if (used === null || limit === null || limit === 0 || used / limit < nearLimitAt) continue;
    return `${name} holds ${formatBytes(used)} of ${formatBytes(limit)} (${formatShare(used / limit)}).`;
  }
  return null;
}

function stalledLately(stalls: readonly Stall[], at: { target: Target; nowMs: number }): Health | null {
  const stall = stalls.find(({ targetId }) => targetId === at.target.id);
  if (stall === undefined) return null;
  const agoMs = at.nowMs - Date.parse(stall.endedAt ?? stall.noticedAt);
  if (agoMs > recentMs) return null;
  const request = stall.span === null || stall.verdict === 'starved' ? '' : ` In ${requestOf(stall.span)}`;
  const text = `${sentence(stall.summary)}${request} That was ${formatAgo(agoMs)}.`;
  return { tone: 'warn', text, path: '/stacks', query: { stall: stall.id } };
}

function well(vitals: Vitals | undefined, last: string | null): Health {
  const nothing = { path: null, query: {} };
  if (vitals === undefined) {
    return { tone: 'idle', text: `Attached; ${last ?? 'no reading of it yet'}.`, ...nothing };
  }
  const { loop, memory } = vitals;
  const facts = [
    loop.utilization === null ? null : `event loop ${formatShare(loop.utilization)} busy`,
    loop.delayP99Ms === null ? null : `delay p99 ${formatDuration(loop.delayP99Ms)}`,
    memory.heapUsedBytes === null || memory.heapLimitBytes === null || memory.heapLimitBytes === 0
      ? null
      : `heap at ${formatShare(memory.heapUsedBytes / memory.heapLimitBytes)} of its limit`,
  ].filter((fact) => fact !== null);
  return { tone: 'good', text: `Healthy${facts.length === 0 ? '' : `: ${facts.join(', ')}`}.`, ...nothing };
}
