import { EventEmitter } from 'node:events';
import { expect, it } from 'vitest';
import { systemClock } from '../../agent/alerts/clock.ts';
import type { Rule } from '../../agent/rules/rule.ts';
import { RuleStates } from '../../agent/rules/rule-states.ts';
import { RuleWatch, type RuleWatchOptions } from '../../agent/rules/rule-watch.ts';
import { indexInMemory } from '../../agent/vitals/history.ts';
import type { RuleFiring } from '../../protocol/rest/rules.ts';

const rule: Rule = {
  name: 'busy',
  isEnabled: true,
  when: { kind: 'metric', metric: 'utilization', above: 0.9, below: null, forMs: 0 },
  capture: undefined,
  limits: { cooldownMs: 10_000, max: 12, windowMs: 86_400_000 },
  keep: { isPinned: false, labels: {} },
  alert: 'info',
};

it('keeps nothing in memory of targets that are forgotten, and what it has of the others', () => {
  using index = indexInMemory();
  const log = { error: () => undefined };
  const states = new RuleStates({ index, clock: systemClock, log });
  const [targets, monitor, alerts, deaths] = Array.from({ length: 4 }, () => new EventEmitter());
  const firings = {
    fire: ({ name }: Rule, { targetId }: { targetId: string }) =>
      states.of(name, targetId).fire({ id: targetId, at: new Date().toISOString() } as RuleFiring),
  };
  const options = { targets, monitor, alerts, deaths, states, firings, clock: systemClock };
  using watch = new RuleWatch(options as unknown as RuleWatchOptions);
  watch.replace([rule]);
  for (const targetId of ['t1', 't2']) monitor?.emit('values', { targetId, values: { utilization: 0.95 } });
  expect(states.totals().map(({ target, fired }) => [target, fired])).toEqual([
    ['t1', 1],
    ['t2', 1],
  ]);
  watch.forget('t1');
  states.forget('t1');
  expect([watch.last('busy', 't1'), watch.last('busy', 't2')?.holds]).toEqual([undefined, true]);
  expect(states.totals().map(({ target }) => target)).toEqual(['t2']);
});
