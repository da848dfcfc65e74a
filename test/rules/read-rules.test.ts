import { describe, expect, it, test } from 'vitest';
import { readRules } from '../../agent/rules/read-rules.ts';
import { whenText } from '../../agent/rules/rule.ts';

async function problemsOf(rule: string): Promise<string[]> {
  const { problems, rules } = await readRules(`# a comment\ndata-dir: /data\nrules:\n${rule}\n`);
  expect(rules).toEqual([]);
  return problems.map(({ line, message }) => `${line}: ${message}`);
}

it('reads every kind of condition, capture and limit, with its defaults', async () => {
  const { rules, problems } = await readRules(`
rules:
  - name: burst
    when: { metric: utilization, above: 0.9, for: 10s }
    capture: cpu
  - name: slow-users
    when:
      all:
        - { route: 'GET /users/:id', read: p95, above: 500, for: 1m }
        - any: [{ event: stall }, { series: jobs_total, labels: { queue: mail }, read: rate, above: 10 }]
    capture: { kind: heap-sampling, duration: 2m, mode: churn }
    limits: { cooldown: 1h, max: 3, window: 1d }
    keep: { pin: true, labels: { team: shop } }
    alert: warning
  - { name: dead, enabled: false, when: { event: exit }, capture: { kind: recorder, before: 2m } }
`);
  expect(problems).toEqual([]);
  expect(rules.map(({ when }) => whenText(when))).toEqual([
    'utilization above 0.9 for 10 s',
    'p95 of GET /users/:id above 500 for 60 s and (the event stall or rate of jobs_total{queue="mail"} above 10)',
    'the event exit',
  ]);
  expect(rules).toMatchObject([
    {
      isEnabled: true,
      capture: { kind: 'cpu', durationMs: 30_000, thread: 'main' },
      limits: { cooldownMs: 600_000, max: 12, windowMs: 86_400_000 },
      keep: { isPinned: false, labels: {} },
      alert: 'info',
    },
    {
      capture: { kind: 'heap-sampling', durationMs: 120_000, mode: 'churn' },
      limits: { cooldownMs: 3_600_000, max: 3, windowMs: 86_400_000 },
      keep: { isPinned: true, labels: { team: 'shop' } },
      alert: 'warning',
    },
    { isEnabled: false, capture: { kind: 'recorder', beforeMs: 120_000, afterMs: 15_000 } },
  ]);
});

it('has no rules where the file has none', async () => {
  expect(await readRules('data-dir: /data\n')).toEqual({ rules: [], problems: [] });
  expect(await readRules('')).toEqual({ rules: [], problems: [] });
});

describe('says what is wrong, and in which line', () => {
  test.each([
    [
      'an unknown metric',
      '  - name: x\n    when: { metric: utilisation, above: 1 }',
      ['5: when.metric: there is no metric "utilisation"; did you mean utilization?'],
    ],
    [
      'an unknown key',
      '  - name: x\n    whne: { event: stall }\n    when: { event: stall }',
      ['4: Unrecognized key: "whne"'],
    ],
    [
      'an unknown capture',
      '  - name: x\n    when: { event: stall }\n    capture: cpus',
      ['6: capture.kind: must be one of cpu, heap-sampling, stacks, heap-snapshot, recorder'],
    ],
    [
      'no condition',
      '  - name: x\n    when: { above: 3 }',
      ['5: when: must have one of metric, series, route, event, all, any'],
    ],
    ['no bound', '  - name: x\n    when: { metric: rssBytes }', ['4: rule x: rssBytes needs above or below']],
    [
      'bounds that exclude each other',
      '  - name: x\n    when: { metric: rssBytes, above: 5, below: 3 }',
      ['4: rule x: rssBytes cannot be above 5 and below 3'],
    ],
    [
      'conditions that exclude each other',
      '  - name: x\n    when:\n      all:\n        - { metric: rssBytes, above: 5 }\n        - { metric: rssBytes, below: 3 }',
      ['4: rule x: rssBytes cannot be above 5 and below 3 at once'],
    ],
    [
      'what is never true',
      '  - name: x\n    when: { metric: utilization, above: 1 }',
      ['4: rule x: utilization is a share, 0 to 1: it is never above 1'],
    ],
    [
      'a rule that would fire every second',
      '  - name: x\n    when: { event: stall }\n    capture: cpu\n    limits: { cooldown: 1s }',
      ['7: limits.cooldown: "1s" must be at least 10s'],
    ],
    [
      'a rule that would capture all the time',
      '  - name: x\n    when: { event: stall }\n    capture: { kind: cpu, duration: 5m }\n    limits: { cooldown: 1m }',
      ['4: rule x: its cooldown of 60 s is shorter than its capture of 300 s: it would capture all the time'],
    ],
    [
      'snapshots one after the other',
      '  - name: x\n    when: { event: leak }\n    capture: heap-snapshot\n    limits: { cooldown: 1m }',
      ['4: rule x: heap snapshots pause the target: a cooldown of at least 10 min is needed'],
    ],
    [
      'a profile of a dead process',
      '  - name: x\n    when: { event: exit }\n    capture: cpu',
      ['4: rule x: after the exit there is no process to take cpu of; the capture can only be recorder'],
    ],
    [
      'a rule that does nothing',
      '  - name: x\n    when: { event: stall }\n    alert: off',
      ['4: rule x: it has no capture and its alert is off: it does nothing'],
    ],
    [
      'two of one name',
      '  - name: x\n    when: { event: stall }\n  - name: x\n    when: { event: leak }',
      ['6: there are two rules named x'],
    ],
    [
      'two of one name behind one that is wrong',
      '  - name: w\n  - name: x\n    when: { event: stall }\n  - name: x\n    when: { event: leak }',
      ['4: when: must have one of metric, series, route, event, all, any', '7: there are two rules named x'],
    ],
    [
      'a name that is none',
      '  - name: No Good\n    when: { event: stall }',
      ['4: name: must be lower-case letters, digits and dashes'],
    ],
    ['text that is no YAML', '  - name: "x\n', [expect.stringMatching(/^\d+: /) as string]],
    [
      'aliases',
      '  - &a { name: x, when: { event: stall } }\n  - *a',
      [expect.stringMatching(/^\d+: .*alias/i) as string],
    ],
    ['no list', '  name: x', ['4: rules must be a list of at most 50 rules']],
  ])('%s', async (_what, rule, expected) => {
    expect(await problemsOf(rule)).toEqual(expected);
  });
});
