import type { Page } from 'playwright-core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { fileOf } from '../cpu-profile/profiles.ts';
import { waitFor } from '../support/wait-for.ts';
import { axeFindings } from './accessible.ts';
import { launchBrowser, type Browser } from './browser.ts';
import { sampleLeak, sampleLeaks, sampleHeap, sampleSite, sampleStacks } from './memory-samples.ts';
import { sampleThread, sampleTreeStall } from './memory-samples.ts';
import { sampleHotFunctions, sampleRoute, sampleTimeline, sampleTimelineSpan } from './request-samples.ts';
import { sampleInfo, sampleProfile, sampleSnapshot } from './samples.ts';
import { startStandIn, type World } from './stand-in.ts';

let browser: Browser;
beforeAll(async () => {
  browser = await launchBrowser();
});
afterAll(async () => {
  await browser[Symbol.asyncDispose]();
});

const odd = `<img src=x onerror="document.title='owned'">\u202Eevil\u2066 🦊 ${'x'.repeat(10_000)}`;
const receiving = sampleInfo({ features: [{ name: 'otlp', state: 'on', reason: null, remedy: null }] });
const traceId = sampleTimeline().traceId;

/** A profile, a heap, requests, stacks and memory whose every name is `name`. */
function worldOf(name: string): Partial<World> {
  const place = { functionName: name, url: `file:///srv/${name}`, lineNumber: 3, columnNumber: 1 };
  const file = fileOf('main;work 60', 'main;rest 30');
  for (const { callFrame } of file.nodes.slice(1)) Object.assign(callFrame, { functionName: name, url: place.url });
  const rows = [
    sampleTimelineSpan({ spanId: 'a', operation: name, attributes: { [name.slice(0, 300)]: name } }),
    sampleTimelineSpan({
      spanId: 'b',
      parentSpanId: 'a',
      depth: 1,
      operation: name,
      offsetMs: 200,
      durationMs: 100,
      statement: name,
      errors: [{ type: name, message: name, stack: name }],
    }),
  ];
  const named = { name, summary: name.slice(0, 200) };
  const hot = sampleHotFunctions;
  return {
    info: receiving,
    profiles: [sampleProfile({ id: 'p-1' }), sampleSnapshot({ id: 's-1', sizeBytes: 10_000 })],
    files: {
      'p-1.cpuprofile': JSON.stringify(file),
      's-1.heapsnapshot': sampleHeap({ className: name, text: name }),
    },
    timelines: [sampleTimeline({ ...named, route: name, rows })],
    routes: [sampleRoute(named)],
    hot: {
      spans: { ...hot.spans!, items: hot.spans!.items.map((item) => ({ ...item, name })) },
      cpu: { ...hot.cpu!, items: hot.cpu!.items.map((item) => ({ ...item, name })) },
    },
    leaks: sampleLeaks({
      verdicts: [sampleLeak({ reason: name, sites: [sampleSite({ functionName: name, original: null })] })],
    }),
    stacks: sampleStacks({
      threads: [sampleThread({ title: name, summary: name, frames: [{ ...place, original: null }] })],
    }),
    stalls: [sampleTreeStall(name)],
  };
}

async function openAt(path: string, over: Partial<World>, expected?: RegExp) {
  await using stack = new AsyncDisposableStack();
  const standIn = stack.use(await startStandIn(over));
  browser.complaints.length = 0;
  const page = await browser.open(`${standIn.url}#${path}${path.includes('?') ? '&' : '?'}token=right`);
  stack.defer(async () => {
    await page.close();
    expect(standIn.faults).toEqual([]);
    expect(browser.complaints.filter((text) => expected?.test(text) !== true).join('\n')).toBe('');
  });
  const owned = stack.move();
  return { page, standIn, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

const views: [view: string, path: string, ready: (page: Page) => Promise<void>][] = [
  ['the flame graph', '/profile/p-1', drawn],
  ['the heap explorer', '/heap/s-1', (page) => shown(page)],
  ['the memory view', '/memory', (page) => shown(page)],
  ['stacks and stalls', '/stacks?stall=s-1', (page) => page.locator('.stall-tree').waitFor()],
  ['a waterfall', `/requests?trace=${traceId}`, (page) => page.getByRole('region', { name: 'Gaps' }).waitFor()],
  ['the routes', '/requests?view=routes', (page) => shown(page)],
  ['the hot functions', '/requests?view=hot', (page) => shown(page)],
];

it('shows names full of HTML, right-to-left marks, emoji and 10 kB as text, within the width, in every view of them', async () => {
  await using opened = await openAt('/', worldOf(odd));
  const { page, standIn } = opened;
  for (const width of [1280, 390]) {
    await page.setViewportSize({ width, height: 844 });
    for (const [view, path, ready] of views) {
      await page.goto(`${standIn.url}#${path}`);
      await ready(page);
      if (view === 'a waterfall') await page.locator('.span-row').last().click();
      await shown(page);
      expect(await page.evaluate(() => document.documentElement.scrollWidth), `${view}, ${width} px`).toBe(width);
      expect(await page.locator('img, #page script').count(), view).toBe(0);
      expect(await page.title(), view).toMatch(/ · Sidescope$/);
    }
  }
});

it('shows what the policy refuses as a complaint, so that none of these tests overlooks it', async () => {
  await using opened = await openAt('/', {}, /policy|Content Security Policy|TrustedHTML|ERR_/);
  const { page } = opened;
  await page.getByText('Live', { exact: true }).waitFor();
  const refusals = await page.evaluate(() => {
    const image = document.createElement('img');
    image.src = 'http://127.0.0.2:9/elsewhere.png';
    document.body.append(image);
    const styled = document.createElement('p');
    styled.setAttribute('style', 'color: red');
    document.body.append(styled);
    try {
      document.body.insertAdjacentHTML('beforeend', '<b>text</b>');
      return 'taken';
    } catch (error) {
      return error instanceof TypeError ? 'refused' : 'other';
    }
  });
  expect(refusals).toBe('refused');
  for (const directive of ['img-src', 'style-src-attr', 'require-trusted-types-for']) {
    await waitFor(() => browser.complaints.some((text) => text.includes(`policy: ${directive}`)), {
      message: `a complaint about ${directive}`,
    });
  }
});

it('keeps what is open while the agent restarts: the flame graph, the heap, and memory', async () => {
  const world = worldOf('renderReport');
  await using opened = await openAt('/profile/p-1', world, /ERR_|Failed to load/);
  const { page, standIn } = opened;
  const restart = async (): Promise<void> => {
    await page.getByText('Live', { exact: true }).waitFor();
    standIn.down = true;
    standIn.cut();
    await page.getByText('Reconnecting to the agent').waitFor();
    standIn.down = false;
    await page.getByText('Live', { exact: true }).waitFor({ timeout: 20_000 });
  };
  await drawn(page);
  const search = page.getByLabel('Search (regular expression)');
  await search.fill('render');
  await page.getByText(/1 function match/).waitFor();
  await restart();
  await page.getByText(/1 function match/).waitFor();
  // The thread that holds the profile goes on without the agent.
  await search.fill('nothing of it');
  await page.getByText('0 functions match, 0 % of the whole').waitFor();
  expect(await page.locator('canvas[data-boxes]').count()).toBe(1);

  await page.goto(`${standIn.url}#/heap/s-1`);
  const row = page.getByRole('row').filter({ hasText: 'renderReport' }).first();
  await row.waitFor();
  await restart();
  await row.waitFor();
  await page.getByLabel('Class name has').fill('render');
  await row.waitFor();

  await page.goto(`${standIn.url}#/memory`);
  const verdict = page.locator('#leaks').getByText('renderReport').first();
  await verdict.waitFor();
  await restart();
  await verdict.waitFor();
});

it('asks for a new token over an open flame graph, and compares when it has one', async () => {
  const world = worldOf('renderReport');
  const profiles = [...world.profiles!, sampleProfile({ id: 'p-0' })];
  const files = { ...world.files, 'p-0.cpuprofile': world.files!['p-1.cpuprofile']! };
  await using opened = await openAt('/profile/p-1', { ...world, profiles, files }, /status of 401/);
  const { page, standIn } = opened;
  await drawn(page);
  await page.getByLabel('Compare with').selectOption('p-0');
  await page.getByRole('table', { name: /share changed/ }).waitFor();
  standIn.world.token = 'next';
  await page.getByLabel('Compare with').selectOption('nothing');
  await page.getByLabel('Compare with').selectOption('p-0');
  await page.getByRole('heading', { name: 'Sign in again' }).waitFor();
  expect(await page.locator('canvas[data-boxes]').count()).toBe(1);
  await page.getByLabel('Access token').fill('next');
  await page.keyboard.press('Enter');
  await page.getByText('Live', { exact: true }).waitFor();
  expect(page.url()).toContain('#/profile/p-1');
});

it('says that a profile was cut on its way, and reads it again, and what it lacks', async () => {
  const world = worldOf('work');
  const lacking = { incompleteReason: 'cancelled after 2.0 s of 30.0 s', warnings: ['functions may be missing'] };
  const profiles = world.profiles!.map((profile) => ({ ...profile, ...lacking, complete: false }));
  await using opened = await openAt('/profile/p-1', { ...world, profiles, cutDownloads: 1 }, /ERR_|Failed to load/);
  const { page } = opened;
  await page.getByRole('alert').first().waitFor();
  await page.getByRole('button', { name: 'Read it again' }).click();
  await drawn(page);
  await page.getByText('Partial cancelled after 2.0 s of 30.0 s').waitFor();
  await page.getByText('Warning functions may be missing').waitFor();
  expect(await axeFindings(page)).toEqual([]);
});

it('tells the age of requests and stalls by the clock of the agent, however wrong that of the browser is', async () => {
  await using opened = await openAt('/requests', { info: receiving, timelines: [freshTimeline()] });
  const { page, standIn } = opened;
  await page.clock.setFixedTime(Date.now() + 7_200_000);
  await page.reload();
  const row = page.locator('table.requests tbody tr').first();
  await row.waitFor();
  expect(await row.innerText()).toMatch(/just now|s ago|min ago|^\d{1,2}:\d\d/);
  expect(await row.innerText()).not.toMatch(/2 h|hours? ago/);
  standIn.world.stalls = [sampleTreeStall()];
  await page.goto(`${standIn.url}#/stacks`);
  const stall = page.locator('.stall-list li').first();
  await stall.waitFor();
  expect(await stall.innerText()).not.toMatch(/2 h|hours? ago/);
});

function freshTimeline() {
  return sampleTimeline({ startedAt: new Date(Date.now() - 4_000).toISOString() });
}

async function drawn(page: Page): Promise<void> {
  await page.locator('canvas[data-boxes]').waitFor();
}

async function shown(page: Page): Promise<void> {
  await page.getByText('<img src=x').first().waitFor();
}
