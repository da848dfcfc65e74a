import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Browser } from './browser.ts';
import { launchBrowser } from './browser.ts';
import { sampleCpu, sampleHotFunctions, sampleRoute, sampleTimeline } from './request-samples.ts';
import { sampleInfo, sampleProfile } from './samples.ts';
import { startStandIn } from './stand-in.ts';
import type { World } from './stand-in.ts';

let browser: Browser;
beforeAll(async () => {
  browser = await launchBrowser();
});
afterAll(async () => {
  await browser[Symbol.asyncDispose]();
});

const receiving = sampleInfo({ features: [{ name: 'otlp', state: 'on', reason: null, remedy: null }] });
const failed = sampleTimeline({
  traceId: '6'.repeat(32),
  name: 'GET /products',
  failed: true,
  statusCode: 500,
  durationMs: 12,
});

async function open(over: Partial<World> = {}) {
  await using stack = new AsyncDisposableStack();
  const standIn = stack.use(await startStandIn({ info: receiving, ...over }));
  browser.complaints.length = 0;
  const page = await browser.open(`${standIn.url}#/requests?token=right`);
  stack.defer(async () => {
    await page.close();
    expect(standIn.faults).toEqual([]);
    expect(browser.complaints.join('\n')).toBe('');
  });
  const owned = stack.move();
  const section = page.getByRole('region', { name: 'Requests' });
  return { page, section, standIn, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

it('says how to get spans while there are none, and why none can come', async () => {
  await using opened = await open();
  await opened.section.getByText('No spans yet').waitFor();
  await opened.section.getByText('OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:4318').waitFor();
  const features = [{ name: 'otlp', state: 'off', reason: '127.0.0.1:4318 is taken', remedy: 'Set another.' }] as const;
  await using off = await open({ info: sampleInfo({ features: [...features] }) });
  await off.section.getByText('Spans are not received: 127.0.0.1:4318 is taken').waitFor();
});

it('lists requests, filters them, and reads them again when more came', async () => {
  await using opened = await open({ timelines: [sampleTimeline()] });
  const { section, standIn } = opened;
  const rows = section.locator('tbody tr');
  await section.getByText('database 93 %, server 7 %').waitFor();
  expect(await rows.count()).toBe(1);
  standIn.world.timelines = [failed, sampleTimeline()];
  standIn.emit({ type: 'requests', requests: { spans: 6, requests: 2, failed: 1, timelines: 2 } });
  await section.getByText('Failed 500').waitFor();
  await section.getByText('2 since the agent started').waitFor();
  await section.getByLabel('Order').selectOption('slowest');
  await section.getByLabel('Outcome').selectOption('failed');
  await section.getByText('GET /search').waitFor({ state: 'detached' });
  await section.getByRole('textbox', { name: 'Route' }).fill('GET /nowhere');
  await section.getByRole('textbox', { name: 'Route' }).press('Enter');
  await section.getByText('No kept request fits the filter').waitFor();
  expect(standIn.requests).toContain('GET /timelines?order=slowest&status=failed&route=GET+%2Fnowhere&limit=50');
});

it('draws the waterfall of one request: nested, in words, with what else happened', async () => {
  await using opened = await open({ timelines: [sampleTimeline()] });
  const { page, section } = opened;
  await section.getByRole('button', { name: 'Waterfall of GET /search' }).click();
  const spans = section.getByRole('list', { name: 'Spans' });
  const query = spans.getByRole('button', { name: /database failed SELECT \* FROM products WHERE name LIKE \?/ });
  await query.waitFor();
  expect(await spans.getByRole('listitem').count()).toBe(3);
  expect(await query.innerText()).toMatch(/372 ms\s*self 372 ms/);
  await section.getByText('Stall: fib (a.js:3) blocked for 200 ms').waitFor();
  await section.getByText('2 spans of the framework left out').waitFor();
  await query.click();
  await section.getByText('Error: canceling statement').waitFor();
  const boxes = await spans.locator('.bar').evaluateAll((bars) => bars.map((bar) => bar.getBoundingClientRect().width));
  expect(boxes[2]! / boxes[0]!).toBeCloseTo(0.93, 2);
  await expectAccessible(page);
});

it('keeps a request and the choices in the link, goes through the spans by keys, and leads to its flame graph', async () => {
  const profiles = [
    { id: 'p-7', kind: 'cpu', thread: 'main', topFunction: null, offsetMs: -100, durationMs: 30_000 },
  ] as const;
  await using opened = await open({ timelines: [sampleTimeline({ profiles: [...profiles] }), failed] });
  const { page, section } = opened;
  await section.getByLabel('Outcome').selectOption('failed');
  await section.getByRole('button', { name: 'Waterfall of GET /products' }).click();
  await section.getByRole('list', { name: 'Spans' }).waitFor();
  await page.reload();
  await section.getByRole('list', { name: 'Spans' }).waitFor();
  expect(await section.getByLabel('Outcome').inputValue()).toBe('failed');
  // One that the filter leaves out is shown above the list.
  await page.goto(`${opened.standIn.url}#/requests?status=failed&trace=${sampleTimeline().traceId}`);
  const linked = page.getByRole('region', { name: 'The request of the link' });
  const head = linked.locator('.request-name');
  await head.getByText('OK 200').waitFor();
  await head.getByText('400 ms').waitFor();
  await linked.locator('.span-row').first().focus();
  await page.keyboard.press('ArrowDown');
  await page.keyboard.press('End');
  await page.keyboard.press('Enter');
  await linked.getByText('Error: canceling statement').waitFor();
  const link = linked.getByRole('link', { name: 'Flame graph of this request' });
  expect(await link.getAttribute('href')).toBe(`#/profile/p-7?only=trace%3A${sampleTimeline().traceId}`);
  await linked.getByRole('button', { name: 'Close' }).click();
  await linked.waitFor({ state: 'detached' });
});

it('shows a hundred thousand requests fifty at a time, and stays quick', async () => {
  const one = sampleTimeline();
  const timelines = Array.from({ length: 100_000 }, (_, index) => ({
    ...one,
    traceId: String(index).padStart(32, '0'),
  }));
  await using opened = await open({ timelines });
  const { page, section } = opened;
  await section.getByText('1 to 50 of 100,000 kept requests').waitFor();
  await section.getByRole('button', { name: 'Further' }).click();
  await section.getByText('51 to 100 of 100,000').waitFor();
  await section.getByRole('button', { name: 'Further' }).click();
  await section.getByText('101 to 150 of 100,000').waitFor();
  await section.getByRole('button', { name: 'Back' }).click();
  await section.getByText('51 to 100 of 100,000').waitFor();
  expect(await section.locator('tbody tr').count()).toBe(50);
  expect(await page.evaluate(() => document.querySelectorAll('*').length)).toBeLessThan(3_000);
});

it('ranks routes and hot functions, and leads from a route to its requests', async () => {
  await using opened = await open({
    timelines: [sampleTimeline(), failed],
    routes: [sampleRoute()],
    otherRoots: 3,
    hot: sampleHotFunctions,
  });
  const { page, section, standIn } = opened;
  await section.getByRole('radio', { name: 'Hot functions' }).check();
  await section.getByText('(≈ 12,000)').waitFor();
  await section.getByText('the sender keeps 10 % of its traces').waitFor();
  await section.getByText('renderReport').waitFor();
  await section.getByText('8 s ± 90 ms').waitFor();
  await expectAccessible(page);
  await section.getByRole('radio', { name: 'Routes' }).check();
  await section.getByText('12 (1 %)').waitFor();
  await section.getByText('3 traces without a request to this service').waitFor();
  await expectAccessible(page);
  await section.getByRole('button', { name: 'GET /search' }).click();
  await section.getByRole('button', { name: 'Waterfall of GET /search' }).waitFor();
  expect(standIn.requests).toContain('GET /timelines?order=newest&route=GET+%2Fsearch&limit=50');
});

it.each([1280, 390])('fits %d pixels', async (width) => {
  await using opened = await open({ timelines: [sampleTimeline()], routes: [sampleRoute()], hot: sampleHotFunctions });
  const { page, section } = opened;
  await page.setViewportSize({ width, height: 800 });
  await section.getByRole('button', { name: 'Waterfall of GET /search' }).click();
  await section.getByRole('list', { name: 'Spans' }).waitFor();
  expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBe(width);
});

const axePath = createRequire(import.meta.url).resolve('axe-core/axe.min.js');

/** Through the debugger, so that the page's policy need not allow it. */
async function expectAccessible(page: Page): Promise<void> {
  for (const theme of ['light', 'dark']) {
    await page.getByLabel('Colours').selectOption(theme);
    await page.evaluate(await readFile(axePath, 'utf8'));
    const found = await page.evaluate(async () => {
      const { axe } = globalThis as unknown as {
        axe: {
          run(
            where: string,
          ): Promise<{ violations: { id: string; nodes: { html: string; failureSummary: string }[] }[] }>;
        };
      };
      const { violations } = await axe.run('#requests');
      return violations.map(({ id, nodes }) => `${id}: ${nodes[0]?.html} ${nodes[0]?.failureSummary}`);
    });
    expect(found).toEqual([]);
  }
}

it('shows what a request did on the CPU, or why that is not known', async () => {
  await using unknown = await open({ timelines: [sampleTimeline()] });
  await unknown.section.getByRole('button', { name: 'Waterfall of GET /search' }).click();
  await unknown.section.getByText('No functions on the CPU: no CPU profile was taken meanwhile.').waitFor();
  await using opened = await open({ timelines: [sampleTimeline({ cpu: sampleCpu, cpuReason: null })] });
  await opened.section.getByRole('button', { name: 'Waterfall of GET /search' }).click();
  const panel = opened.section.getByRole('region', { name: 'On the CPU' });
  await panel.getByText('sure (97 %)').waitFor();
  expect(await panel.getByRole('row').nth(1).innerText()).toMatch(/rank search\.ts:12\s+310 ms ± 18 ms\s+340 ms/);
});

it('lists the requests of a CPU profile in its details', async () => {
  await using opened = await open({ profiles: [sampleProfile()] });
  const { page } = opened;
  await page.getByRole('link', { name: 'Captures', exact: true }).click();
  await page.getByRole('button', { name: 'More' }).first().click();
  const row = page.locator('.details').getByRole('row', { name: /GET \/search/ });
  await row.waitFor();
  expect(await row.innerText()).toMatch(/sure \(97 %\)/);
  expect(await row.innerText()).toMatch(/360 ms ± 19 ms\s+40 %\s+rank search\.ts:12/);
});
