import { expect, test } from 'vitest';
import { diffCpuProfiles } from '../../protocol/cpu-profile/diff.ts';
import { parseCpuProfile } from '../../protocol/cpu-profile/parse.ts';
import { cpuDiffText, cpuSummaryText, summarizeCpu } from '../../protocol/cpu-profile/report.ts';

/** Samples by function, all below the root; `(idle)` is V8's. */
function profileOf(samples: Readonly<Record<string, number>>, line = 1) {
  const names = Object.keys(samples);
  const callFrame = (functionName: string) => ({
    functionName,
    url: functionName.startsWith('(') ? '' : '/app/main.js',
    scriptId: functionName.startsWith('(') ? '0' : '1',
    lineNumber: functionName.startsWith('(') ? -1 : line,
    columnNumber: -1,
  });
  const ids = names.flatMap((name, index) => Array<number>(samples[name]!).fill(index + 2));
  return parseCpuProfile({
    nodes: [
      { id: 1, callFrame: callFrame('(root)'), children: names.map((_, index) => index + 2) },
      ...names.map((name, index) => ({ id: index + 2, callFrame: callFrame(name), children: [] })),
    ],
    startTime: 0,
    endTime: ids.length * 1_000,
    samples: ids,
    timeDeltas: ids.map((_, index) => (index === 0 ? 0 : 1_000)),
  });
}

test('shares are of the busy samples: idle time and duration change nothing', () => {
  const { functions, busyBefore, busyAfter } = diffCpuProfiles(
    profileOf({ parse: 500, render: 500 }),
    profileOf({ parse: 1_500, render: 500, '(idle)': 8_000 }),
  );
  expect([busyBefore, busyAfter]).toEqual([1, 0.2]);
  expect(
    functions.map(({ functionName, shareBefore, shareAfter, kind }) => [functionName, shareBefore, shareAfter, kind]),
  ).toEqual([
    ['parse', 0.5, 0.75, 'changed'],
    ['render', 0.5, 0.25, 'changed'],
  ]);
});

test('functions that are new or gone are told, a function that only moved in its file is neither', () => {
  const { functions } = diffCpuProfiles(profileOf({ kept: 600, old: 400 }), profileOf({ kept: 600, fresh: 400 }, 77));
  expect(functions.map(({ functionName, kind, line, change }) => [functionName, kind, line, change])).toEqual([
    ['fresh', 'new', 78, 0.4],
    ['old', 'gone', 2, -0.4],
    ['kept', 'changed', 78, 0],
  ]);
});

test('a change that few samples cannot show is not called one', () => {
  const few = diffCpuProfiles(profileOf({ a: 6, b: 4 }), profileOf({ a: 4, b: 6 }));
  expect(few.functions.map(({ isSignificant }) => isSignificant)).toEqual([false, false]);
  const many = diffCpuProfiles(profileOf({ a: 6_000, b: 4_000 }), profileOf({ a: 4_000, b: 6_000 }));
  expect(many.functions.map(({ isSignificant }) => isSignificant)).toEqual([true, true]);
});

test('a profile without samples shows nothing, and is no division by zero', () => {
  const { functions, busyBefore } = diffCpuProfiles(profileOf({}), profileOf({ a: 10 }));
  expect(busyBefore).toBe(0);
  expect(functions).toMatchObject([{ kind: 'new', shareBefore: 0, shareAfter: 1, change: 1, isSignificant: false }]);
});

test('the reports are short, and the same each time', () => {
  const [before, after] = [profileOf({ parse: 300, render: 700 }), profileOf({ parse: 800, '(idle)': 200 })];
  expect(cpuDiffText(diffCpuProfiles(before, after))).toBe(
    [
      'CPU diff: 1000 and 800 busy samples; busy 100.0 %, then 80.0 %',
      '',
      'Functions by change of their share of the busy time; * beyond the noise of sampling',
      '   change  before    after          function',
      '  +70.0 %  30.0 %  100.0 %  *       parse main.js:2',
      '  -70.0 %  70.0 %        -  * gone  render main.js:2',
      '',
    ].join('\n'),
  );
  const text = cpuSummaryText(summarizeCpu(after, 10));
  expect(text).toContain('CPU profile: 1.0 s, 1000 samples, one per 1.0 ms, busy 80.0 %\n');
  expect(text).toContain('  100.0 %    800.0     800.0  parse main.js:2\n');
});
