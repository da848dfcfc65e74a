import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { egressSchema, type EgressView } from '../../protocol/rest/egress.ts';
import type { Info } from '../../protocol/rest/info.ts';
import type { Operation } from '../../protocol/rest/operation.ts';
import type { Recorder } from '../../protocol/rest/recorder.ts';
import { apiPath } from '../../protocol/rest/routes.ts';
import { filesBelow, scratchDirectory } from '../store/sample.ts';
import { openAgent } from '../support/agent.ts';
import { writeConfigFile } from '../support/config-file.ts';
import { startTarget } from '../support/target.ts';
import { waitFor } from '../support/wait-for.ts';
import { openPyroscope } from './pyroscope-double.ts';

test('the last windows of the flight recorder are sent when the agent stops', async () => {
  await using pyroscope = await openPyroscope();
  await using target = await startTarget('busy');
  const args = ['--flight-recorder', '--egress-url', `pyroscope+${pyroscope.url}`, '--service-name', 'shop'];
  const agent = await openAgent({ targets: [target.inspectorAddress], args });
  try {
    await waitFor(
      async () => {
        const headers = { authorization: `Bearer ${agent.token}` };
        const { targets } = (await (await fetch(`${agent.url}${apiPath}/recorder`, { headers })).json()) as Recorder;
        const since = targets[0]?.since ?? null;
        // A window is 30 s long: this one is cut short by the end.
        return targets[0]?.state === 'recording' && since !== null && Date.now() - Date.parse(since) > 500;
      },
      { message: 'the flight recorder' },
    );
    expect(pyroscope.ingested).toEqual([]);
  } finally {
    await agent.agent.close({ graceMs: 10_000 });
    await agent[Symbol.asyncDispose]();
  }
  expect(pyroscope.broken).toEqual([]);
  expect(pyroscope.ingested.map(({ app, labels }) => [app, labels['source']])).toEqual([['shop', 'recorder']]);
  expect(pyroscope.ingested[0]?.pprof.sample.length).toBeGreaterThan(0);
});

test('the whole agent sends what it captures, says so, and flushes when it stops', async () => {
  await using pyroscope = await openPyroscope();
  await using volume = scratchDirectory();
  await using target = await startTarget('busy');
  await using config = await writeConfigFile(`egress:
  - { name: flames, kind: pyroscope, url: "${pyroscope.url}", filters: { kinds: [cpu] } }
  - { name: volume, kind: directory, path: ${volume.path} }
  - { name: wrong, kind: s3, url: "s3://Wrong" }
`);
  const agent = await openAgent({
    targets: [target.inspectorAddress],
    args: ['--config', config.path, '--service-name', 'shop'],
  });
  const call = async <T>(path: string, init: RequestInit = {}): Promise<T> => {
    const headers = { authorization: `Bearer ${agent.token}` };
    const response = await fetch(`${agent.url}${apiPath}${path}`, { ...init, headers });
    expect(response.ok, `${path}: ${response.status}`).toBe(true);
    return (await response.json()) as T;
  };
  let id = '';
  try {
    const ready = async () => (await call<{ targets: { state: { state: string } }[] }>('/targets')).targets;
    await waitFor(async () => (await ready())[0]?.state.state === 'attached', { message: 'the target' });
    const operation = await call<Operation>('/cpu/start?duration=500&wait=true', { method: 'POST' });
    id = operation.profileIds[0] ?? '';
    const view = egressSchema.parse(await call<EgressView>('/egress'));
    expect(view.destinations.map(({ name, where }) => [name, where])).toEqual([
      ['flames', new URL(pyroscope.url).host],
      ['volume', volume.path],
    ]);
    expect(view.problems).toEqual([expect.stringMatching(/line 4: url: names no bucket/)]);
    expect(view.deliveries.map(({ profileId, state }) => [profileId, state])).toEqual([
      [id, 'queued'],
      [id, 'queued'],
    ]);
    const { features } = await call<Info>('/info');
    expect(features.find(({ name }) => name === 'egress')).toMatchObject({ state: 'failed' });
    const metrics = await (await fetch(`${agent.opsUrl}/metrics`)).text();
    expect(metrics).toContain('sidescope_egress_queue_length{destination="flames"} 1');
    expect(metrics).toContain('sidescope_egress_sent_total{destination="flames"} 0');
  } finally {
    // Spans and labels would be waited for ten seconds; who stops has no time for that.
    await agent.agent.close({ graceMs: 10_000 });
    await agent[Symbol.asyncDispose]();
  }
  expect(pyroscope.broken).toEqual([]);
  expect(pyroscope.ingested.map(({ app, labels }) => [app, labels['source']])).toEqual([['shop', 'capture']]);
  const [file = ''] = filesBelow(volume.path);
  expect(file).toContain(id);
  expect(readFileSync(join(volume.path, file)).length).toBeGreaterThan(1_000);
});
