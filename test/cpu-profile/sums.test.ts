import { describe, expect, it } from 'vitest';
import { sumFrameTotals, sumNodes } from '../../protocol/cpu-profile/call-tree.ts';
import { cpuFacts } from '../../protocol/cpu-profile/facts.ts';
import { categorizeFrame, longFrameText, shortFrameText } from '../../protocol/cpu-profile/frame-text.ts';
import { findHotFunctions, sumCategories } from '../../protocol/cpu-profile/hot-functions.ts';
import type { HotFunction } from '../../protocol/cpu-profile/hot-functions.ts';
import { parseCpuProfile } from '../../protocol/cpu-profile/parse.ts';
import { cpuFactsSchema } from '../../protocol/rest/profile.ts';
import { fileOf, randomFile } from './profiles.ts';
import type { ProfileFile } from './profiles.ts';

describe('sums', () => {
  it('are those of a slow twin that walks every stack, on random trees', () => {
    for (let seed = 1; seed <= 60; seed++) {
      const file = randomFile(seed, { nodes: 1 + seed * 2, samples: seed * 7 });
      const profile = parseCpuProfile(file);
      const { selfUs, totalUs } = sumNodes(profile);
      const totals = sumFrameTotals(profile, totalUs);
      const slow = sumSlowly(file);
      profile.frames.forEach((frame, index) => {
        const self = selfUs.reduce((sum, us, node) => sum + (profile.nodeFrames[node] === index ? us : 0), 0);
        const name = `${frame.functionName}:${frame.line}`;
        expect([self, totals[index]], `${name}, seed ${seed}`).toEqual([
          slow.self.get(name) ?? 0,
          slow.total.get(name) ?? 0,
        ]);
      });
    }
  });

  it('give a sample the time until the next one, and the last the time until the end', () => {
    const file = fileOf('a', 'b', 'c');
    file.timeDeltas = [500, 2_000, 100];
    file.endTime = file.startTime + 10_000;
    expect(hot(file)).toEqual(['c self 7.4 total 7.4', 'a self 2.0 total 2.0', 'b self 0.1 total 0.1']);
  });
});

describe('findHotFunctions', () => {
  it('counts a recursive function once', () => {
    expect(hot(fileOf('main;fib 2', 'main;fib;fib 3', 'main;fib;help;fib 1', 'main;help 4'))).toEqual([
      'fib self 6.0 total 6.0',
      'help self 4.0 total 5.0',
    ]);
  });

  it('leaves out (idle) and (root), takes shares of the rest, and ends at the limit', () => {
    const profile = parseCpuProfile(fileOf('(idle) 90', 'a 6', '(program) 3', '(garbage collector) 1'));
    expect(findHotFunctions(profile).map((found) => [found.functionName, found.selfShare])).toEqual([
      ['a', 0.6],
      ['(program)', 0.3],
      ['(garbage collector)', 0.1],
    ]);
    expect(findHotFunctions(profile, 1)).toHaveLength(1);
  });

  it('sums functions over all their callers and keeps ties in the order of the file', () => {
    expect(hot(fileOf('x;shared 2', 'y;shared 3', 'y;tie 1', 'x;other 1'))).toEqual([
      'shared self 5.0 total 5.0',
      'tie self 1.0 total 1.0',
      'other self 1.0 total 1.0',
    ]);
  });
});

describe('categories', () => {
  it.each([
    ['(idle)', 'idle'],
    ['(program)', 'program'],
    ['(root)', 'program'],
    ['(garbage collector)', 'gc'],
    ['writeBuffer', 'native'],
    ['readSync@node:fs:12', 'node'],
    ['run@wasm://wasm/app-1:1', 'native'],
    ['handle@file:///srv/node_modules/express/lib/router.js:4', 'package'],
    ['handle@C:\\srv\\node_modules\\express\\router.js:4', 'package'],
    ['fib@file:///srv/app.js:4', 'app'],
    ['(idle)@file:///srv/app.js:4', 'app'],
  ])('%s is %s', (frame, category) => {
    const { frames } = parseCpuProfile(fileOf(frame));
    expect(categorizeFrame(frames[frame === '(root)' ? 0 : 1]!)).toBe(category);
  });

  it('of evaluated code without a URL is app', () => {
    expect(categorizeFrame({ functionName: 'made', url: '', scriptId: '31', line: 1, column: 1 })).toBe('app');
  });

  it('add up to the sampled time', () => {
    const profile = parseCpuProfile(fileOf('(idle) 5', 'a@node:fs:1 2', 'b@file:///b.js:1 3'));
    const sums = sumCategories(profile, sumNodes(profile).selfUs);
    expect(sums).toEqual({ app: 3_000, package: 0, node: 2_000, native: 0, gc: 0, idle: 5_000, program: 0 });
  });
});

describe('frame texts', () => {
  it.each([
    ['fib@file:///srv/app.js:12', 'fib app.js:12', 'fib /srv/app.js:12'],
    ['@file:///srv/my%20app.js:3', '(anonymous) my app.js:3', '(anonymous) /srv/my app.js:3'],
    ['fib@file:///srv/100%.js:3', 'fib 100%.js:3', 'fib /srv/100%.js:3'],
    ['readSync@node:fs:7', 'readSync node:fs:7', 'readSync node:fs:7'],
    ['run@node:internal/timers:7', 'run timers:7', 'run node:internal/timers:7'],
    ['writeBuffer', 'writeBuffer', 'writeBuffer'],
  ])('%s is %s', (frame, short, long) => {
    const { frames } = parseCpuProfile(fileOf(`main;${frame}`));
    expect([shortFrameText(frames[2]!), longFrameText(frames[2]!)]).toEqual([short, long]);
  });
});

describe('cpuFacts', () => {
  it('describes a profile as the contract says', () => {
    const file = fileOf('(idle) 50', 'main;fib@file:///srv/app.js:12 30', '(garbage collector) 10', '(program) 10');
    const { facts, problems } = cpuFacts(parseCpuProfile(file));
    expect(cpuFactsSchema.parse(facts)).toEqual({
      intervalUs: 1_000,
      samples: 100,
      nodes: 6,
      samplingHz: 990.1,
      idleShare: 0.5,
      gcShare: 0.1,
      startTimeUs: 5_000_000,
      endTimeUs: 5_101_000,
      topFunction: 'fib app.js:12',
    });
    expect(problems).toEqual([]);
  });

  it('never names (program), (idle) or (root) as the top function', () => {
    expect(cpuFacts(parseCpuProfile(fileOf('(program) 9', '(idle) 9', 'a'))).facts.topFunction).toBe('a');
    expect(cpuFacts(parseCpuProfile(fileOf('(program) 9', '(idle) 9'))).facts.topFunction).toBeNull();
  });

  it('tells a profile without samples', () => {
    const { facts, problems } = cpuFacts(parseCpuProfile({ ...fileOf(), endTime: 5_000_000 }));
    expect(problems).toEqual(['no-samples']);
    expect(facts).toMatchObject({
      samples: 0,
      samplingHz: 0,
      intervalUs: 0,
      idleShare: null,
      gcShare: null,
      topFunction: null,
    });
  });

  it('tells a stuck sampler that saw only the root', () => {
    const file = fileOf('a 3');
    file.samples = [1, 1, 1];
    expect(cpuFacts(parseCpuProfile(file)).problems).toEqual(['only-root']);
  });

  it('finds nothing wrong with an idle target', () => {
    expect(cpuFacts(parseCpuProfile(fileOf('(program) 1', '(idle) 40')))).toMatchObject({ problems: [] });
  });

  it('takes the median as interval, so that one long gap does not matter', () => {
    const file = fileOf('a 5');
    file.timeDeltas = [0, 90_000, 1_010, 990, 1_000];
    expect(cpuFacts(parseCpuProfile(file)).facts.intervalUs).toBe(1_010);
  });
});

/** `name self MS total MS` of the functions that have self time. */
function hot(file: ProfileFile): string[] {
  const line = ({ functionName, selfUs, totalUs }: HotFunction) =>
    `${functionName} self ${(selfUs / 1_000).toFixed(1)} total ${(totalUs / 1_000).toFixed(1)}`;
  return findHotFunctions(parseCpuProfile(file)).map(line);
}

/** Per `function:line`. No file with negative deltas or our own frames. */
function sumSlowly(file: ProfileFile): { self: Map<string, number>; total: Map<string, number> } {
  const byId = new Map(file.nodes.map((node) => [node.id, node]));
  const parentOf = new Map(
    file.nodes.flatMap((node) => (node.children ?? []).map((child) => [child, node.id] as const)),
  );
  const nameOf = (id: number) => {
    const { functionName, lineNumber } = byId.get(id)!.callFrame;
    return `${functionName}:${lineNumber + 1}`;
  };
  const self = new Map<string, number>();
  const total = new Map<string, number>();
  const add = (sums: Map<string, number>, name: string, us: number) => sums.set(name, (sums.get(name) ?? 0) + us);
  file.samples.forEach((id, index) => {
    const us = file.timeDeltas[index + 1] ?? file.endTime - file.startTime - file.timeDeltas.reduce((a, b) => a + b, 0);
    const names = new Set<string>();
    for (let at: number | undefined = id; at !== undefined; at = parentOf.get(at)) names.add(nameOf(at));
    add(self, nameOf(id), us);
    for (const name of names) add(total, name, us);
  });
  return { self, total };
}
