import { expect, test } from 'vitest';
import type { Info } from '../../protocol/rest/info.ts';
import { apiPath } from '../../protocol/rest/routes.ts';
import type { SeriesList } from '../../protocol/rest/series.ts';
import { openAgent } from '../support/agent.ts';
import { startTarget } from '../support/target.ts';
import { waitFor } from '../support/wait-for.ts';

const lagMax = /^nodejs_eventloop_lag_max_seconds (\S+)$/m;

test('through the agent a page has one reader: what Prometheus sees and what we keep is the same, and nothing is lost', async () => {
  await using target = await startTarget('has-metrics');
  const url = /^page (.*)$/m.exec(target.stdout)?.[1] ?? '';
  await using agent = await openAgent({
    targets: [target.inspectorAddress],
    args: ['--metrics-url', url, '--metrics-interval', '1h'],
  });
  const get = async <Value>(path: string) => {
    const answer = await fetch(`${agent.url}${apiPath}${path}`, {
      headers: { authorization: `Bearer ${agent.token}` },
    });
    return (await answer.json()) as Value;
  };
  const feature = async () => (await get<Info>('/info')).features.find(({ name }) => name === 'metrics');
  await waitFor(async () => (await get<SeriesList>('/series')).total > 0, { message: 'a reading of its own' });
  expect(await feature()).toMatchObject({
    state: 'on',
    reason: expect.stringContaining('nodejs_eventloop_lag_') as string,
  });

  await target.send(300);
  await target.waitForOutput(/^done$/m);
  const page = await (await fetch(`${agent.opsUrl}/target-metrics`)).text();
  const seen = Number(lagMax.exec(page)?.[1]);
  expect(seen).toBeGreaterThan(0.2);
  const kept = await waitFor(
    async () => {
      const list = await get<SeriesList>('/series?name=nodejs_eventloop_lag_max_seconds');
      return list.scrape?.by === 'pass-through' ? list.series[0]?.values.at(-1) : undefined;
    },
    { message: 'the page that was passed on to be kept' },
  );
  expect(kept).toBeCloseTo(seen, 6);
  expect(await feature()).toEqual({ name: 'metrics', state: 'on', reason: null, remedy: null });

  // Whoever reads the page beside the agent finds it set back.
  const beside = await (await fetch(url)).text();
  expect(Number(lagMax.exec(beside)?.[1])).toBeLessThan(seen);
  const { series } = await get<SeriesList>('/series?name=job*&match=%7Bqueue%3D%22mail%22%7D');
  expect(series.find(({ name }) => name === 'jobs_total')).toMatchObject({ type: 'counter', values: [null, 1] });
  expect(series.find(({ name }) => name === 'job_seconds_sum')).toMatchObject({
    type: 'histogram',
    values: [null, 0.3],
  });
  const metrics = await (await fetch(`${agent.opsUrl}/metrics`)).text();
  expect(metrics).toContain('sidescope_scrapes_total{by="pass-through",result="ok"} 1');
  expect(metrics).toContain('sidescope_target_metrics_requests_total{result="ok"} 1');
});
