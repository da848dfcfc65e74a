import type { AlertNotice } from '../alerts/alert-sink.ts';
import type { AlertProblem } from '../alerts/condition.ts';
import type { Stall } from '../../protocol/rest/stalls.ts';
import type { RuleEvent } from './rule.ts';

export const eventOfProblem: Partial<Record<AlertProblem, RuleEvent>> = {
  'memory-leak': 'leak',
  'memory-limit': 'memory',
  regression: 'regression',
  'target-death': 'exit',
};

const maxStallIds = 200;

/** The last event of each kind and target, and when it came, by a clock that only grows. */
export class RecentEvents {
  readonly #last = new Map<string, { readonly atMs: number; readonly title: string }>();
  readonly #stallIds = new Set<string>();

  /** Whether it is one that a rule may wait for, and new. Of a stall only the beginning is an event. */
  noteStall({ id, targetId, thread, kind, summary }: Stall, nowMs: number): RuleEvent | undefined {
    if (thread !== 'main' || this.#stallIds.has(id)) return undefined;
    this.#stallIds.add(id);
    const [oldest] = this.#stallIds;
    if (this.#stallIds.size > maxStallIds && oldest !== undefined) this.#stallIds.delete(oldest);
    return this.#note(kind === 'blocked' ? 'stall' : 'saturation', { targetId, title: summary, nowMs });
  }

  noteAlert({ change, alert }: AlertNotice, nowMs: number): RuleEvent | undefined {
    const event = eventOfProblem[alert.problem];
    if (event === undefined || !['opened', 'reopened', 'escalated'].includes(change)) return undefined;
    return this.#note(event, { targetId: alert.targetId, title: alert.title, nowMs });
  }

  get(targetId: string, event: RuleEvent, nowMs: number): { agoMs: number; title: string } | undefined {
    const last = this.#last.get(`${event} ${targetId}`);
    return last === undefined ? undefined : { agoMs: nowMs - last.atMs, title: last.title };
  }

  #note(event: RuleEvent, { targetId, title, nowMs }: { targetId: string; title: string; nowMs: number }): RuleEvent {
    this.#last.set(`${event} ${targetId}`, { atMs: nowMs, title });
    return event;
  }
}
