import { readFile } from 'node:fs/promises';
import { loadavg } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import type { CDPSession, Page } from 'playwright-core';
import { freeAddress, startAgent } from '../demo/agent.ts';
import { startBackend } from '../demo/backend.ts';
import { demoFolder, startDemoProcess } from '../demo/processes.ts';
import { launchBrowser, pageDirectory } from '../page/browser.ts';
import type { Bench, BenchTable } from './support.ts';
import { formatSpread, spreadOf } from './support.ts';

const minuteMs = 60_000;
/** Enough that every chart moves, little enough that an hour of it disturbs nobody. */
const requestsPerSecond = 3;

/** What does the overview weigh, when is it there, and what does it hold after an hour of live updates? Takes that hour; with --quick two minutes. */
export const bench: Bench = async ({ quick, signal }) => {
  const tables: BenchTable[] = [await weigh()];
  await using stack = new AsyncDisposableStack();
  const otlpAddress = await freeAddress();
  const env = { OTEL_EXPORTER_OTLP_ENDPOINT: `http://${otlpAddress}`, OTEL_BSP_SCHEDULE_DELAY: '1000' };
  const backend = stack.use(await startBackend({ load: false, env, signal }));
  const { inspectorAddress, shopUrl } = backend;
  const args = [join(demoFolder, 'load.ts'), shopUrl, String(requestsPerSecond)];
  stack.use(startDemoProcess({ name: 'load', args }));
  const metricsUrl = `${shopUrl}/metrics`;
  const { dashboardUrl } = stack.use(await startAgent({ inspectorAddress, otlpAddress, metricsUrl, signal }));
  if (dashboardUrl === undefined) throw new Error('on a terminal the agent keeps its token to itself: pipe the output');
  tables.push(await openSeveral(dashboardUrl, { rounds: quick ? 3 : 7, signal }));
  tables.push(await stayOpen(dashboardUrl, { minutes: quick ? 2 : 60, everyMinutes: quick ? 1 : 5, signal }));
  return tables;
};

/** All that is loaded before the lists are read: what index.html names, with what it imports. */
async function weigh(): Promise<BenchTable> {
  const html = await readFile(join(pageDirectory, 'index.html'), 'utf8');
  const named = [...html.matchAll(/(?:src|href)="[^"]*?(assets\/[^"]+)"/g)].map(([, path]) => path ?? '');
  const sizes = await Promise.all(
    named.map(async (path) => {
      const bytes = await readFile(join(pageDirectory, path));
      return { isScript: path.endsWith('.js'), plain: bytes.length, packed: gzipSync(bytes).length };
    }),
  );
  const kB = (of: 'plain' | 'packed', isScript: boolean): string =>
    (sizes.filter((one) => one.isScript === isScript).reduce((sum, one) => sum + one[of], 0) / 1000).toFixed(1);
  const row = {
    'JavaScript, kB gzip': kB('packed', true),
    'JavaScript, kB': kB('plain', true),
    'styles, kB gzip': kB('packed', false),
  };
  return { title: 'Initial weight', note: 'What index.html names; budget 150 kB gzip of JavaScript.', rows: [row] };
}

/** Each in a browser that has cached nothing. */
async function openSeveral(url: string, options: { rounds: number; signal: AbortSignal }): Promise<BenchTable> {
  const timesMs = { paint: [] as number[], words: [] as number[], charts: [] as number[] };
  for (let round = 0; round < options.rounds; round++) {
    options.signal.throwIfAborted();
    await using browser = await launchBrowser();
    const page = await browser.context.newPage();
    const startedMs = performance.now();
    await page.goto(url, { waitUntil: 'commit' });
    await page.getByRole('status', { name: 'Health' }).waitFor();
    timesMs.words.push(performance.now() - startedMs);
    await page.locator('.uplot canvas').first().waitFor();
    timesMs.charts.push(performance.now() - startedMs);
    timesMs.paint.push(
      await page.evaluate(() => performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? Number.NaN),
    );
  }
  const row = {
    'first paint, ms': formatSpread(spreadOf(timesMs.paint), 0),
    'health in words, ms': formatSpread(spreadOf(timesMs.words), 0),
    'first chart, ms': formatSpread(spreadOf(timesMs.charts), 0),
    'load average': loadavg()[0]?.toFixed(1) ?? '',
  };
  const note = 'First contentful paint as Chromium tells it; words and chart from the navigation on, driver included.';
  return { title: 'Overview of the demo, empty cache', note, rows: [row] };
}

async function stayOpen(
  url: string,
  options: { minutes: number; everyMinutes: number; signal: AbortSignal },
): Promise<BenchTable> {
  const { minutes, everyMinutes, signal } = options;
  await using browser = await launchBrowser();
  await browser.context.addInitScript(countEvents);
  const page = await browser.open(url);
  await page.locator('.uplot canvas').first().waitFor();
  const session = await browser.context.newCDPSession(page);
  const startedMs = performance.now();
  const rows: BenchTable['rows'][number][] = [];
  for (let minute = 0; minute <= minutes; minute += everyMinutes) {
    const leftMs = startedMs + minute * minuteMs - performance.now();
    if (leftMs > 0) await delay(leftMs, undefined, { signal });
    const row = { minute, ...(await readMemory(page, session)), 'load average': loadavg()[0]?.toFixed(1) ?? '' };
    console.error(JSON.stringify(row));
    rows.push(row);
  }
  const complaints = browser.complaints.length === 0 ? 'no complaint' : browser.complaints.slice(0, 3).join('; ');
  const note = `After two full collections each; demo at ${requestsPerSecond} requests per second; ${complaints}.`;
  return { title: 'Memory of the open overview', note, rows };
}

async function readMemory(page: Page, session: CDPSession): Promise<Record<string, string | number>> {
  await session.send('HeapProfiler.collectGarbage');
  await session.send('HeapProfiler.collectGarbage');
  const { usedSize } = await session.send('Runtime.getHeapUsage');
  const { nodes, jsEventListeners } = await session.send('Memory.getDOMCounters');
  const events = await page.evaluate(() => Number(document.documentElement.dataset['events'] ?? 0));
  return { 'JS heap, MB': (usedSize / 1e6).toFixed(2), 'DOM nodes': nodes, listeners: jsEventListeners, events };
}

/** Runs in the page: each event of the stream is told to the other tabs, also when there are none. */
function countEvents(): void {
  let events = 0;
  class CountingChannel extends BroadcastChannel {
    override postMessage(note: unknown): void {
      if ((note as { type?: unknown }).type === 'message') {
        events += 1;
        document.documentElement.dataset['events'] = String(events);
      }
      super.postMessage(note);
    }
  }
  globalThis.BroadcastChannel = CountingChannel;
}
