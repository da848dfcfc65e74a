import type { Alert } from '../../protocol/rest/alerts.ts';
import type { Stall } from '../../protocol/rest/stalls.ts';
import type { Alerts } from '../alerts/alerts.ts';
import type { DeathRecords } from '../memory/death-records.ts';
import type { Monitor } from '../vitals/monitor.ts';
import { eventOfProblem, eventsOfDeath } from './recent-events.ts';
import type { RuleEvent } from './rule.ts';

const maxStalls = 100;
const maxDeaths = 50;
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

/** What happened to a target since then, of what rules wait for: stalls, deaths, and the beginnings of alerts. Throws `storage-failed`. */
export function pastEvents(
  asked: readonly RuleEvent[],
  about: {
    readonly targetId: string;
    readonly since: string;
    readonly monitor: Pick<Monitor, 'listStalls'>;
    readonly alerts: Pick<Alerts, 'list'>;
    readonly deaths: Pick<DeathRecords, 'list'>;
  },
): PastEvents {
  const { targetId, since, monitor, alerts, deaths } = about;
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
  if (asked.includes('exit') || asked.includes('death')) {
    const { deaths: found, nextCursor } = deaths.list({ targetId, since, limit: maxDeaths });
    for (const death of found)
      for (const event of eventsOfDeath(death))
        events.push({ event, atMs: Date.parse(death.at), title: death.summary });
    if (nextCursor !== null) cut.push('exit', 'death');
  }
  const wanted = events.filter(({ event }) => asked.includes(event));
  return { events: wanted.toSorted((a, b) => a.atMs - b.atMs), cut: cut.filter((event) => asked.includes(event)) };
}

function eventOfStall({ kind, noticedAt, summary }: Stall): PastEvent {
  return { event: kind === 'blocked' ? 'stall' : 'saturation', atMs: Date.parse(noticedAt), title: summary };
}
