import type { Catch, RuleExplanation, RuleFiring, Rules, RuleView } from '../../protocol/rest/rules.ts';
import { ago } from './samples.ts';

export function sampleFiring(rule: string, over: Partial<RuleFiring> = {}): RuleFiring {
  return {
    id: 'f-1',
    rule,
    targetId: 't1',
    at: ago(400_000),
    by: 'rule',
    why: 'cpu 0.97 > 0.9 for 30 s',
    state: 'captured',
    operationId: 'op-1',
    profileIds: ['p-1'],
    sharedWith: null,
    error: null,
    ...over,
  };
}

export function sampleRule(over: Partial<RuleView> = {}): RuleView {
  return {
    name: 'cpu-burst',
    enabled: true,
    when: 'cpu is above 0.9 for 30 s',
    capture: 'CPU profile of 20 s',
    limits: { cooldownMs: 600_000, max: 3, windowMs: 3_600_000 },
    keep: { pinned: true, labels: { rule: 'cpu-burst' } },
    alert: 'off',
    notes: [],
    targets: [
      {
        targetId: 't1',
        state: 'idle',
        waitMs: 0,
        conditions: [{ text: 'cpu is 0.4512, wanted above 0.9 for 30 s', value: 0.4512, holds: false, sinceMs: null }],
        total: 4,
        suppressed: { cooldown: 1, limit: 0 },
        firings: [sampleFiring('cpu-burst')],
      },
    ],
    ...over,
  };
}

export function sampleRules(over: Partial<Rules> = {}): Rules {
  return { file: '/etc/sidescope.yaml', loadedAt: ago(900_000), problems: [], rules: [], catches: [], ...over };
}

export function sampleCatch(over: Partial<Catch> = {}): Catch {
  return {
    id: 'c-1',
    event: 'stall',
    targetId: 't1',
    startedBy: 'terminal',
    startedAt: ago(0),
    until: ago(-1_800_000),
    above: null,
    state: 'waiting',
    why: null,
    profileId: null,
    ...over,
  };
}

export function sampleExplanation(rule: string): RuleExplanation {
  return {
    rule,
    targetId: 't1',
    from: ago(3_600_000),
    to: ago(0),
    now: { holds: false, conditions: [] },
    readings: 720,
    held: 12,
    wouldHaveFired: [{ at: ago(400_000), why: 'cpu 0.97 > 0.9 for 30 s' }],
    suppressed: { cooldown: 1, limit: 0 },
    notes: [],
  };
}
