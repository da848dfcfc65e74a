import { expect, it } from 'vitest';
import { placeText } from '../../agent/memory/leak-words.ts';
import { waitFor } from '../support/wait-for.ts';
import { leakPrograms, runLeakSuite } from './leak-suite.ts';

it(
  'finds every leak of ten real programs that leak at once, with its pool and function, and is silent about the others',
  { timeout: 200_000 },
  async () => {
    await using run = await runLeakSuite(leakPrograms);
    const leaking = leakPrograms.filter(({ pool }) => pool !== null);
    expect(leaking).toHaveLength(10);
    const siteOf = (name: string): string | undefined => {
      const site = run.verdicts(name).find(({ pool }) => pool === 'heap')?.sites[0];
      return site === undefined ? undefined : placeText(site);
    };
    const isFound = ({ name, pool, site }: (typeof leakPrograms)[number]): boolean =>
      pool !== null &&
      run.verdicts(name).some((each) => each.pool === pool && each.verdict === 'leak') &&
      (site === undefined || siteOf(name) === site);
    await waitFor(() => leaking.every(isFound), {
      deadlineMs: 150_000,
      message: () =>
        `all leaks; not found: ${leaking
          .filter((program) => !isFound(program))
          .map(
            ({ name }) =>
              `${name} (${siteOf(name) ?? 'no site'}): ${run
                .verdicts(name)
                .map(({ pool, verdict, reason }) => `${pool} ${verdict} ${reason}`)
                .join('; ')}`,
          )
          .join('\n')}`,
    });
    const called = leakPrograms.map(({ name }) => [name, [...(run.leaks.get(name)?.keys() ?? [])]]);
    expect(Object.fromEntries(called)).toEqual(
      Object.fromEntries(leakPrograms.map(({ name, pool }) => [name, pool === null ? [] : [pool]])),
    );
    for (const { name, pool, site } of leaking) {
      const alert = run.raised.find(({ targetId }) => targetId === run.targetId(name));
      expect(alert).toMatchObject({ problem: 'memory-leak', key: pool });
      if (site === undefined) continue;
      const [verdict] = run.verdicts(name).filter((each) => each.pool === pool);
      expect(verdict).toMatchObject({ limit: { kind: 'heap', reachedAt: expect.any(String) as string } });
      // Its file is there with the whole path.
      const [functionName = '', place = ''] = site.split(' ');
      const last = run.raised.findLast(({ targetId }) => targetId === run.targetId(name));
      expect(last?.evidence?.[0]?.text).toMatch(new RegExp(`\\b${functionName} \\S*/${place}\\b`));
    }
  },
);
