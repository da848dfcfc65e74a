import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { prometheusPath, promtoolPath } from '../../.tools/prepare/prometheus.ts';
import { startAgentProcess, untilAttached } from '../support/agent-process.ts';
import type { AgentProcess } from '../support/agent-process.ts';
import { startTarget } from '../support/target.ts';
import { waitFor } from '../support/wait-for.ts';

let agent: AgentProcess;
const stack = new AsyncDisposableStack();
afterAll(() => stack.disposeAsync());

beforeAll(async () => {
  const target = stack.use(await startTarget('busy'));
  agent = stack.use(await startAgentProcess({ targets: [target.inspectorAddress] }));
  await untilAttached(agent);
  // So that every family that an ordinary life fills has a sample.
  await agent.json('/cpu/start?duration=200&wait=true', { method: 'POST' });
  await agent.json('/heap/snapshot?wait=true', { method: 'POST' });
});

it('promtool finds nothing to say about the metrics', async () => {
  const metrics = await (await fetch(`${agent.opsUrl}/metrics`)).text();
  const { status, stdout, stderr } = spawnSync(promtoolPath, ['check', 'metrics'], {
    input: metrics,
    encoding: 'utf8',
  });
  expect({ status, said: stdout + stderr }).toEqual({ status: 0, said: '' });
});

it('Prometheus scrapes the ops listener and has the agent in its series', async () => {
  await using prometheus = await startPrometheus(new URL(agent.opsUrl).host);
  const found = await waitFor(() => prometheus.query('sidescope_captures_total{kind="cpu"}'), {
    message: prometheus.log,
    deadlineMs: 30_000,
  });
  expect(found).toEqual([{ labels: expect.objectContaining({ result: 'succeeded' }) as object, value: 1 }]);
  expect(await prometheus.query('sum(up{job="sidescope"})')).toEqual([{ labels: {}, value: 1 }]);
  expect(await prometheus.query('sum(sidescope_target_attached)')).toEqual([{ labels: {}, value: 1 }]);
});

interface Prometheus extends AsyncDisposable {
  /** What an instant query gives; undefined while it gives nothing. */
  query(expression: string): Promise<readonly { labels: object; value: number }[] | undefined>;
  readonly log: () => string;
}

async function startPrometheus(target: string): Promise<Prometheus> {
  await using starting = new AsyncDisposableStack();
  const directory = mkdtempSync(join(tmpdir(), 'sidescope-prometheus-'));
  starting.defer(() => rmSync(directory, { recursive: true }));
  const configuration = join(directory, 'prometheus.yml');
  const scrape = { job_name: 'sidescope', scrape_interval: '1s', static_configs: [{ targets: [target] }] };
  writeFileSync(configuration, stringify({ scrape_configs: [scrape] }));
  const address = `127.0.0.1:${await freePort()}`;
  const child = spawn(
    prometheusPath,
    [`--config.file=${configuration}`, `--storage.tsdb.path=${directory}/data`, `--web.listen-address=${address}`],
    { stdio: ['ignore', 'ignore', 'pipe'] },
  );
  let log = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (log += text));
  starting.defer(async () => {
    if (child.exitCode !== null) return;
    child.kill('SIGKILL');
    await once(child, 'exit');
  });
  const resources = starting.move();
  return {
    async query(expression) {
      const response = await fetch(`http://${address}/api/v1/query?query=${encodeURIComponent(expression)}`);
      const { data } = (await response.json()) as {
        data: { result: { metric: object; value: [number, string] }[] };
      };
      if (data.result.length === 0) return undefined;
      return data.result.map(({ metric, value }) => ({ labels: metric, value: Number(value[1]) }));
    },
    log: () => `Prometheus to have it; its log: ${log}`,
    [Symbol.asyncDispose]: () => resources.disposeAsync(),
  };
}

/** Prometheus does not tell which one port 0 became. */
async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}
