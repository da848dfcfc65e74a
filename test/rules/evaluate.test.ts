import { describe, expect, it } from 'vitest';
import { RuleEvaluator, type RuleReadings } from '../../agent/rules/evaluate.ts';
import type { RuleWhen } from '../../agent/rules/rule.ts';
import { RuleState } from '../../agent/rules/rule-state.ts';
import type { RuleFiring } from '../../protocol/rest/rules.ts';

const busy: RuleWhen = { kind: 'metric', metric: 'utilization', above: 0.9, below: null, forMs: 10_000 };
const stalled: RuleWhen = { kind: 'event', event: 'stall' };

function readings(utilization: number | null, stallAgoMs?: number): RuleReadings {
  return {
    metric: () => utilization,
    series: () => null,
    route: () => null,
    event: () => (stallAgoMs === undefined ? undefined : { agoMs: stallAgoMs, title: 'blocked for 2 s' }),
  };
}

describe('a condition on a value', () => {
  it('holds when the value was in the bounds for so long without a break', () => {
    const evaluator = new RuleEvaluator(busy);
    const at = (utilization: number | null, nowMs: number) => evaluator.evaluate(readings(utilization), nowMs).holds;
    expect([at(0.95, 0), at(0.95, 5_000), at(0.95, 10_000)]).toEqual([false, false, true]);
    expect([at(0.5, 15_000), at(0.95, 20_000), at(0.95, 25_000)]).toEqual([false, false, false]);
    expect([at(null, 27_000), at(0.95, 31_000)]).toEqual([false, false]);
  });

  it('says what it saw', () => {
    const evaluator = new RuleEvaluator(busy);
    evaluator.evaluate(readings(0.95), 0);
    expect(evaluator.evaluate(readings(0.9512), 4_000).leaves).toEqual([
      { text: 'utilization is 0.9512, wanted above 0.9 for 10 s', value: 0.9512, holds: false, sinceMs: 4_000 },
    ]);
    expect(evaluator.evaluate(readings(null), 5_000).leaves[0]?.text).toContain('utilization is not known');
  });
});

describe('an event', () => {
  it('is one for a minute, and fires once', () => {
    const evaluator = new RuleEvaluator(stalled);
    expect(evaluator.evaluate(readings(null), 100_000).holds).toBe(false);
    expect(evaluator.evaluate(readings(null, 1_000), 100_000).holds).toBe(true);
    expect(evaluator.evaluate(readings(null, 61_000), 160_000).holds).toBe(false);
    evaluator.consume(100_000);
    expect(evaluator.evaluate(readings(null, 3_000), 102_000).holds).toBe(false);
    expect(evaluator.evaluate(readings(null, 1_000), 110_000).holds).toBe(true);
  });

  it('joins with values: the event first, and the value with the next reading', () => {
    const evaluator = new RuleEvaluator({ kind: 'all', of: [{ ...busy, forMs: 0 }, stalled] });
    expect(evaluator.evaluate(readings(0.5, 0), 0).holds).toBe(false);
    expect(evaluator.evaluate(readings(0.95, 5_000), 5_000).holds).toBe(true);
    const either = new RuleEvaluator({ kind: 'any', of: [{ ...busy, forMs: 0 }, stalled] });
    expect(either.evaluate(readings(0.5, 0), 0).holds).toBe(true);
  });
});

describe('limits', () => {
  const limits = { limits: { cooldownMs: 60_000, max: 3, windowMs: 600_000 } };
  const open = (earlier?: ConstructorParameters<typeof RuleState>[2]) => {
    const clock = { wall: Date.parse('2026-01-31T12:00:00Z'), elapsed: 1_000_000 };
    const state = new RuleState(
      { rule: 'x', targetId: 't' },
      { wallMs: () => clock.wall, elapsedMs: () => clock.elapsed },
      earlier,
    );
    const pass = (ms: number): void => void ((clock.wall += ms), (clock.elapsed += ms));
    const fire = (): void =>
      state.fire({ id: String(clock.elapsed), at: new Date(clock.wall).toISOString() } as RuleFiring);
    return { state, clock, pass, fire };
  };

  it('keep a rule quiet for its cooldown, and for so many in any window, and never for good', () => {
    const { state, pass, fire } = open();
    for (let count = 0; count < 3; count++) {
      expect(state.obstacle(limits)).toBe(undefined);
      fire();
      expect([state.obstacle(limits), state.waitMs(limits)]).toEqual(['cooldown', count < 2 ? 60_000 : 480_000]);
      pass(60_000);
    }
    expect(state.obstacle(limits)).toBe('limit');
    pass(state.waitMs(limits));
    expect(state.obstacle(limits)).toBe(undefined);
  });

  it('do not care for steps of the clock', () => {
    const { state, clock, pass, fire } = open();
    fire();
    clock.wall -= 365 * 86_400_000;
    pass(59_000);
    expect(state.obstacle(limits)).toBe('cooldown');
    clock.wall += 730 * 86_400_000;
    pass(500);
    expect(state.obstacle(limits)).toBe('cooldown');
    pass(500);
    expect(state.obstacle(limits)).toBe(undefined);
  });

  it('go on where the agent before left off; what it wrote with a clock that was ahead counts as now', () => {
    const before = open();
    before.fire();
    const { record } = before.state;
    const soon = open(record);
    expect([soon.state.obstacle(limits), soon.state.record.total]).toEqual(['cooldown', 1]);
    const ahead = open({ ...record, firedAtMs: [Date.parse('2031-01-01T00:00:00Z')] });
    expect(ahead.state.waitMs(limits)).toBe(60_000);
    ahead.pass(60_000);
    expect(ahead.state.obstacle(limits)).toBe(undefined);
  });

  it('count every firing in the next agent too, not only those that are listed', () => {
    const often = { limits: { cooldownMs: 10_000, max: 60, windowMs: 3_600_000 } };
    const before = open();
    for (let count = 0; count < 60; count++, before.pass(10_000)) before.fire();
    const { record } = before.state;
    expect([record.firings.length, before.state.obstacle(often)]).toEqual([50, 'limit']);
    const next = new RuleState(
      { rule: 'x', targetId: 't' },
      { wallMs: () => before.clock.wall, elapsedMs: () => 5_000 },
      record,
    );
    expect(next.obstacle(often)).toBe('limit');
    // As an agent of an earlier version wrote it.
    const { firedAtMs: _, ...older } = record;
    expect(open(older).state.record.total).toBe(60);
  });
});
