import { describe, expect, test } from 'vitest';
import { analyseHeap } from '../../protocol/heap-snapshot/analyse.ts';
import type { HeapAnalysis } from '../../protocol/heap-snapshot/analyse.ts';
import { findHints } from '../../protocol/heap-snapshot/hints.ts';
import { asDiffBase, diffSnapshots } from '../../protocol/heap-snapshot/diff.ts';
import type { HeapDiff } from '../../protocol/heap-snapshot/diff.ts';
import { leakPrograms } from '../memory/leak-suite.ts';
import { readSnapshot } from './snapshots.ts';
import { takeSnapshots } from './take.ts';

/** The scope of the program's only step: all of them keep what they leak in a variable of their module. */
const module = 'global.setInterval.context.step.context.handlers.step.context';

/** By program: what leaks, and the way to it; `count` stayed from the first third of the time between the snapshots to the last. */
const leaks: Readonly<Record<string, { className: string; path: string; steps?: number; count?: number }>> = {
  map: { className: 'Object', path: `${module}.sessions.table[]` },
  set: { className: 'Object', path: `${module}.handled.table[]` },
  array: { className: 'Object', path: `${module}.audit[]` },
  listener: { className: 'Function', path: `${module}.bus._events.change[]` },
  promise: { className: 'Function', path: `${module}.waiting[]` },
  context: { className: 'AsyncResource', path: `${module}.waiting[]` },
  buffer: { className: 'Buffer', path: `${module}.uploads[]` },
  // A stream per three steps.
  native: { className: 'Deflate', path: `${module}.open[]`, steps: 330, count: 110 },
};

describe('the leaking programs, by three snapshots of each', () => {
  test.each(Object.entries(leaks))(
    '%s: its class and the way to it, and that what stayed is half of the growth',
    async (program, { className, path, steps = 120, count = 120 }) => {
      const diff = await diffOf(program, steps);
      expect(diff.grown.find(({ isSuspect }) => isSuspect)).toMatchObject({ className, path, count });
      expect(diff.classes.find(({ name }) => name === className)).toMatchObject({ isGrowingSteadily: true });
      // Of two stretches the later is not yet proven.
      expect(diff.grown[0]!.retainedBytes / diff.totals.newBytes).toBeGreaterThan(0.3);
      expect(diff.grown[0]!.retainedBytes / diff.totals.newBytes).toBeLessThan(0.51);
    },
  );

  test('timer: the timers, in the list of their duration, whichever way that is gone through', async () => {
    const suspects = (await diffOf('timer', 220)).grown.filter(({ isSuspect }) => isSuspect);
    // By whichever function of Node's timers is the nearest.
    const paths = suspects.map(
      ({ className, path }) => `${className} ${path.replace(/^global\.\w+/, 'global.timers')}`,
    );
    expect(paths.sort()).toEqual([
      'Timeout global.timers.context.timerListMap[]._idleNext',
      'Timeout global.timers.context.timerListMap[]._idlePrev',
    ]);
    expect(suspects.reduce((sum, { count }) => sum + count, 0)).toBe(220);
  });

  test('closure: the chain is held by its last function, with all that grew', async () => {
    const analyses = await analysesOf('closure', 120);
    const { grown, classes, totals } = diffOfThree(analyses);
    expect(grown.filter(({ isSuspect }) => isSuspect)).toEqual([grown[0]]);
    expect(grown[0]).toMatchObject({ className: 'Function', count: 1, chainedCount: 120 });
    expect(grown[0]!.path.startsWith(`${module}.previous.context.inner.context.inner…`)).toBe(true);
    expect(grown[0]!.retainedBytes / totals.newBytes).toBeGreaterThan(0.9);
    const { counts } = classes.find(({ name, isGrowingSteadily }) => name === 'Function' && isGrowingSteadily)!;
    expect(counts[2]! - counts[0]!).toBeGreaterThanOrEqual(240);
    const hints = findHints(analyses[2]!).map(({ kind, text, path }) => `${kind}: ${text} | ${path}`);
    expect(hints).toContainEqual(
      expect.stringMatching(/^closures: 360 closures of previous closure\.mjs:9 \| .*\.previous/),
    );
  });

  test('all programs that leak are among these', () => {
    const leaking = leakPrograms.filter(({ pool }) => pool !== null).map(({ name }) => name);
    expect([...Object.keys(leaks), 'timer', 'closure'].sort()).toEqual(leaking.sort());
  });
});

// In steps, a burst is at its beginning, its middle and its end when they are taken.
test.each(leakPrograms.filter(({ pool }) => pool === null).map(({ name }) => name))(
  '%s does not leak, and nothing of it is a suspect',
  async (program) => {
    const { grown, totals } = await diffOf(program, 270);
    expect(grown.filter(({ isSuspect }) => isSuspect)).toEqual([]);
    expect(totals.survivedCount).toBeGreaterThan(10_000);
  },
);

async function diffOf(program: string, steps: number): Promise<HeapDiff> {
  return diffOfThree(await analysesOf(program, steps));
}

async function analysesOf(program: string, steps: number): Promise<HeapAnalysis[]> {
  const args = [`--program=${program}`, `--steps=${steps}`];
  const snapshots = await takeSnapshots('leak-suite', { count: 3, args });
  return snapshots.map((bytes) => analyseHeap(readSnapshot(bytes)));
}

function diffOfThree([first, second, third]: readonly HeapAnalysis[]): HeapDiff {
  return diffSnapshots([asDiffBase(first!), asDiffBase(second!)], third!);
}
