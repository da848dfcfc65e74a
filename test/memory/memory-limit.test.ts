import { expect, it } from 'vitest';
import { startTarget } from '../support/target.ts';
import { waitFor } from '../support/wait-for.ts';
import { growUntilSampled, openDeaths } from './death-harness.ts';

it(
  'a heap near its limit raises one alert with sites and minutes, and settles when it is far again',
  { timeout: 60_000 },
  async () => {
    await using target = await startTarget('dies', {
      execArgv: ['--inspect=127.0.0.1:0', '--max-old-space-size=256', '--expose-gc'],
    });
    await using watched = await openDeaths([target.inspectorAddress]);
    const { monitored, limits, raised, settled } = watched;
    await monitored.reading(({ memory }) => memory.heapLimitBytes !== null, 'a reading with the limit');
    const targetId = monitored.harness.targets.list()[0]?.id ?? '';
    await waitFor(() => limits.limitOf(targetId).nearerLimit?.limitBytes === 256 * 2 ** 20, { message: 'the limit' });
    await growUntilSampled(target, watched, 'fillHalf');
    await target.send('hold');
    const alert = await waitFor(() => raised.find(({ problem }) => problem === 'memory-limit'), {
      deadlineMs: 20_000,
      message: () => `the alert; ${JSON.stringify(limits.limitOf(targetId))}`,
    });
    expect(alert).toMatchObject({
      problem: 'memory-limit',
      targetId,
      facts: { pool: 'heap', limitBytes: 256 * 2 ** 20 },
    });
    expect(alert.title).toMatch(/^the heap is at 9\d % of its limit \(\d+ of 268 MB\)/);
    expect(alert.facts, watched.warnings.join('; ')).toMatchObject({
      'space.old_space': expect.any(Number) as number,
      site: expect.stringMatching(/^hoard \(/) as string,
    });
    expect(alert.evidence?.map(({ name }) => name)).toEqual(['sites.txt', 'vitals.txt']);
    expect(alert.evidence?.[0]?.text).toContain('hoard');
    expect(alert.evidence?.[1]?.text).toContain('heap MB');
    await target.send('release');
    await waitFor(() => settled[0], { message: 'the end of it' });
    expect(settled).toMatchObject([{ problem: 'memory-limit' }]);
    // The search for sites is over too: nothing samples in the target any more.
    expect(watched.complaints).toEqual([]);
  },
);
