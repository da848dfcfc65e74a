import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import type { Locator, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { parseCpuProfile } from '../../protocol/cpu-profile/parse.ts';
import { encodePprof } from '../../protocol/cpu-profile/pprof.ts';
import type { JoinInput } from '../../protocol/cpu-profile/spans.ts';
import { bytesOf, fileOf } from '../cpu-profile/profiles.ts';
import { operationListSchema, profileListSchema } from '../../protocol/rest/lists.ts';
import { compile, lineOf } from '../source-map/compile.ts';
import { openAgent } from '../support/agent.ts';
import { startTarget } from '../support/target.ts';
import { waitFor } from '../support/wait-for.ts';
import { axeFindings } from './accessible.ts';
import type { Browser } from './browser.ts';
import { launchBrowser } from './browser.ts';
import { deepProfile, largeProfile } from './flame-samples.ts';
import { ago, sampleProfile } from './samples.ts';
import type { World } from './stand-in.ts';
import { sampleSource } from './source-samples.ts';
import { startStandIn } from './stand-in.ts';

let browser: Browser;
let directory: string;
beforeAll(async () => {
  browser = await launchBrowser();
  directory = await mkdtemp(join(tmpdir(), 'sidescope-flame-'));
});
afterAll(async () => {
  await browser[Symbol.asyncDispose]();
  await rm(directory, { recursive: true, force: true });
});

const report = 'renderReport@file:///srv/shop/report.js:88';
const now = fileOf(
  `main@file:///srv/shop/server.js:2;${report};sumUp@file:///srv/shop/report.js:120 60`,
  'main@file:///srv/shop/server.js:2;query@file:///srv/shop/node_modules/pg/lib/client.js:5 30',
  '(garbage collector) 10',
  '(idle) 100',
);
const earlier = fileOf(
  `main@file:///srv/shop/server.js:2;${report} 40`,
  'main@file:///srv/shop/server.js:2;query@file:///srv/shop/node_modules/pg/lib/client.js:5 60',
);
const stored: Partial<World> = {
  profiles: [
    sampleProfile({ id: 'p-now', fileName: 'now.cpuprofile' }),
    sampleProfile({ id: 'p-old', fileName: 'old.cpuprofile', startedAt: ago(90_000_000) }),
  ],
  files: { 'p-now.cpuprofile': JSON.stringify(now), 'p-old.cpuprofile': JSON.stringify(earlier) },
};

/** A tab on a stand-in of its own. At the end nothing may have been complained about. */
async function openAt(path: string, over: Partial<World> = stored) {
  await using stack = new AsyncDisposableStack();
  const standIn = stack.use(await startStandIn(over));
  browser.complaints.length = 0;
  const page = await browser.open(`${standIn.url}#${path}${path.includes('?') ? '&' : '?'}token=right`);
  stack.defer(async () => {
    await page.close();
    expect(standIn.faults).toEqual([]);
    expect(browser.complaints.join('\n')).toBe('');
  });
  const owned = stack.move();
  return { page, standIn, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

it('draws a stored profile, and says in words and tables what the boxes are', async () => {
  await using opened = await openAt('/profile/p-now');
  const { page, standIn } = opened;
  await drawn(page);
  expect(await page.locator('canvas').getAttribute('data-boxes')).toBe('6');
  const rows = page.getByRole('table', { name: 'Functions of the profile' }).getByRole('row');
  await rows.nth(1).waitFor();
  expect(await rows.nth(1).innerText()).toMatch(/sumUp.*report\.js:120.*60 %.*60 ms/su);
  expect(await rows.filter({ hasText: 'query' }).innerText()).toContain('Package pg');
  await page.getByLabel('Show idle time').check();
  await page.getByText('(idle)').first().waitFor();
  expect(page.url()).toContain('idle=yes');
  expect(standIn.requests.filter((line) => line.startsWith('POST'))).toEqual([
    'POST /profiles/p-now/ticket?format=cpuprofile',
  ]);
  expect(await axeFindings(page)).toEqual([]);
});

it('goes through the boxes by keyboard, zooms, and shows all again', async () => {
  await using opened = await openAt('/profile/p-now');
  const { page } = opened;
  await drawn(page);
  const graph = page.getByRole('application', { name: /Flame graph of 5 call paths/ });
  const detail = page.getByRole('group', { name: 'Function in sight' });
  await graph.focus();
  for (const key of ['ArrowDown', 'ArrowDown', 'ArrowDown']) await page.keyboard.press(key);
  await detail.getByText('renderReport').waitFor();
  await detail.getByText('/srv/shop/report.js:88').waitFor();
  await detail.getByText('Self 0 ms (0 %), total 60 ms (60 %)').waitFor();
  await page.keyboard.press('Enter');
  await boxes(page, 4);
  await page.keyboard.press('Escape');
  await boxes(page, 6);
  await page.getByRole('button', { name: 'Call tree' }).click();
  const tree = page.getByRole('tree', { name: 'Call tree' });
  await tree.getByRole('treeitem').first().focus();
  await page.keyboard.press('ArrowDown');
  await page.keyboard.press('ArrowRight');
  await page.keyboard.press('ArrowDown');
  await tree.getByRole('treeitem', { selected: true }).filter({ hasText: 'renderReport' }).waitFor();
  expect(await axeFindings(page)).toEqual([]);
});

it('zooms by wheel, double click and drag', async () => {
  await using opened = await openAt('/profile/p-now');
  const { page } = opened;
  await drawn(page);
  const box = (await page.locator('canvas').boundingBox())!;
  const detail = page.getByRole('group', { name: 'Function in sight' });
  await page.mouse.move(box.x + box.width * 0.3, box.y + 2 * 19 + 8);
  await detail.getByText('renderReport').waitFor();
  await page.mouse.dblclick(box.x + box.width * 0.3, box.y + 2 * 19 + 8);
  await boxes(page, 4);
  await page.mouse.move(box.x + box.width / 2, box.y + 8);
  await page.mouse.down();
  await page.mouse.move(box.x + box.width / 2 - 200, box.y + 8, { steps: 4 });
  await page.mouse.up();
  await boxes(page, 5);
  await page.keyboard.down('Control');
  await page.mouse.wheel(0, 2_000);
  await page.keyboard.up('Control');
  await boxes(page, 6);
});

it('moves with one finger, zooms with two, picks with a tap, and scrolls with the page', async () => {
  await using opened = await openAt('/profile/p-now');
  const { page } = opened;
  await page.setViewportSize({ width: 390, height: 844 });
  await drawn(page);
  const touch = await browser.context.newCDPSession(page);
  await touch.send('Emulation.setTouchEmulationEnabled', { enabled: true, maxTouchPoints: 2 });
  const canvas = page.locator('canvas');
  // The page may be scrolled for a click.
  const place = async () => {
    await canvas.scrollIntoViewIfNeeded();
    return (await canvas.boundingBox())!;
  };
  let box = await place();
  const send = (type: 'touchStart' | 'touchMove' | 'touchEnd', ...xs: number[]) =>
    touch.send('Input.dispatchTouchEvent', {
      type,
      touchPoints: xs.map((x, id) => ({ x: box.x + box.width * x, y: box.y + 2 * 19 + 8, id })),
    });
  // Spread over the box of renderReport: the others leave to the right.
  await send('touchStart', 0.2, 0.3);
  for (const spread of [0.1, 0.2, 0.4, 0.6]) await send('touchMove', 0.2 - spread / 5, 0.3 + spread);
  await send('touchEnd');
  await boxes(page, 4);
  const drag = async (): Promise<boolean> => {
    await send('touchStart', 0.9);
    for (const x of [0.8, 0.6, 0.3, 0.1]) await send('touchMove', x);
    await send('touchEnd');
    return Number(await canvas.getAttribute('data-boxes')) > 4;
  };
  await waitFor(drag, { message: 'boxes from the right' });
  await page.getByRole('button', { name: 'Show all' }).click();
  await boxes(page, 6);
  box = await place();
  await send('touchStart', 0.3);
  await send('touchEnd');
  await page.getByRole('group', { name: 'Function in sight' }).getByText('renderReport').waitFor();
});

it('finds functions by a regular expression, keeps it in the link, and says what is none', async () => {
  await using opened = await openAt('/profile/p-now');
  const { page } = opened;
  await drawn(page);
  const search = page.getByLabel('Search (regular expression)');
  await search.fill('report\\.js');
  await page.getByText('2 functions match, 60 % of the whole').waitFor();
  expect(await page.getByRole('table').getByRole('row').count()).toBe(3);
  await page.reload();
  await page.getByText('2 functions match, 60 % of the whole').waitFor();
  await search.fill('(');
  await page.getByRole('alert').filter({ hasText: 'invalid-request' }).waitFor();
});

it('ends a search that would never end, and reads the profile again', async () => {
  const evil = fileOf(`${'a'.repeat(60)}b@file:///srv/x.js:1 5`);
  await using opened = await openAt('/profile/p-now', {
    ...stored,
    files: { 'p-now.cpuprofile': JSON.stringify(evil) },
  });
  const { page } = opened;
  await drawn(page);
  await page.clock.install();
  await page.getByLabel('Search (regular expression)').fill('^(a+)+$');
  await hurried(page, page.getByRole('alert').filter({ hasText: 'took too long' }));
  await drawn(page);
  expect(page.url()).not.toContain('search');
});

it('compares with another profile by share: sign and word beside the colour', async () => {
  await using opened = await openAt('/profile/p-now?against=p-old');
  const { page } = opened;
  const rows = page.getByRole('table', { name: /share changed/ }).getByRole('row');
  await rows.nth(1).waitFor();
  expect(await rows.filter({ hasText: 'sumUp' }).innerText()).toMatch(/new.*0 %.*60 %.*\+60 %/su);
  expect(await rows.filter({ hasText: 'query' }).innerText()).toMatch(/60 %.*30 %.*−30 %/su);
  await page.getByRole('list', { name: 'Legend' }).getByText('+ Larger share than before').waitFor();
  expect(await page.getByRole('button', { name: 'Show all' }).isDisabled()).toBe(true);
  await page.getByRole('application').focus();
  for (const key of ['ArrowDown', 'ArrowDown', 'ArrowDown']) await page.keyboard.press(key);
  await page.getByRole('group', { name: 'Function in sight' }).getByText('Total before 40 %, now 60 %').waitFor();
  await page.getByLabel('Compare with').selectOption('nothing');
  await page.getByRole('table', { name: 'Functions of the profile' }).waitFor();
  expect(page.url()).not.toContain('against');
});

it('shows only the samples of one trace', async () => {
  const file = fileOf(
    'serve@file:///srv/shop/server.js:2;sumUp@file:///srv/shop/report.js:120 60',
    '(idle) 10',
    'sweep@file:///srv/shop/cache.js:2;query@file:///srv/shop/node_modules/pg/lib/client.js:5 30',
  );
  const labelled = encodePprof(parseCpuProfile(file), { join: joinOf(file.startTime), withLikely: true });
  await using opened = await openAt('/profile/p-now', {
    ...stored,
    files: { 'p-now.cpuprofile': JSON.stringify(file), 'p-now.pprof': gzipSync(labelled) },
  });
  const { page } = opened;
  await drawn(page);
  await page.getByRole('button', { name: 'Only one route or trace…' }).click();
  const only = page.getByLabel(/^Only/);
  await only.waitFor();
  await only.selectOption('trace:0a24000000000000000000000000beef');
  const table = page.getByRole('table', { name: 'Functions of the profile' });
  await waitFor(async () => (await table.getByText('query').count()) === 0, {
    message: 'the functions of other requests to go',
  });
  await table.getByText('sumUp').waitFor();
  await page.getByText('60 ms, 66.7 % of what was not idle. 100 % of it is surely theirs.').waitFor();
  expect(page.url()).toContain('only=trace');
  await only.selectOption('route:/report');
  await page.getByText('60 ms, 66.7 %').waitFor();
  await table.getByText('sumUp').waitFor();
});

it('reads whose work the samples were again while their spans may still come', async () => {
  const file = fileOf('serve@file:///srv/shop/server.js:2 60');
  const bare = gzipSync(encodePprof(parseCpuProfile(file)));
  const labelled = encodePprof(parseCpuProfile(file), { join: joinOf(file.startTime), withLikely: true });
  const files = { 'p-now.cpuprofile': JSON.stringify(file) };
  const profiles = [sampleProfile({ id: 'p-now', endedAt: new Date().toISOString() })];
  await using opened = await openAt('/profile/p-now', { profiles, files: { ...files, 'p-now.pprof': bare } });
  const { page, standIn } = opened;
  await drawn(page);
  await page.clock.install();
  await page.getByRole('button', { name: 'Only one route or trace…' }).click();
  await page.getByText('spans come some seconds after a profile').waitFor();
  standIn.world.files = { ...files, 'p-now.pprof': gzipSync(labelled) };
  await hurried(page, page.getByLabel(/^Only/));
  await page.getByLabel(/^Only/).selectOption('route:/report');
  await page.getByText(/60 ms, 100 % of what was not idle/).waitFor();
});

it('shows the source lines of the chosen function as text, or why there are none', async () => {
  await using opened = await openAt('/profile/p-now', { ...stored, sources: { 'p-now': sampleSource('p-now') } });
  const { page, standIn } = opened;
  await drawn(page);
  const source = page.getByRole('region', { name: 'Source lines', exact: true });
  await source.getByText('Choose a function').waitFor();
  const table = page.getByRole('table', { name: 'Functions of the profile' });
  await table.getByRole('button', { name: 'sumUp' }).click();
  const rows = source.getByRole('table').getByRole('row');
  expect(await rows.filter({ hasText: 'total += Math' }).innerText()).toMatch(/125\s+65\.2 %\s+total \+= Math/u);
  await rows.filter({ hasText: '<script>alert(2)</script> ⟨U+202E⟩gnp.exe' }).waitFor();
  await rows.filter({ hasText: /^180…x{200}…$/ }).waitFor();
  await source.getByText('/srv/shop/src/report.ts:125').waitFor();
  await source.getByText('may not be those that ran').waitFor();
  await browser.context.grantPermissions(['clipboard-read', 'clipboard-write']);
  await source.getByRole('button', { name: 'Copy lines' }).click();
  await source.getByRole('button', { name: 'Copied' }).waitFor();
  const copied = await page.evaluate(() => navigator.clipboard.readText());
  expect(copied).toMatch(/^\/srv\/shop\/src\/report\.ts:125\n119 \| \/\*\* Adds up[^]*\n…\n180 \| …x/);
  expect(await axeFindings(page)).toEqual([]);
  await table.getByRole('button', { name: 'Source lines' }).click();
  await source.and(page.locator(':focus')).waitFor();
  await table.getByRole('button', { name: 'query' }).click();
  await source.getByText('No source lines: there is no /srv/shop/node_modules/pg/lib/client.js.').waitFor();
  await source.getByText('kept only when the capture ends with the file readable').waitFor();
  await page.getByRole('application').focus();
  await page.keyboard.press('0');
  await source.getByText('Choose a function').waitFor();
  for (const key of ['ArrowDown', 'ArrowDown']) await page.keyboard.press(key);
  await source.getByText(/this is none of them|hotter functions/).waitFor();
  expect(standIn.requests.filter((line) => line.includes('/source'))).toEqual(['GET /profiles/p-now/source']);
  await page.getByRole('link', { name: 'Another profile' }).click();
  await writeFile(join(directory, 'mine.cpuprofile'), bytesOf(now));
  await page.locator('input[type=file]').first().setInputFiles(join(directory, 'mine.cpuprofile'));
  await drawn(page);
  await table.getByRole('button', { name: 'sumUp' }).click();
  await source.getByText('A dropped file has no source lines').waitFor();
});

it('opens dropped files of every format, and nothing is uploaded', async () => {
  await using opened = await openAt('/profile');
  const { page, standIn } = opened;
  const heap = {
    head: heapNode('(root)', 0, [heapNode('keep', 4_096, []), heapNode('<img src=x onerror=alert(1)>', 1_024, [])]),
  };
  const files = {
    'shop.heapprofile': JSON.stringify(heap),
    'shop.pb.gz': gzipSync(encodePprof(parseCpuProfile(now))),
    'shop.cpuprofile': JSON.stringify(now),
  };
  const before = standIn.requests.length;
  for (const [name, content] of Object.entries(files)) {
    await writeFile(join(directory, name), content);
    await page.locator('input[type=file]').first().setInputFiles(join(directory, name));
    await page.getByRole('heading', { name, exact: true }).waitFor();
    await drawn(page);
    if (name.endsWith('heapprofile')) await page.getByText('<img src=x onerror=alert(1)>').first().waitFor();
    await page.getByRole('link', { name: 'Another profile' }).click();
    await page.getByText('Drop a .cpuprofile').waitFor();
  }
  expect(standIn.requests.slice(before).filter((line) => !line.startsWith('GET '))).toEqual([]);
  await writeFile(join(directory, 'cut.pb.gz'), files['shop.pb.gz'].subarray(0, 60));
  await page.locator('input[type=file]').first().setInputFiles(join(directory, 'cut.pb.gz'));
  await page.getByRole('alert').filter({ hasText: 'gzip data is cut short or damaged' }).waitFor();
});

it('shows the functions of the source, with their files and lines, of a minified program of a real agent', async () => {
  await using program = await compile('minified-cjs');
  await using target = await startTarget(program.main);
  await using agent = await openAgent({ targets: [target.inspectorAddress] });
  const call = async (path: string, method: string) => {
    const headers = { authorization: `Bearer ${agent.token}` };
    const response = await fetch(`${agent.url}/api/v1/profiling${path}`, { method, headers });
    if (!response.ok) throw new Error(await response.text());
    return (await response.json()) as unknown;
  };
  // Not before the agent has attached.
  await waitFor(() => call('/cpu/start?duration=30000', 'POST'), { message: 'a CPU profile to begin' });
  const isSampling = async () => {
    const { operations } = operationListSchema.parse(await call('/operations', 'GET'));
    return operations[0]?.progress.phase === 'sampling';
  };
  await waitFor(isSampling, { message: 'the profile to be sampled' });
  await target.send({ ms: 300 });
  await target.waitForOutput(/turned/);
  const taken = await waitFor(
    async () => {
      await call('/cpu/stop', 'POST').catch(() => undefined);
      return profileListSchema.parse(await call('/profiles', 'GET')).profiles[0];
    },
    { message: 'the profile to be kept' },
  );
  browser.complaints.length = 0;
  const page = await browser.open(`${agent.url}/api/v1/profiling/ui#/profile/${taken.id}?token=${agent.token}`);
  const row = page
    .getByRole('table', { name: 'Functions of the profile' })
    .getByRole('row')
    .filter({ hasText: 'addSurcharges' });
  await row.waitFor();
  expect(await row.innerText()).toContain(`prices.ts:${await lineOf('function addSurcharges')}`);
  await row.getByRole('button').click();
  await row.getByText(/line \d+: /).waitFor();
  const source = page.getByRole('region', { name: 'Source lines of addSurcharges' });
  await source.getByText('while (performance').waitFor();
  await page
    .getByText(`prices.ts:${await lineOf('function addSurcharges')}`, { exact: false })
    .first()
    .waitFor();
  await page.close();
  expect(browser.complaints.join('\n')).toBe('');
});

it('takes names that want to be something else, one sample, great depth and 100,000 nodes', async () => {
  await using opened = await openAt('/profile');
  const { page } = opened;
  const names = ['<script>x()</script>', '\u202ereversed\u2066', '🔥'.repeat(40), 'x'.repeat(10_000)];
  const odd = fileOf('a 1');
  odd.nodes = names.map((functionName, index) => ({
    id: index + 1,
    callFrame: { functionName, scriptId: '1', url: 'file:///srv/a.js', lineNumber: 1, columnNumber: 1 },
    ...(index + 1 < names.length && { children: [index + 2] }),
  }));
  odd.samples = [names.length];
  odd.timeDeltas = [1_000];
  const large = largeProfile({ nodes: 100_000, samples: 100_000 });
  for (const [name, file, said] of [
    ['odd', odd, '1 samples'],
    ['deep', deepProfile(2_000), '10 samples'],
    ['large', large, '100,000 samples'],
  ] as const) {
    await writeFile(join(directory, `${name}.cpuprofile`), bytesOf(file));
    await page
      .locator('input[type=file]')
      .first()
      .setInputFiles(join(directory, `${name}.cpuprofile`));
    await page.getByText(said).waitFor();
    await drawn(page);
    if (name === 'deep') {
      await page.locator('.flame-box').evaluate((box) => (box.scrollTop = box.scrollHeight));
      await page.getByRole('button', { name: 'Call tree' }).click();
      await page.getByRole('treeitem').first().waitFor();
    }
    await page.getByRole('link', { name: 'Another profile' }).click();
    await page.getByText('Drop a .cpuprofile').waitFor();
  }
});

/** The first 60 ms were one request's, as readings of the active span say; the last 30 ms were nobody's. */
function joinOf(startUs: number): JoinInput {
  const request = { traceId: '0a24000000000000000000000000beef', spanId: 'aaaaaaaaaaaaaaa1', name: 'GET /report' };
  const mine = Array.from({ length: 11 }, (_, index) => startUs + 4_500 + index * 5_000);
  const others = Array.from({ length: 5 }, (_, index) => startUs + 74_500 + index * 5_000);
  const offsetMs = 0;
  const startMs = startUs / 1_000;
  return {
    readings: {
      timesUs: [...mine, ...others],
      spanIndexes: [...mine.map(() => 0), ...others.map(() => -1)],
      spans: [{ ...request, route: '/report' }],
      wallOffsetMs: offsetMs,
      dropped: 0,
      problem: null,
    },
    requests: [
      {
        ...request,
        route: '/report',
        startMs,
        endMs: startMs + 61,
        failed: false,
        statusCode: 200,
        waitsMs: [],
        seenSpanIds: [request.spanId],
      },
    ],
    wallOffsetMs: offsetMs,
    isMainThread: true,
  };
}

/** What the page itself waits for passes at once, until this is there. */
async function hurried(page: Page, shown: Locator): Promise<void> {
  await waitFor(
    async () => {
      await page.clock.fastForward(1_000);
      return await shown.isVisible();
    },
    { message: `${String(shown)} to be shown` },
  );
}

async function drawn(page: Page): Promise<void> {
  await page.locator('canvas[data-boxes]').waitFor();
}

async function boxes(page: Page, count: number): Promise<void> {
  await page.locator(`canvas[data-boxes="${count}"]`).waitFor();
}

function heapNode(functionName: string, selfSize: number, children: unknown[]): unknown {
  const url = functionName === '(root)' ? '' : 'file:///srv/a.js';
  return { callFrame: { functionName, scriptId: '1', url, lineNumber: 4, columnNumber: 0 }, selfSize, id: 1, children };
}
