import type { AlertNotice } from '../alerts/alert-sink.ts';
import type { AlertProblem } from '../alerts/condition.ts';
import type { Stall } from '../../protocol/rest/stalls.ts';
import type { Death } from '../../protocol/rest/deaths.ts';
import { isAlarming } from '../memory/death-alert.ts';
import type { RuleEvent } from './rule.ts';

export const eventOfProblem: Partial<Record<AlertProblem, RuleEvent>> = {
  'memory-leak': 'leak',
  'memory-limit': 'memory',
  regression: 'regression',
};

const maxIds = 200;

export function eventsOfDeath(death: Death): readonly RuleEvent[] {
  return isAlarming(death) ? ['exit', 'death'] : ['exit'];
}

/** The last event of each kind and target, and when it came, by a clock that only grows. */
export class RecentEvents {
  readonly #last = new Map<string, { readonly atMs: number; readonly title: string }>();
  /** Of stalls and deaths: they are told again when more is known. */
  readonly #ids = new Set<string>();

  /** Whether it is one that a rule may wait for, and new. Of a stall only the beginning is an event. */
  noteStall({ id, targetId, thread, kind, summary }: Stall, nowMs: number): RuleEvent | undefined {
    if (thread !== 'main' || !this.#isNew(id)) return undefined;
    return this.#note(kind === 'blocked' ? 'stall' : 'saturation', { targetId, title: summary, nowMs });
  }

  noteAlert({ change, alert }: AlertNotice, nowMs: number): RuleEvent | undefined {
    const event = eventOfProblem[alert.problem];
    if (event === undefined || !['opened', 'reopened', 'escalated'].includes(change)) return undefined;
    return this.#note(event, { targetId: alert.targetId, title: alert.title, nowMs });
  }

  /** Whether it is a new one. */
  noteDeath(death: Death, nowMs: number): boolean {
    if (!this.#isNew(death.id)) return false;
    const { targetId, summary: title } = death;
    for (const event of eventsOfDeath(death)) this.#note(event, { targetId, title, nowMs });
    return true;
  }

  get(targetId: string, event: RuleEvent, nowMs: number): { agoMs: number; title: string } | undefined {
    const last = this.#last.get(`${event} ${targetId}`);
    return last === undefined ? undefined : { agoMs: nowMs - last.atMs, title: last.title };
  }

  forget(targetId: string): void {
    for (const key of this.#last.keys()) if (key.endsWith(` ${targetId}`)) this.#last.delete(key);
  }

  #isNew(id: string): boolean {
    if (this.#ids.has(id)) return false;
    this.#ids.add(id);
    const [oldest] = this.#ids;
    if (this.#ids.size > maxIds && oldest !== undefined) this.#ids.delete(oldest);
    return true;
  }

  #note(event: RuleEvent, { targetId, title, nowMs }: { targetId: string; title: string; nowMs: number }): RuleEvent {
    this.#last.set(`${event} ${targetId}`, { atMs: nowMs, title });
    return event;
  }
}
