import { describe, expect, it } from 'vitest';
import type { Observation, StackSample, ThreadObservation } from '../../agent/cli/why/observe.ts';
import { hotspotOfStacks } from '../../agent/cli/why/places.ts';
import type { UsageRates } from '../../agent/cli/why/process-usage.ts';
import { nextStep } from '../../agent/cli/why/report.ts';
import { judge } from '../../agent/cli/why/verdict.ts';

/** The running function first, as `name:line`; what has no line is a builtin. */
function sample(stack: string, waitedMs = 5): StackSample {
  const frames = stack.split(' ').map((text) => {
    const [functionName = '', line] = text.split(':');
    const url = line === undefined ? '' : 'file:///app/a.js';
    return { functionName, url, lineNumber: Number(line ?? 0), columnNumber: 1 };
  });
  return { frames, hasMore: false, span: null, waitedMs };
}

function observation(main: Partial<ThreadObservation>): Observation {
  const thread = { id: 'main', title: 'main', samples: [], longestTurnMs: 2, blockedMs: 0, unansweredMs: 0, ...main };
  return { durationMs: 3_000, threads: [thread], profile: null, memory: null };
}

const rates: UsageRates = {
  rssBytes: 1,
  cores: { main: 0.2, v8: 0, pool: 0, other: 0 },
  delayedRatio: 0.6,
  throttledRatio: 0.6,
  cpuLimitCores: 0.2,
  memoryLimitBytes: null,
  cgroupMemoryBytes: null,
};

describe('the verdict', () => {
  it('a CPU limit comes before what it makes slow', () => {
    const found = judge(observation({ blockedMs: 3_000, samples: [sample('spin:3')] }), rates);
    expect(found).toMatchObject({
      code: 'throttled',
      text: 'the CPU limit of 0.2 cores keeps it waiting 60 % of the time',
    });
  });

  it('a block that is over is told with its length', () => {
    const found = judge(observation({ longestTurnMs: 1_500, samples: [sample('spin:3 main:9')] }), undefined);
    expect(found).toMatchObject({ code: 'was-blocked', hotspot: { place: { functionName: 'spin', line: 3 } } });
    expect(found.text).toContain('a pause of 1.5 s');
  });

  it('a question that is not answered is a native call; where it was before is near', () => {
    const main = { blockedMs: 3_000, unansweredMs: 2_500, samples: [sample('load:3 main:9')] };
    const found = judge(observation(main), undefined);
    expect(found).toMatchObject({ code: 'native-call', isNearby: true, hotspot: { place: { functionName: 'load' } } });
  });

  it('late answers are native work', () => {
    const main = { blockedMs: 3_000, samples: [sample('load:3', 900), sample('load:3', 900), sample('load:4', 900)] };
    expect(judge(observation(main), undefined).text).toContain('native work without a pause');
  });
});

describe('where a thread is', () => {
  it('the innermost function that nearly all stacks share, at its most frequent line', () => {
    const stacks = ['step:1 work:7 main:9', 'work:7 main:9', 'other:2 work:8 main:9', 'step:1 work:7 main:9'];
    expect(hotspotOfStacks(stacks.map((stack) => sample(stack)))).toMatchObject({
      place: { functionName: 'work', file: '/app/a.js', line: 7 },
      calledBy: [{ functionName: 'main', line: 9 }],
      doing: null,
      share: 1,
    });
  });

  it('the builtin that it calls, and never that alone', () => {
    const found = hotspotOfStacks([sample('parse load:3'), sample('parse load:3'), sample('load:4')]);
    expect(found).toMatchObject({ place: { functionName: 'load', line: 3 }, doing: 'JSON.parse' });
  });

  it('is nowhere without stacks', () => {
    expect(hotspotOfStacks([])).toBeNull();
    expect(hotspotOfStacks([{ frames: [], hasMore: false, span: null, waitedMs: 1 }])).toBeNull();
  });
});

describe('the next step', () => {
  const blocked = judge(observation({ blockedMs: 3_000, unansweredMs: 3_000 }), undefined);
  const found = { verdict: { ...blocked, code: 'blocked' }, usage: undefined, memory: null, target: 42 } as const;

  it('of a blocked process is to watch it', () => {
    expect(nextStep({ ...found, isWatching: false })).toMatch(/^sidescope why 42 --watch /);
  });

  it('does not recommend to watch what is watched already', () => {
    expect(nextStep({ ...found, isWatching: true })).toBe(
      'this goes on until Ctrl-C; the call ends when it returns, or with kill',
    );
    const waiting = { ...found, verdict: { ...blocked, code: 'waiting' } } as const;
    expect(nextStep({ ...waiting, isWatching: true })).not.toContain('--watch');
  });
});
