import { setTimeout as delay } from 'node:timers/promises';
import { expect, it } from 'vitest';
import type { AlertList } from '../../protocol/rest/alerts.ts';
import { deathListSchema } from '../../protocol/rest/deaths.ts';
import { memoryStatsSchema } from '../../protocol/rest/vitals.ts';
import { apiPath } from '../../protocol/rest/routes.ts';
import { startBackend } from '../demo/backend.ts';
import { openAgent } from '../support/agent.ts';
import { waitFor } from '../support/wait-for.ts';

it(
  'the demo that is killed by its leak leaves a record and an alert that name the pool and the line',
  { timeout: 90_000 },
  async () => {
    await using shop = await startBackend({ load: false, env: { NODE_OPTIONS: '--max-old-space-size=110' } });
    await using running = await openAgent({
      targets: [shop.inspectorAddress],
      args: ['--vitals-interval', '1s', '--otlp-address', 'off'],
    });
    const read = async (path: string): Promise<unknown> => {
      const answer = await fetch(`${running.url}${apiPath}${path}`, {
        headers: { authorization: `Bearer ${running.token}` },
      });
      if (!answer.ok) throw new Error(`${path}: ${answer.status} ${await answer.text()}`);
      return answer.json();
    };
    const before = await waitFor(
      async () => {
        const stats = memoryStatsSchema.parse(await read('/memory/stats'));
        return stats.nearerLimit === null ? undefined : stats;
      },
      { message: 'the nearer limit' },
    );
    expect(before.nearerLimit).toMatchObject({ pool: 'heap', limitBytes: 110 * 2 ** 20 });

    const stopped = new AbortController();
    const usedPercent = async () => memoryStatsSchema.parse(await read('/memory/stats')).nearerLimit?.usedPercent ?? 0;
    const visiting = visitUntilItDies(`${shop.shopUrl}/sessions`, { usedPercent, signal: stopped.signal });
    const { deaths } = await waitFor(
      async () => {
        const list = deathListSchema.parse(await read('/deaths'));
        return list.deaths.length > 0 ? list : undefined;
      },
      { deadlineMs: 60_000, message: () => `the record; ${running.logged.slice(-5).join('')}` },
    );
    stopped.abort();
    await visiting;
    const [death] = deaths;
    expect(death).toMatchObject({
      cause: 'v8-out-of-memory',
      targetName: 'shop',
      memory: { pool: 'heap', limit: { pool: 'heap' } },
    });
    const sites = death?.sampling?.sites ?? [];
    // The callback of Array.from, inside of it, has the greater part.
    expect(sites[0]).toMatchObject({ url: expect.stringMatching(/shop\/sessions\.ts$/) as string, line: 14 });
    const { alerts } = (await read('/alerts?problem=target-death')) as AlertList;
    expect(alerts).toMatchObject([{ severity: 'critical', key: 'v8-out-of-memory' }]);
    expect(alerts[0]?.text).toContain('shop/sessions.ts:14');
    expect(alerts[0]?.evidence.map(({ name }) => name)).toEqual(expect.arrayContaining(['sites.txt', 'vitals.txt']));
  },
);

/** As fast as it answers up to half of the limit; from there on some 4 MB of sessions a second, so that several readings see them. */
async function visitUntilItDies(
  url: string,
  { usedPercent, signal }: { usedPercent: () => Promise<number>; signal: AbortSignal },
): Promise<void> {
  let isNear = false;
  while (!signal.aborted) {
    const visits = Array.from({ length: 30 }, () => fetch(url, { method: 'POST', signal }));
    // Refused when it is dead, which the record tells.
    await Promise.allSettled(visits.map(async (visit) => (await visit).arrayBuffer()));
    isNear ||= (await usedPercent()) > 50;
    if (isNear) await delay(150);
  }
}
