import type { Alert } from '../../protocol/rest/alerts.ts';
import type { Stall } from '../../protocol/rest/stalls.ts';
import type { Alerts } from '../alerts/alerts.ts';
import type { Monitor } from '../vitals/monitor.ts';
import { eventOfProblem } from './recent-events.ts';
import type { RuleEvent } from './rule.ts';

const maxStalls = 100;
/** Of each kind of problem. */
const maxAlerts = 50;

export interface PastEvent {
  readonly event: RuleEvent;
  readonly atMs: number;
  readonly title: string;
}

export interface PastEvents {
  /** Oldest first. */
  readonly events: readonly PastEvent[];
  /** There were more of these than are listed. */
  readonly cut: readonly RuleEvent[];
}

/** What happened to a target since then, of what rules wait for: stalls, and the beginnings of alerts. Throws `storage-failed`. */
export function pastEvents(
  asked: readonly RuleEvent[],
  about: {
    readonly targetId: string;
    readonly since: string;
    readonly monitor: Pick<Monitor, 'listStalls'>;
    readonly alerts: Pick<Alerts, 'list'>;
  },
): PastEvents {
  const { targetId, since, monitor, alerts } = about;
  const cut: RuleEvent[] = [];
  const events: PastEvent[] = [];
  if (asked.includes('stall') || asked.includes('saturation')) {
    const { stalls, nextCursor } = monitor.listStalls({ targetId, since, limit: maxStalls });
    events.push(...stalls.filter(({ thread }) => thread === 'main').map(eventOfStall));
    if (nextCursor !== null) cut.push('stall', 'saturation');
  }
  for (const [problem, event] of Object.entries(eventOfProblem) as [Alert['problem'], RuleEvent][]) {
    if (!asked.includes(event)) continue;
    const { alerts: found, nextCursor } = alerts.list({ targetId, since, problem, limit: maxAlerts });
    events.push(...found.map(({ openedAt, title }) => ({ event, atMs: Date.parse(openedAt), title })));
    if (nextCursor !== null) cut.push(event);
  }
  const wanted = events.filter(({ event }) => asked.includes(event));
  return { events: wanted.toSorted((a, b) => a.atMs - b.atMs), cut: cut.filter((event) => asked.includes(event)) };
}

function eventOfStall({ kind, noticedAt, summary }: Stall): PastEvent {
  return { event: kind === 'blocked' ? 'stall' : 'saturation', atMs: Date.parse(noticedAt), title: summary };
}
