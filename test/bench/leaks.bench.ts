import { setTimeout as delay } from 'node:timers/promises';
import { placeText } from '../../agent/memory/leak-words.ts';
import { leakPrograms, runLeakSuite } from '../memory/leak-suite.ts';
import type { Bench } from './support.ts';

const limitMs = 60_000;

/** Of the real programs, how many leaks are found, in the right pool and with the right function, and what is called one that is none? */
export const bench: Bench = async ({ quick, signal }) => {
  const seeds = quick ? [1] : [1, 2, 3, 4, 5];
  const rows = [];
  const sum = { found: 0, leaking: 0, called: 0, right: 0, sites: 0, withSite: 0 };
  for (const seed of seeds) {
    await using run = await runLeakSuite(leakPrograms, { seed });
    const startMs = performance.now();
    const foundAtMs = new Map<string, number>();
    while (performance.now() - startMs < limitMs) {
      await delay(250, undefined, { signal });
      for (const { name, pool } of leakPrograms) {
        const isFound = run.verdicts(name).some((each) => each.verdict === 'leak' && each.pool === pool);
        if (isFound && !foundAtMs.has(name)) foundAtMs.set(name, performance.now() - startMs);
      }
      if (foundAtMs.size === leakPrograms.filter(({ pool }) => pool !== null).length) break;
    }
    for (const { name, pool, site } of leakPrograms) {
      const pools = [...(run.leaks.get(name)?.keys() ?? [])];
      sum.called += pools.length;
      sum.right += pools.filter((each) => each === pool).length;
      if (pool === null) continue;
      sum.leaking++;
      if (foundAtMs.has(name)) sum.found++;
      if (site === undefined) continue;
      sum.withSite++;
      const [top] = run.verdicts(name).find((each) => each.pool === pool)?.sites ?? [];
      if (top !== undefined && placeText(top) === site) sum.sites++;
    }
    const times = [...foundAtMs.values()].map((ms) => ms / 1000);
    rows.push({
      seed,
      found: foundAtMs.size,
      'first, s': Math.min(...times).toFixed(1),
      'last, s': Math.max(...times).toFixed(1),
    });
  }
  const share = (part: number, whole: number): string => `${part} of ${whole} (${((100 * part) / whole).toFixed(0)} %)`;
  return [
    { title: 'Real programs, windows of 300 ms', note: '9 leak, 4 do not; all at once', rows },
    {
      title: 'Over all seeds',
      note: 'recall: leaks found in the right pool; precision: verdicts that are right; sites: the right function on top',
      rows: [
        {
          recall: share(sum.found, sum.leaking),
          precision: share(sum.right, sum.called),
          sites: share(sum.sites, sum.withSite),
        },
      ],
    },
  ];
};
