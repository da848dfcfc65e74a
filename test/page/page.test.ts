import { readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Page, Request } from 'playwright-core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { views } from '../../dashboard/views.ts';
import type { Profile } from '../../protocol/rest/profile.ts';
import { waitFor } from '../support/wait-for.ts';
import type { Browser } from './browser.ts';
import { launchBrowser, pageDirectory } from './browser.ts';
import {
  ago,
  connectingTarget,
  detachedTarget,
  refusedForecast,
  sampleCpuProfile,
  sampleInfo,
  sampleOperation,
  sampleProfile,
  sampleSnapshot,
  sampleStall,
  sampleTarget,
  sampleVitals,
} from './samples.ts';
import type { World } from './stand-in.ts';
import { startStandIn } from './stand-in.ts';

let browser: Browser;
beforeAll(async () => {
  browser = await launchBrowser();
});
afterAll(async () => {
  await browser[Symbol.asyncDispose]();
});

/** A tab on a stand-in of its own. At the end nothing may have been complained about, but for what the test expects. */
async function openPage(over: Partial<World> = {}, options: { token?: string; expected?: RegExp; at?: string } = {}) {
  await using stack = new AsyncDisposableStack();
  const standIn = stack.use(await startStandIn(over));
  browser.complaints.length = 0;
  const page = await browser.open(`${standIn.url}#${options.at ?? '/'}?token=${options.token ?? 'right'}`);
  stack.defer(async () => {
    await page.close();
    const { expected } = options;
    expect(standIn.faults).toEqual([]);
    expect(browser.complaints.filter((text) => expected?.test(text) !== true).join('\n')).toBe('');
  });
  const owned = stack.move();
  return { page, standIn, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

const refused401 = /status of 401/;
const lostConnection = /ERR_(CONNECTION_REFUSED|EMPTY_RESPONSE|CONNECTION_RESET|INCOMPLETE_CHUNKED_ENCODING)/;

it('takes the token out of the address, keeps it for the tab, and sends it in the header only', async () => {
  await using opened = await openPage();
  const { page, standIn } = opened;
  await live(page);
  expect(page.url()).toBe(`${standIn.url}#/`);
  expect(standIn.requests.join('\n')).not.toContain('right');
  await page.reload();
  await live(page);
});

it('asks for a token when there is none, says when it is wrong, and shows the page with a right one', async () => {
  await using opened = await openPage({}, { token: 'wrong', expected: refused401 });
  const { page } = opened;
  await page.getByRole('alert').filter({ hasText: 'The agent refused the token' }).waitFor();
  expect(await page.getByRole('heading', { name: 'Targets' }).count()).toBe(0);
  await page.getByLabel('Access token').fill('right');
  await page.keyboard.press('Enter');
  await live(page);
  await page.getByRole('article', { name: 'Target shop' }).waitFor();
});

it('takes a second link in the same tab, where only the fragment changes', async () => {
  await using opened = await openPage({}, { token: 'wrong', expected: refused401 });
  const { page, standIn } = opened;
  await page.getByRole('alert').waitFor();
  await page.evaluate(() => (location.hash = '#token=right'));
  await live(page);
  expect(page.url()).toBe(standIn.url);
});

it('asks again, above the view, when the token ends while the page is open', async () => {
  await using opened = await openPage({}, { at: '/captures', expected: refused401 });
  const { page, standIn } = opened;
  await live(page);
  await page.getByLabel('Sample every (µs)').fill('500');
  standIn.world.token = 'next';
  await page.getByRole('button', { name: 'Profile for 30 s' }).click();
  await page.getByRole('heading', { name: 'Sign in again' }).waitFor();
  expect(await page.getByRole('heading', { name: 'Start one' }).isVisible()).toBe(true);
  await page.getByLabel('Access token').fill('next');
  await page.keyboard.press('Enter');
  await live(page);
  expect(await page.getByLabel('Sample every (µs)').inputValue()).toBe('500');
});

it('asks for another token when this one may not even look', async () => {
  await using opened = await openPage({ powerless: true }, { expected: /status of 403/ });
  const { page, standIn } = opened;
  await page.getByRole('alert').filter({ hasText: 'this route needs the scope view' }).waitFor();
  standIn.world.powerless = false;
  await page.getByLabel('Access token').fill('right');
  await page.keyboard.press('Enter');
  await live(page);
});

it('shows how a target is, and what blocks it while it does', async () => {
  const profiles = ['p-1', 'p-2'].map((id) => sampleProfile({ id, startedAt: ago(30_000), endedAt: ago(20_000) }));
  await using opened = await openPage({ stalls: [sampleStall()], profiles });
  const { page, standIn } = opened;
  await live(page);
  const captures = page.getByRole('link', { name: /^Capture: .* and 1 more$/ });
  const [sign, count] = [await captures.boundingBox(), await captures.locator('sub').boundingBox()];
  expect(count!.x - sign!.x, 'a sign, and its number behind it').toBeGreaterThan(8);
  const target = page.getByRole('article', { name: 'Target shop' });
  await target.getByText(/^1 stall, the last .* ago$/).click();
  await target.getByText('renderInvoice (invoices.js:41)').waitFor();
  await target.getByText('in /invoices/:id, trace').waitFor();
  standIn.emit({ type: 'vitals', vitals: sampleVitals() });
  await target.getByText('96 MiB of 512 MiB (18.8 %)').waitFor();
  standIn.emit({ type: 'stall', stall: sampleStall({ id: 's-2', startedAt: ago(2_000), state: 'ongoing' }) });
  await target.getByText('blocked for 3.1 s so far').waitFor();
  standIn.emit({
    type: 'vitals',
    vitals: sampleVitals({ error: { code: 'inspector-timeout', message: 'it is silent' } }),
  });
  await target.getByText('it is silent').waitFor();
});

it('changes to another token on request', async () => {
  await using opened = await openPage({}, { at: '/agent' });
  const { page, standIn } = opened;
  standIn.world.info = sampleInfo({ you: { name: 'narrow', scopes: ['view'], expiresAt: null } });
  await live(page);
  await page.getByRole('button', { name: 'Use another token' }).click();
  await page.getByLabel('Access token').fill('right');
  await page.keyboard.press('Enter');
  await page.getByText('narrow (view)').waitFor();
  await page.getByRole('link', { name: 'Captures' }).click();
  // Of the CPU profile and of the heap sampling.
  await waitFor(async () => (await page.getByText('Your token lacks the scope “capture”').count()) === 2, {
    message: 'both forms to say which scope is lacking',
  });
});

it('says that it reconnects, and reads the lists again when it is back', async () => {
  await using opened = await openPage({}, { expected: lostConnection });
  const { page, standIn } = opened;
  await live(page);
  await page.getByRole('article', { name: 'Target shop' }).waitFor();
  standIn.down = true;
  standIn.cut();
  await page.getByRole('status').filter({ hasText: 'Reconnecting to the agent' }).waitFor();
  expect(await page.getByRole('article', { name: 'Target shop' }).isVisible()).toBe(true);
  standIn.world.targets = [sampleTarget({ name: 'shop-v2' })];
  standIn.down = false;
  await page.getByRole('article', { name: 'Target shop-v2' }).waitFor();
  await live(page);
  expect(await page.getByText('Reconnecting').count()).toBe(0);
});

it('reads the lists again when the agent had to drop events', async () => {
  await using opened = await openPage({}, { at: '/captures' });
  const { page, standIn } = opened;
  await live(page);
  standIn.world.profiles = [sampleProfile({ id: 'p-9', targetName: 'came-in-between' })];
  standIn.emit({ type: 'resync', dropped: 3 });
  await page.getByText('came-in-between').waitFor();
});

it('shows every state of a target in words, with what to do', async () => {
  await using opened = await openPage({ targets: [sampleTarget(), connectingTarget, detachedTarget] });
  const { page } = opened;
  const connecting = page.getByRole('article', { name: 'Target billing:9229' });
  await connecting.getByText('7 attempts').waitFor();
  expect(await connecting.innerText()).toContain('What to do: Start the target with --inspect');
  const detached = page.getByRole('article', { name: 'Target mailer' });
  expect(await detached.innerText()).toMatch(/ago: The process ended with its connection/);
  expect(await detached.innerText()).toContain('The inspector belongs to npm (pid 12)');
  await detached.getByText('1 earlier run').click();
  await detached.getByText('killed by SIGKILL').waitFor();

  await detached.getByRole('button', { name: 'Select' }).click();
  await page.getByRole('link', { name: 'Captures' }).click();
  await page.getByText('mailer is not attached (detached)').first().waitFor();
  const button = page.getByRole('button', { name: 'Profile for 30 s' });
  expect(await button.getAttribute('aria-disabled')).toBe('true');
});

it('keeps the target that was shown when it detaches, though another one is attached', async () => {
  const other = sampleTarget({ id: 't9', name: 'other' });
  await using opened = await openPage({ targets: [sampleTarget(), other] });
  const { page, standIn } = opened;
  await live(page);
  const shop = page.getByRole('article', { name: 'Target shop' });
  await shop.getByRole('button', { name: 'Selected' }).waitFor();
  standIn.emit({ type: 'target', target: { ...detachedTarget, id: 't1', name: 'shop' } });
  await shop.getByText('Detached').waitFor();
  expect(await shop.getByRole('button', { name: 'Selected' }).count()).toBe(1);
  await page.getByRole('link', { name: 'Captures' }).click();
  await page.getByText('shop is not attached (detached)').first().waitFor();
});

it('starts a CPU profile, follows it, and stops it', async () => {
  const recording = { name: 'flight-recorder', state: 'on', reason: null, remedy: null } as const;
  const info = sampleInfo({ features: [recording] });
  await using opened = await openPage({ profiles: [], info }, { at: '/captures' });
  const { page, standIn } = opened;
  await page.getByText('No profiles yet').waitFor();
  await page.getByText('the main thread’s profile is made of its samples').waitFor();
  await page.getByRole('radio', { name: 'Custom' }).check();
  await page.getByLabel('Duration in seconds').fill('2.5');
  await page.getByLabel('Sample every (µs)').fill('500');
  await page.getByLabel('Thread').first().selectOption('all');
  await page.getByRole('button', { name: 'Profile for 2.5 s' }).click();
  const running = page.getByRole('listitem', { name: 'CPU profile of shop' });
  await running.getByText('Running').waitFor();
  expect(standIn.requests).toContain('POST /cpu/start?target=t1&thread=all&duration=2500&interval=500');

  const [operation] = standIn.world.operations;
  if (operation === undefined) throw new Error('the stand-in started nothing');
  standIn.emit({
    type: 'operation',
    operation: { ...operation, progress: { phase: 'sampling', fraction: 0.8, bytes: 0 } },
  });
  await waitFor(async () => (await running.getByRole('progressbar').getAttribute('value')) === '0.8', {
    message: 'the progress bar at 0.8',
  });
  await running.getByRole('button', { name: 'Stop and keep' }).click();
  await running.getByText('Partial').waitFor();
  expect(standIn.requests).toContain('POST /cpu/stop?target=t1');

  standIn.emit({ type: 'profile', profile: sampleProfile() });
  await page.getByRole('row').filter({ hasText: 'renderReport' }).waitFor();
});

it('says what stopped a start, with its code and what to do', async () => {
  await using opened = await openPage({}, { at: '/captures', expected: /status of 429/ });
  const { page, standIn } = opened;
  standIn.world.refuse = { code: 'too-many-captures', detail: '1 capture runs and 4 wait' };
  await page.getByRole('button', { name: 'Profile for 30 s' }).click();
  const alert = page.getByRole('alert');
  expect(await alert.innerText()).toMatch(/too-many-captures 1 capture runs and 4 wait[^]*What to do: Wait;/);
});

it('refuses a bad duration before it is sent', async () => {
  await using opened = await openPage({}, { at: '/captures' });
  const { page, standIn } = opened;
  await page.getByRole('radio', { name: 'Custom' }).check();
  await page.getByLabel('Duration in seconds').fill('0');
  await page.getByText('The duration must be between 0.1 s and 1 d.').waitFor();
  await page.getByRole('button', { name: 'Profile', exact: true }).click({ force: true });
  expect(standIn.requests.filter((request) => request.startsWith('POST'))).toEqual([]);
});

it('shows the forecast before the click, and takes a refused snapshot only after consent', async () => {
  await using opened = await openPage({ forecast: refusedForecast }, { at: '/captures' });
  const { page, standIn } = opened;
  await page.getByText('Refused', { exact: true }).waitFor();
  await page.getByText('kubectl label pod shop-7d9f app-').waitFor();
  const take = page.getByRole('button', { name: 'Take it anyway' });
  await take.click({ force: true });
  expect(standIn.requests.filter((request) => request.startsWith('POST'))).toEqual([]);
  await page.getByRole('checkbox', { name: /answers nothing for 6.1 s to 14 s/ }).check();
  await take.click();
  await page.getByRole('listitem', { name: 'Heap snapshot of shop' }).waitFor();
  expect(standIn.requests).toContain('POST /heap/snapshot?target=t1&thread=main&force=true');
});

it('opens a profile in the local speedscope by a ticket, and asks no other origin', async () => {
  await using opened = await openPage({}, { at: '/captures' });
  const { page, standIn } = opened;
  const asked = new Set<string>();
  const note = (request: Request): unknown => asked.add(new URL(request.url()).origin);
  browser.context.on('request', note);
  const popup = browser.context.waitForEvent('page');
  await page.getByRole('button', { name: 'Open in speedscope' }).click();
  const speedscope = await popup;
  await speedscope.waitForURL(/speedscope\/index\.html#profileURL=/);
  await waitFor(async () => (await speedscope.title()).includes('shop-main-20260131T120000Z.cpuprofile'), {
    message: 'speedscope with the profile in its title',
  });
  expect(standIn.requests).toContain('GET /profiles/p-1/download?ticket=ticket');
  await speedscope.close();
  browser.context.off('request', note);
  expect([...asked].filter((origin) => origin !== 'null')).toEqual([standIn.origin]);
});

it('downloads the file in the chosen format without a header', async () => {
  await using opened = await openPage({}, { at: '/captures' });
  const { page, standIn } = opened;
  const first = page.waitForEvent('download');
  await page.getByRole('button', { name: 'Download', exact: true }).click();
  const download = await first;
  expect(await readFile(await download.path(), 'utf8')).toBe(sampleCpuProfile);
  expect(download.suggestedFilename()).toBe('shop.cpuprofile');
  await page.getByRole('button', { name: 'More' }).click();
  const second = page.waitForEvent('download');
  await page.getByRole('button', { name: 'Download pprof' }).click();
  await (await second).path();
  expect(standIn.requests).toContain('GET /profiles/p-1/download?ticket=ticket&format=pprof');
});

it('pins, labels and deletes a profile, and Escape keeps it', async () => {
  await using opened = await openPage({}, { at: '/captures' });
  const { page, standIn } = opened;
  await page.getByRole('button', { name: 'More' }).click();
  await page.getByRole('button', { name: 'Pin: keep it' }).click();
  await page.getByRole('row').filter({ hasText: 'Pinned' }).waitFor();
  await page.getByLabel('Labels').fill('ticket: OPS-12');
  await page.keyboard.press('Enter');
  await page.getByText('ticket: OPS-12', { exact: true }).waitFor();
  expect(standIn.world.profiles[0]).toMatchObject({ pinned: true, labels: { ticket: 'OPS-12' } });

  await page.getByRole('button', { name: 'Delete…' }).click();
  const dialog = page.getByRole('dialog', { name: 'Delete this profile?' });
  await dialog.waitFor();
  await page.keyboard.press('Escape');
  await dialog.waitFor({ state: 'detached' });
  expect(standIn.world.profiles).toHaveLength(1);
  await page.getByRole('button', { name: 'Delete…' }).click();
  await dialog.getByRole('button', { name: 'Delete' }).click();
  await page.getByText('No profiles yet').waitFor();
  expect(standIn.world.profiles).toEqual([]);
});

it('cleans up what is older than chosen and tells what it kept', async () => {
  const old = { startedAt: ago(50 * 86_400_000) };
  const profiles = [
    sampleProfile(),
    sampleProfile({ id: 'p-2', ...old }),
    sampleProfile({ id: 'p-3', ...old, pinned: true }),
  ];
  await using opened = await openPage({ profiles }, { at: '/captures' });
  const { page, standIn } = opened;
  await page.getByRole('button', { name: 'Clean up…' }).click();
  const dialog = page.getByRole('dialog', { name: 'Clean up profiles' });
  await dialog.getByLabel('Delete profiles of every kind older than').selectOption('7 days');
  await dialog.getByRole('button', { name: 'Delete' }).click();
  await dialog.getByText('1 profile deleted; kept: 1 pinned, 0 in use.').waitFor();
  expect(standIn.world.profiles.map((profile) => profile.id)).toEqual(['p-1', 'p-3']);
});

it('filters by kind and reads further pages on demand', async () => {
  const many = Array.from({ length: 5 }, (_, index) =>
    sampleProfile({ id: `p-${index}`, startedAt: ago(index * 1000) }),
  );
  await using opened = await openPage({ profiles: [...many, sampleSnapshot()], pageSize: 3 }, { at: '/captures' });
  const { page } = opened;
  const rows = page.locator('table.profiles tbody tr');
  await page.getByRole('button', { name: 'Show more (3 profiles left)' }).click();
  await waitFor(async () => (await rows.count()) === 6, { message: 'six rows' });
  await page.getByLabel('Kind').selectOption('heap-snapshot');
  await waitFor(async () => (await rows.count()) === 1, { message: 'the one snapshot' });
  expect(await rows.first().innerText()).toContain('2,104,233 objects');
  expect(await page.getByRole('button', { name: 'Open in speedscope' }).count()).toBe(0);
  await page.reload();
  await waitFor(async () => (await rows.count()) === 1, { message: 'the one snapshot after a reload' });
  // The filter is of this list alone.
  await page.getByRole('link', { name: 'Overview' }).click();
  await page.getByRole('link', { name: /^Capture: CPU profile/ }).waitFor();
});

it('shows what an allocation profile sampled', async () => {
  const facts = {
    intervalBytes: 524_288,
    samples: 120,
    nodes: 33,
    sampledBytes: 50_000_000,
    topSite: 'remember app.js:12',
  };
  const formats: Profile['formats'] = ['heapprofile'];
  const sampling = { mode: 'live', ...facts } as const;
  await using opened = await openPage(
    {
      profiles: [sampleProfile({ kind: 'heap-sampling', cpu: null, sampling, formats })],
    },
    { at: '/captures' },
  );
  const { page } = opened;
  await page.getByRole('row').filter({ hasText: 'remember app.js:12' }).waitFor();
  await page.getByRole('button', { name: 'More' }).click();
  await page.getByText('47.7 MiB in 120 samples').waitFor();
  await page.getByRole('button', { name: 'Download .heapprofile' }).waitFor();
});

it('says why storage and other parts are off, and what to set', async () => {
  const features = [
    { name: 'storage', state: 'failed', reason: 'the data directory is read-only', remedy: 'Set `--data-dir`.' },
  ] as const;
  const info = sampleInfo({ storage: null, features: [...features] });
  await using opened = await openPage({ info, profiles: [] }, { at: '/captures' });
  const { page } = opened;
  await page.getByText('Storage is off, so a profile could not be kept').first().waitFor();
  await page.getByRole('link', { name: 'Agent' }).click();
  await page.getByText('the data directory is read-only').first().waitFor();
});

it('lists what is on and what is not, with the line to copy, and where and how long the agent runs', async () => {
  const endsAt = new Date(Date.now() + 1_800_000).toISOString();
  const environment = { namespace: 'prod', pod: 'shop-7c9f', container: 'sidescope', node: 'node-1' };
  const info = sampleInfo({ endsAt, environment });
  await using opened = await openPage({ info, targets: [connectingTarget] });
  const { page } = opened;
  const items = page.getByRole('region', { name: 'Checklist' }).getByRole('listitem');
  await items
    .filter({ hasText: 'InspectorOff' })
    .or(items.filter({ hasText: 'Inspector Off' }))
    .waitFor();
  expect(await items.count()).toBe(7);
  await page.getByRole('button', { name: /^Copy: node --inspect=127\.0\.0\.1:9229/ }).waitFor();
  await items.filter({ hasText: 'Shown on this page and in the log only' }).waitFor();
  await page.getByRole('link', { name: 'Agent' }).click();
  await page.getByText('prod/shop-7c9f, container sidescope, on node-1').waitFor();
  await page.getByText(/^in (29|30):\d\d$|^in (29|30) min/).waitFor();
});

it('shows names full of HTML as text', async () => {
  const name = '<img src=x onerror="document.title=\'owned\'">\u202Eevil';
  const top = '<script>document.title="owned"</script>';
  const cpu = sampleProfile().cpu;
  const profile = sampleProfile({ targetName: name, cpu: cpu && { ...cpu, topFunction: top }, labels: { x: name } });
  const operation = sampleOperation({ state: 'failed', error: { code: 'internal', message: name } });
  await using opened = await openPage(
    {
      targets: [sampleTarget({ name, warnings: [name] })],
      profiles: [profile],
      operations: [operation],
    },
    { at: '/captures' },
  );
  const { page } = opened;
  await page.getByText(top).waitFor();
  await page.getByRole('link', { name: 'Overview' }).click();
  await page.getByRole('article', { name: 'Target <img' }).waitFor();
  expect(await page.title()).toBe('Overview · Sidescope');
  expect(await page.locator('img, #page script').count()).toBe(0);
});

it.each([
  [1280, 800],
  [390, 844],
])('fits %d x %d in both themes, and keeps a chosen theme', async (width, height) => {
  const world = { targets: [sampleTarget(), connectingTarget, detachedTarget], forecast: refusedForecast };
  await using opened = await openPage({
    ...world,
    profiles: [sampleProfile(), sampleSnapshot()],
    operations: [sampleOperation()],
  });
  const { page } = opened;
  await page.setViewportSize({ width, height });
  await page.getByRole('article', { name: 'Target mailer' }).waitFor();
  await fits(page, width);
  await page.getByRole('link', { name: 'Agent' }).click();
  await page.getByText('What is on').waitFor();
  await fits(page, width);
  await page.getByRole('link', { name: 'Captures' }).click();
  await page.getByText('Refused', { exact: true }).waitFor();
  await page.getByRole('button', { name: 'More' }).first().click();
  await page.getByRole('button', { name: 'Less' }).waitFor();
  await fits(page, width);
  const background = (): Promise<string> => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  const light = await background();
  await page.getByLabel('Colours').selectOption('dark');
  const dark = await background();
  expect(dark).not.toBe(light);
  await page.reload();
  await live(page);
  expect(await background()).toBe(dark);
  await page.getByLabel('Colours').selectOption('system');
  expect(await background()).toBe(light);
});

it('reaches every control by keyboard alone, in the order of the page', async () => {
  await using opened = await openPage({}, { at: '/captures' });
  const { page } = opened;
  await page.getByText('Safe to take').waitFor();
  const seen: string[] = [];
  for (let step = 0; step < 80 && !seen.includes('openapi.json'); step += 1) {
    await page.keyboard.press('Tab');
    seen.push(
      await page.evaluate(() => {
        const element = document.activeElement as HTMLElement | null;
        return (element?.getAttribute('aria-label') ?? element?.innerText ?? '').split('\n')[0]?.trim() ?? '';
      }),
    );
  }
  const wanted = [
    'Overview',
    'Captures',
    'Agent',
    'What am I looking at?',
    'Profile for 30 s',
    'Forecast again',
    'Take a heap snapshot',
    'Clean up…',
    'Open in speedscope',
    'Download',
    'More',
    'API documentation',
    'openapi.json',
  ];
  expect(seen.filter((name) => wanted.includes(name))).toEqual(wanted);
});

it('loads little at first, each view when it is shown, and no schema library at all', async () => {
  const document = await readFile(join(pageDirectory, 'index.html'), 'utf8');
  const first = Array.from(document.matchAll(/(?:src|href)="[^"]*\/(assets\/[\w-]+\.js)"/g), ([, name]) => name ?? '');
  expect(first.length).toBeGreaterThan(0);
  const { gzipSync } = await import('node:zlib');
  const read = (name: string): Promise<string> => readFile(join(pageDirectory, name), 'utf8');
  const initial = (await Promise.all(first.map(read))).join('\n');
  expect(gzipSync(initial).length).toBeLessThan(60_000);
  const names = (await readdir(join(pageDirectory, 'assets'))).filter((name) => name.endsWith('.js'));
  expect(names.length).toBeGreaterThan(views.length);
  const all = (await Promise.all(names.map((name) => read(join('assets', name))))).join('\n');
  expect(/ZodError|invalid_type/.exec(all)?.[0]).toBe(undefined);
});

/** A chart takes its new width in a frame of its own, after that of the window. */
async function fits(page: Page, width: number): Promise<void> {
  let seen = 0;
  await waitFor(
    async () => {
      seen = await page.evaluate(() => document.documentElement.scrollWidth);
      return seen === width;
    },
    { message: () => `the page to be ${width} px wide, not ${seen}` },
  );
}

async function live(page: Page): Promise<void> {
  await page.getByText('Live', { exact: true }).waitFor();
}
