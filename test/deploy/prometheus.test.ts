import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse, stringify } from 'yaml';
import { chartDirectory } from '../../.tools/chart.ts';
import { prometheusPath, promtoolPath } from '../../.tools/prepare/prometheus.ts';
import { createMetrics } from '../../agent/telemetry/metrics.ts';
import { startAgentProcess, untilAttached } from '../support/agent-process.ts';
import type { AgentProcess } from '../support/agent-process.ts';
import { freePort } from '../support/free-port.ts';
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

describe('what the chart brings for Prometheus and Grafana', () => {
  const alerts = join(chartDirectory, 'files/alerts.yaml');
  const dashboard = JSON.parse(readFileSync(join(chartDirectory, 'files/dashboard.json'), 'utf8')) as Dashboard;

  it('asks only for metrics, and labels of them, that the agent has', async () => {
    const metrics = await (await fetch(`${agent.opsUrl}/metrics`)).text();
    const names = new Set([...metrics.matchAll(/^# TYPE (\S+)/gm)].map(([, name = '']) => name));
    const { registry } = createMetrics({ version: '0.1.0', nodeVersion: 'v24.0.0' });
    const groups = (parse(readFileSync(alerts, 'utf8')) as { groups: { rules: { expr: string }[] }[] }).groups;
    const expressions = [
      ...groups.flatMap(({ rules }) => rules.map(({ expr }) => expr)),
      ...dashboard.panels.flatMap(({ targets = [] }) => targets.map(({ expr }) => expr)),
    ];
    expect(expressions.length).toBeGreaterThan(30);
    for (const expression of expressions) {
      const selectors = [...expression.matchAll(/\b((?:sidescope|process)_\w+)(?:\{([^}]*)\})?/g)];
      expect(selectors.length).toBeGreaterThan(0);
      for (const [, name = '', labels = ''] of selectors) {
        const family = name.replace(/_(bucket|sum|count)$/, '');
        expect({ expression, name, isThere: names.has(name) || names.has(family) }).toMatchObject({ isThere: true });
        const known = (registry.getSingleMetric(family) as { labelNames?: string[] } | undefined)?.labelNames;
        const used = [...labels.matchAll(/(\w+)\s*(?:=~|!~|!=|=)/g)].map(([, label = '']) => label);
        // The scrape adds these.
        const ours = used.filter((label) => !['namespace', 'pod', 'instance', 'job'].includes(label));
        if (known !== undefined)
          expect({ name, known }).toEqual({ name, known: expect.arrayContaining(ours) as string[] });
        else expect({ name, ours }).toEqual({ name, ours: name.startsWith('sidescope_egress') ? ours : [] });
      }
    }
  });

  it('has alerts that promtool takes, that fire when they should, and are silent when they should', () => {
    const folder = mkdtempSync(join(tmpdir(), 'sidescope-alerts-'));
    stack.defer(() => rmSync(folder, { recursive: true }));
    const pod = 'pod="shop-1",namespace="shop",target="t"';
    const series = (name: string, values: string) => ({ series: name, values });
    const firing = (at: string, ...names: string[]) => ({
      expr: 'count by (alertname) (ALERTS{alertstate="firing"})',
      eval_time: at,
      exp_samples: names.map((name) => ({ labels: `{alertname="${name}"}`, value: 1 })),
    });
    const file = join(folder, 'test.yaml');
    writeFileSync(
      file,
      stringify({
        rule_files: [alerts],
        evaluation_interval: '1m',
        tests: [
          {
            interval: '1m',
            input_series: [
              series(`sidescope_target_memory_bytes{${pod},kind="heap_used"}`, '80x5 95x20'),
              series(`sidescope_target_memory_bytes{${pod},kind="heap_limit"}`, '100x25'),
              series(`sidescope_target_memory_bytes{${pod},kind="rss"}`, '80x25'),
              series(`sidescope_target_memory_bytes{${pod},kind="container_limit"}`, '100x25'),
              series(`sidescope_target_event_loop_utilization_ratio{${pod}}`, '0.99x25'),
              series(`sidescope_stall_seconds_total{${pod},kind="blocked"}`, '0+0x5 0+5x20'),
              series(`sidescope_target_attached{${pod}}`, '1x25'),
              series(`sidescope_leak_verdicts_total{${pod},pool="heap",verdict="leak"}`, '0x5 1x20'),
              series(`sidescope_target_inspector_exposed{${pod}}`, '0x25'),
            ],
            promql_expr_test: [
              firing('4m'),
              firing('15m', 'NodeHeapNearLimit', 'NodeEventLoopSaturated', 'NodeEventLoopBlocked', 'NodeMemoryLeak'),
            ],
          },
        ],
      }),
    );
    for (const args of [
      ['check', 'rules', alerts],
      ['test', 'rules', file],
    ]) {
      const { status, stdout, stderr } = spawnSync(promtoolPath, args, { encoding: 'utf8' });
      expect({ status, said: status === 0 ? '' : stdout + stderr }).toEqual({ status: 0, said: '' });
    }
  });

  it('has a dashboard whose panels have a title, a place of their own and a question', () => {
    const ids = dashboard.panels.map(({ id }) => id);
    expect(new Set(ids).size).toBe(ids.length);
    const taken = new Set<string>();
    for (const {
      type,
      title,
      gridPos: { x, y, w, h },
      targets = [],
    } of dashboard.panels) {
      expect(title).not.toBe('');
      expect(x + w).toBeLessThanOrEqual(24);
      if (type !== 'row') expect(targets.length).toBeGreaterThan(0);
      for (let column = x; column < x + w; column++) {
        for (let line = y; line < y + h; line++) {
          expect(taken.has(`${column}:${line}`)).toBe(false);
          taken.add(`${column}:${line}`);
        }
      }
    }
  });
});

interface Dashboard {
  readonly panels: readonly {
    readonly id: number;
    readonly type: string;
    readonly title: string;
    readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number };
    readonly targets?: readonly { readonly expr: string }[];
  }[];
}

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
