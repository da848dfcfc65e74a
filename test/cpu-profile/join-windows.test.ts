import { expect, it } from 'vitest';
import { findHotFunctions } from '../../protocol/cpu-profile/hot-functions.ts';
import { WindowJoiner } from '../../protocol/cpu-profile/join-windows.ts';
import { parseCpuProfile } from '../../protocol/cpu-profile/parse.ts';
import { readRawProfile } from '../../protocol/cpu-profile/raw-profile.ts';
import { readRawProfileBytes } from '../../protocol/cpu-profile/read-bytes.ts';
import { readWindowTimes } from '../../protocol/cpu-profile/window-times.ts';

/** `a;b` per millisecond, from `startUs`. */
function windowOf(startUs: number, stacks: readonly string[], durationUs = stacks.length * 1_000): object {
  const nodes = [nodeOf(1, '(root)')];
  const ids = new Map<string, number>([['', 1]]);
  const idOf = (stack: string): number => {
    const known = ids.get(stack);
    if (known !== undefined) return known;
    const parent = idOf(stack.split(';').slice(0, -1).join(';'));
    // Other ids than those of the order, as V8 has them in later windows.
    const id = 100 - nodes.length * 3;
    ids.set(stack, id);
    nodes.push(nodeOf(id, stack.split(';').at(-1) ?? ''));
    nodes.find((node) => node.id === parent)?.children.push(id);
    return id;
  };
  const samples = stacks.map(idOf);
  for (const node of nodes) node.positionTicks = [{ line: 7, ticks: samples.filter((id) => id === node.id).length }];
  const timeDeltas = stacks.map((_, index) => (index === 0 ? 0 : 1_000));
  return { nodes, startTime: startUs, endTime: startUs + durationUs, samples, timeDeltas };
}

function nodeOf(id: number, functionName: string) {
  const url = functionName.startsWith('(') ? '' : 'file:///app.js';
  return {
    id,
    callFrame: { functionName, scriptId: '5', url, lineNumber: 6, columnNumber: 0 },
    hitCount: 0,
    children: [] as number[],
    positionTicks: [] as { line: number; ticks: number }[],
  };
}

function join(...windows: readonly object[]) {
  const joiner = new WindowJoiner();
  const samples = windows.map((window) => {
    joiner.add(readRawProfile(window));
    return joiner.takeSamples();
  });
  const text = textOf(joiner, samples);
  return { joiner, text, profile: parseCpuProfile(JSON.parse(text)) };
}

function textOf(joiner: WindowJoiner, samples: readonly ReturnType<WindowJoiner['takeSamples']>[]): string {
  const all = (part: 'ids' | 'timeDeltas'): string => samples.map((taken) => taken[part]).join('');
  return `${[...joiner.head()].join('')}${all('ids')}],"timeDeltas":[${all('timeDeltas')}]}`;
}

function selfMs(profile: ReturnType<typeof parseCpuProfile>): Record<string, number> {
  return Object.fromEntries(
    findHotFunctions(profile).map(({ functionName, selfUs }) => [functionName, selfUs / 1_000]),
  );
}

it('makes one call tree of windows that number their nodes differently', () => {
  const { profile, joiner } = join(
    windowOf(10_000, ['main', 'main;a', 'main;a']),
    windowOf(13_000, ['main;b', 'main;a']),
  );
  expect(profile.frames.map(({ functionName }) => functionName)).toEqual(['(root)', 'main', 'a', 'b']);
  expect(profile.parents).toHaveLength(4);
  expect(selfMs(profile)).toEqual({ a: 3, main: 1, b: 1 });
  expect([profile.startTimeUs, profile.endTimeUs]).toEqual([10_000, 15_000]);
  expect([joiner.windows, joiner.gaps]).toEqual([2, []]);
});

it('adds up what V8 counted per line', () => {
  const { profile } = join(windowOf(0, ['a', 'a']), windowOf(2_000, ['a']));
  const node = profile.nodeFrames.findIndex((frame) => profile.frames[frame]?.functionName === 'a');
  const at = profile.lineStarts[node] ?? 0;
  expect([profile.lines[at], profile.lineSamples[at]]).toEqual([7, 3]);
});

it('marks the time between two windows as not recorded, and no function gets it', () => {
  const { profile, joiner } = join(windowOf(0, ['a', 'a']), windowOf(500_000, ['b']));
  expect(joiner.gaps).toEqual([{ fromUs: 2_000, toUs: 500_000 }]);
  expect(selfMs(profile)).toEqual({ a: 2, b: 1 });
  expect(profile.frames.map(({ functionName }) => functionName)).toContain('(not recorded)');
});

it('counts what two windows both saw once', () => {
  const { profile } = join(windowOf(0, ['a', 'a', 'a', 'a']), windowOf(2_000, ['a', 'a', 'b']));
  expect(selfMs(profile)).toEqual({ a: 4, b: 1 });
});

it('refuses a window that begins before the first, and stays as it was', () => {
  const joiner = new WindowJoiner();
  joiner.add(readRawProfile(windowOf(10_000, ['a'])));
  expect(() => joiner.add(readRawProfile(windowOf(9_000, ['b'])))).toThrow('before the first one');
  expect(textOf(joiner, [joiner.takeSamples()])).not.toContain('"b"');
});

it('has nothing to write without a window', () => {
  expect(() => [...new WindowJoiner().head()]).toThrow('there is no window to join');
});

it('is the same again when what it wrote is joined', () => {
  const { text } = join(windowOf(10_000, ['main', 'main;a']), windowOf(12_000, ['main;b']));
  const again = new WindowJoiner();
  again.add(readRawProfileBytes(new TextEncoder().encode(text)));
  expect(textOf(again, [again.takeSamples()])).toBe(text);
});

it('agrees with the windows one by one, on random ones', () => {
  let seed = 42;
  const random = (below: number): number => (seed = (seed * 48_271) % 2_147_483_647) % below;
  const names = ['a', 'b', 'a;b', 'a;b;c', 'b;a', '(idle)', '(garbage collector)'];
  for (let round = 0; round < 20; round++) {
    const windows = Array.from({ length: 1 + random(5) }, (_, index) =>
      windowOf(
        index * 50_000,
        Array.from({ length: 50 }, () => names[random(names.length)] ?? 'a'),
      ),
    );
    const expected = new Map<string, number>();
    for (const window of windows)
      for (const [name, ms] of Object.entries(selfMs(parseCpuProfile(window))))
        expected.set(name, (expected.get(name) ?? 0) + ms);
    expect(new Map(Object.entries(selfMs(join(...windows).profile)))).toEqual(expected);
  }
});

it('finds the times of a window behind its nodes, whatever its functions are called', () => {
  const window = windowOf(123_456, ['],"startTime":1,"endTime":2,']);
  expect(readWindowTimes(new TextEncoder().encode(JSON.stringify(window)))).toEqual({
    startUs: 123_456,
    endUs: 124_456,
  });
  expect(() => readWindowTimes(new TextEncoder().encode('{"nodes":[]}'))).toThrow('no times where V8 writes them');
});
