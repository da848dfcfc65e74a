import { setTimeout as delay } from 'node:timers/promises';
import type { AlertList } from '../../protocol/rest/alerts.ts';
import type { BaselineView } from '../../protocol/rest/baseline.ts';
import type { LeakList } from '../../protocol/rest/leaks.ts';
import type { RegressionList } from '../../protocol/rest/regressions.ts';
import type { StallList } from '../../protocol/rest/stalls.ts';
import { sendTraffic } from '../baseline/traffic.ts';
import { startAgentProcess, untilAttached, type AgentProcess } from '../support/agent-process.ts';
import { freePort } from '../support/free-port.ts';
import { startTarget } from '../support/target.ts';
import { formatMiB, readProcess, type Bench, type ProcessReading } from './support.ts';

const perSecond = 10;
const costMs = 3;
const settlingMs = 60_000;

/** Does a steady service stay silent, and does the agent stay as small as it was? An interrupt ends it early, and what was seen until then is told. */
export const bench: Bench = async ({ quick, signal }) => {
  const forMs = (quick ? 10 : 70) * 60_000;
  const otlp = `127.0.0.1:${await freePort()}`;
  await using target = await startTarget('serves-requests', { args: [String(costMs), `http://${otlp}`] });
  const [, url = ''] = await target.waitForOutput(/^url (.*)$/m);
  const args = ['--otlp-address', otlp, '--metrics-url', `${url}/metrics`];
  await using agent = await startAgentProcess({ targets: [target.inspectorAddress], args });
  await untilAttached(agent);
  await using traffic = sendTraffic(url, { routes: ['/orders', '/prices'], perSecond });
  const startedMs = performance.now();
  const both = () => Promise.all([readProcess(agent.pid), readProcess(target.pid)]);
  await pause(Math.min(settlingMs, forMs), signal);
  const before = await both();
  await pause(forMs - settlingMs, signal);
  const after = await both();
  const [minutes, told] = [(performance.now() - startedMs) / 60_000, await toldBy(agent)];
  const overMs = minutes * 60_000 - settlingMs;
  return [
    {
      title: `A steady service for ${minutes.toFixed(0)} min: what was said of it`,
      note: `${perSecond} requests/s of ${costMs} ms of CPU with real spans and a metrics page read every minute, default settings; all should be 0 but the requests answered, and, on a machine without CPU for it, what is explained and starved`,
      rows: [{ 'requests answered': traffic.answered, 'requests failed': traffic.failed, ...told }],
    },
    {
      title: 'Processes',
      note: 'RSS one minute after the start, at the end, and at its highest; CPU in between',
      rows: [processRow('agent', 0), processRow('target', 1)],
    },
  ];

  function processRow(name: string, index: 0 | 1): Record<string, string> {
    return { process: name, ...processNumbers({ before: before[index], after: after[index], overMs }) };
  }
};

async function toldBy(agent: AgentProcess): Promise<Record<string, string | number>> {
  const { regressions } = await agent.json<RegressionList>('/regressions?limit=100');
  const { alerts } = await agent.json<AlertList>('/alerts?limit=50&evidence=false');
  const { verdicts, earlier } = await agent.json<LeakList>('/memory/leaks');
  const { stalls } = await agent.json<StallList>('/stalls?limit=100');
  const { state } = await agent.json<BaselineView>('/baseline');
  const outcomes = (outcome: string) => regressions.filter((one) => one.outcome === outcome).length;
  return {
    alerts: alerts.length,
    'regressions sent': outcomes('sent'),
    explained: outcomes('explained'),
    provisional: outcomes('provisional'),
    'leak verdicts': verdicts.filter(({ verdict }) => verdict !== 'settled').length + earlier.length,
    "stalls, the program's own": stalls.filter(({ verdict }) => verdict !== 'starved').length,
    'starved stalls (not alerted)': stalls.filter(({ verdict }) => verdict === 'starved').length,
    baseline: state,
    titles: [...regressions.map(({ title }) => title), ...alerts.map(({ title }) => title)].slice(0, 6).join('; '),
  };
}

function processNumbers(parts: {
  before: ProcessReading;
  after: ProcessReading;
  overMs: number;
}): Record<string, string> {
  const { before, after, overMs } = parts;
  return {
    'RSS, first': formatMiB(before.rssBytes),
    'RSS, last': formatMiB(after.rssBytes),
    'RSS, peak': formatMiB(after.peakRssBytes),
    '% of a core': (((after.cpuMs - before.cpuMs) / overMs) * 100).toFixed(2),
  };
}

async function pause(forMs: number, signal: AbortSignal): Promise<void> {
  await delay(Math.max(0, forMs), undefined, { signal }).catch((error: unknown) => {
    if (!signal.aborted) throw error;
  });
}
