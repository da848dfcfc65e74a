import { readFile } from 'node:fs/promises';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { waitFor } from '../support/wait-for.ts';
import type { Browser } from './browser.ts';
import { launchBrowser } from './browser.ts';
import { sampleAlert, sampleDeath } from './incident-samples.ts';
import { sampleDiff, sampleRegression } from './regression-samples.ts';
import { sampleCatch, sampleRule, sampleRules } from './rule-samples.ts';
import {
  ago,
  sampleCpuProfile,
  sampleProfile,
  sampleStall,
  sampleTarget,
  sampleVitals,
  sampleInfo,
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

async function openAt(path: string, world: Partial<World> = {}, expected?: RegExp) {
  await using stack = new AsyncDisposableStack();
  const standIn = stack.use(await startStandIn(world));
  browser.complaints.length = 0;
  const page = await browser.open(`${standIn.url}#${path}${path.includes('?') ? '&' : '?'}token=right`);
  stack.defer(async () => {
    await page.close();
    expect(standIn.faults).toEqual([]);
    expect(browser.complaints.filter((text) => expected?.test(text) !== true).join('\n')).toBe('');
  });
  await page.getByText('Live', { exact: true }).waitFor();
  const owned = stack.move();
  return { page, standIn, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

it('shows ten thousand profiles fifty at a time, and stays quick', async () => {
  const profiles = Array.from({ length: 10_000 }, (_, index) =>
    sampleProfile({ id: `p-${index}`, startedAt: ago(index * 1000), targetName: index === 9_321 ? 'needle' : 'shop' }),
  );
  await using opened = await openAt('/captures', { profiles, pageSize: 500 });
  const { page } = opened;
  const rows = page.locator('table.profiles tbody tr');
  await rows.first().waitFor();
  for (let loaded = 50; loaded < 10_000; loaded = Math.min(10_000, loaded + 500)) {
    await page.getByRole('button', { name: /^Show more/ }).click();
    const next = Math.min(10_000, loaded + 500).toLocaleString('en');
    await page.getByText(`of ${next}`, { exact: false }).first().waitFor();
  }
  expect(await page.getByRole('button', { name: /^Show more/ }).count()).toBe(0);
  expect(await rows.count()).toBe(50);
  await page.getByLabel('Find').fill('needle');
  await waitFor(async () => (await rows.count()) === 1, { message: 'the one that fits' });
  await page.getByLabel('Find').fill('');
  await page.getByRole('button', { name: 'Older' }).click();
  await page.getByText('51 to 100 of 10,000').waitFor();
  // As a mark's link does; one that was not read, or is gone, is told.
  await page.evaluate(() => (location.hash = '#/captures?profile=p-130'));
  await page.getByText('101 to 150 of 10,000').waitFor();
  await page.evaluate(() => (location.hash = '#/captures?profile=p-none'));
  await page.getByText('The profile of the link is not in this list').waitFor();
  expect(await page.evaluate(() => document.querySelectorAll('*').length)).toBeLessThan(5_000);
});

it('compares two chosen profiles, the earlier first, and says what grew', async () => {
  const profiles = [sampleProfile({ id: 'p-2' }), sampleProfile({ id: 'p-1', startedAt: ago(9_000_000) })];
  await using opened = await openAt('/captures', { profiles, diff: sampleDiff() });
  const { page, standIn } = opened;
  const boxes = page.getByRole('checkbox', { name: /^Compare/ });
  await boxes.nth(0).check();
  await page.getByText('1 profile chosen. Choose two.').waitFor();
  await boxes.nth(1).check();
  await page.getByRole('link', { name: 'Compare the later with the earlier one' }).click();
  await page.getByText('renderReport grew most: from 4 % to 31 % of the busy time.').waitFor();
  expect(await page.locator('#compare a').first().innerText()).toMatch(/^shop main, /);
  await page.getByText('▼ 2 points, gone').waitFor();
  expect(standIn.requests).toContain('GET /profiles/p-1/diff/p-2');
});

it('says in the details where a profile was sent, and why it was not', async () => {
  const delivery = { profileId: 'p-1', at: ago(60_000), attempts: 0, reason: null };
  const deliveries = [
    { ...delivery, destination: 'archive', state: 'sent' as const },
    { ...delivery, destination: 'flames', state: 'queued' as const, attempts: 2, reason: 'flames answered 503' },
    { ...delivery, destination: 'other', state: 'sent' as const, profileId: 'p-2' },
  ];
  await using opened = await openAt('/captures?profile=p-1', {
    profiles: [sampleProfile({ id: 'p-1' })],
    egress: { destinations: [], problems: [], deliveries },
  });
  const sent = opened.page.getByRole('list', { name: 'Sent to' });
  await sent.getByText('archive').waitFor();
  expect(await sent.getByRole('listitem').count()).toBe(2);
  await sent.getByText('flames answered 503; 2 attempts').waitFor();
});

it('draws a series of the application that was chosen, and keeps the choice in the link', async () => {
  await using opened = await openAt('/', {
    info: sampleInfo({ features: [{ name: 'otlp', state: 'on', reason: null, remedy: null }] }),
  });
  const { page, standIn } = opened;
  await page.getByRole('figure', { name: 'Latency of requests' }).waitFor();
  await page.getByText('Choose a series to draw').click();
  await page.getByRole('button', { name: 'orders_total{country="FR"}', exact: true }).click();
  const chart = page.getByRole('figure', { name: 'orders_total{country="FR"}' });
  await chart.getByText('2/s').waitFor();
  expect(new URLSearchParams(page.url().split('?')[1]).get('s1')).toBe('orders_total{country="FR"}');
  expect(standIn.requests.some((request) => request.includes('match=%7Bcountry%3D%22FR%22%7D'))).toBe(true);
});

it('samples the heap for as long as was typed, in the mode that was chosen', async () => {
  await using opened = await openAt('/captures');
  const { page, standIn } = opened;
  const form = page.getByRole('article', { name: 'Heap sampling' });
  await form.getByRole('radio', { name: 'All that is allocated' }).check();
  await form.getByLabel('For (seconds)').fill('500');
  await form.getByText(/200,000 are the limit/).waitFor();
  await form.getByLabel('For (seconds)').fill('20');
  await form.getByRole('button', { name: 'Sample for 20 s' }).click();
  await page.getByRole('listitem', { name: 'Heap sampling of shop' }).waitFor();
  expect(standIn.requests).toContain('POST /heap/sampling/start?target=t1&thread=main&mode=churn&duration=20000');
});

it('leads from a sign above the charts to what was captured then', async () => {
  const startedAt = ago(300_000);
  await using opened = await openAt('/', {
    profiles: [sampleProfile({ startedAt, endedAt: ago(270_000) })],
    stalls: [sampleStall()],
    alerts: [sampleAlert()],
    deaths: [sampleDeath()],
    regressions: [sampleRegression({ since: ago(200_000) })],
  });
  const { page } = opened;
  const signs = page.getByRole('group', { name: 'What happened' });
  await signs.getByRole('link', { name: /^Death: the kernel killed it/ }).waitFor();
  await signs.getByRole('link', { name: /^Alert: the heap grows/ }).waitFor();
  await signs.getByRole('link', { name: /^Regression: / }).waitFor();
  await page.getByText('What happened: 5 in this time').click();
  await signs.getByRole('link', { name: 'Capture: CPU profile: renderReport report.js:88' }).click();
  const row = page.locator('tr.named');
  await row.waitFor();
  expect(await row.innerText()).toContain('renderReport');
});

it('zooms where the mouse was drawn over a chart, keeps that in the link, and goes back to live', async () => {
  await using opened = await openAt('/?range=1h');
  const { page, standIn } = opened;
  const plot = page.getByRole('figure', { name: 'CPU' }).locator('.u-over');
  await plot.waitFor();
  const box = await plot.boundingBox();
  if (box === null) throw new Error('the chart has no box');
  await page.mouse.move(box.x + box.width * 0.25, box.y + 40);
  await page
    .getByRole('figure', { name: 'Heap' })
    .getByText(/^(\w+ \d+, )?\d\d:\d\d:\d\d \(\d\d:\d\d:\d\d UTC\)$/)
    .waitFor();
  await page.mouse.down();
  await page.mouse.move(box.x + box.width * 0.75, box.y + 50, { steps: 4 });
  await page.mouse.up();
  await page.getByRole('button', { name: 'Back to live' }).waitFor();
  const query = new URLSearchParams(page.url().split('?')[1]);
  const lengthMs = Number(query.get('to')) - Number(query.get('from'));
  expect(lengthMs / 1_800_000).toBeCloseTo(1, 1);
  await waitFor(() => standIn.requests.filter((request) => request.startsWith('GET /vitals')).length >= 2, {
    message: 'the history of the chosen time',
  });
  await page.getByRole('button', { name: 'Zoom out' }).click();
  await plot.dblclick();
  await page.getByRole('button', { name: 'Back to live' }).waitFor({ state: 'detached' });
  expect(page.url()).toBe(`${standIn.url}#/?range=1h`);
});

it('adds each reading to the charts as it comes, without asking again', async () => {
  await using opened = await openAt('/');
  const { page, standIn } = opened;
  const chart = page.getByRole('figure', { name: 'Event loop busy' });
  await chart.getByText('of the time').waitFor();
  const { loop } = sampleVitals();
  standIn.emit({
    type: 'vitals',
    vitals: sampleVitals({ at: new Date(Date.now() + 1_000).toISOString(), loop: { ...loop, utilization: 0.777 } }),
  });
  await chart.getByText('77.7 %').waitFor();
  expect(standIn.requests.filter((request) => request.startsWith('GET /vitals')).length).toBe(1);
});

it('puts a finding onto the time axis as it comes, and moves it when it changes', async () => {
  await using opened = await openAt('/');
  const { page, standIn } = opened;
  await page.getByRole('figure', { name: 'CPU' }).waitFor();
  const sign = page.getByRole('group', { name: 'What happened' }).getByRole('link', { name: /^Regression: CPU/ });
  expect(await sign.count()).toBe(0);
  const regression = sampleRegression({ since: ago(120_000) });
  standIn.emit({ type: 'regression', change: 'opened', regression });
  await sign.waitFor();
  standIn.emit({ type: 'regression', change: 'updated', regression: { ...regression, now: 0.91 } });
  await page
    .getByRole('link', { name: /CPU of the process: 25 % of a core to 91 % of a core/ })
    .first()
    .waitFor();
  expect(await sign.count()).toBe(1);
  await sign.click();
  await page.getByRole('heading', { name: 'What got worse so far' }).waitFor();
});

it('says live what is wrong and leads to it, and says when it is over', async () => {
  await using opened = await openAt('/');
  const { page, standIn } = opened;
  const health = page.getByRole('status', { name: 'Health' });
  standIn.emit({ type: 'vitals', vitals: sampleVitals() });
  await health.getByText('Healthy: event loop 41 % busy').waitFor();
  standIn.emit({ type: 'stall', stall: sampleStall({ state: 'ongoing', endedAt: null }) });
  await health.getByText('is blocked for 3.1 s by renderInvoice (invoices.js:41)').waitFor();
  await health.getByText('Problem').waitFor();
  expect(await health.getByRole('link', { name: 'Show its stacks' }).getAttribute('href')).toContain('/stacks?');
  standIn.emit({ type: 'stall', stall: sampleStall() });
  await health.getByText('was blocked for 3.1 s').waitFor();
  standIn.emit({ type: 'alert', change: 'opened', alert: sampleAlert({ severity: 'critical' }) });
  await health.getByText('The heap grows by 14 MiB an hour').waitFor();
});

it('catches the next one, and shows what became of it', async () => {
  await using opened = await openAt('/', { rules: sampleRules() });
  const { page, standIn } = opened;
  await page.getByLabel('What to catch').selectOption('saturation');
  await page.getByLabel('For how long').selectOption('10m');
  await page.getByRole('button', { name: 'Catch it' }).click();
  await page.getByText('Saturated event loop. For').waitFor();
  expect(standIn.requests).toContain('POST /rules/catch?target=t1&event=saturation&for=10m');
  standIn.world.rules = sampleRules({
    catches: [
      sampleCatch({ id: 'c-0', event: 'saturation', state: 'caught', why: 'the loop was busy', profileId: 'p-1' }),
      ...standIn.world.rules.catches,
    ],
  });
  await page.getByRole('button', { name: 'Wait no more' }).click();
  await page.getByText('Cancelled', { exact: true }).waitFor();
  expect(standIn.requests).toContain('DELETE /rules/catch/c-1');
  await page.getByText('Caught', { exact: true }).waitFor();
  expect(await page.getByRole('link', { name: 'Its profile' }).getAttribute('href')).toContain('/profile/p-1');
});

it('has no button for what the agent cannot do', async () => {
  await using opened = await openAt('/', { missing: ['rules'] }, /status of 404/);
  const { page, standIn } = opened;
  await waitFor(() => standIn.requests.some((request) => request.startsWith('GET /rules')), {
    message: 'the question',
  });
  await page.getByRole('figure', { name: 'CPU' }).waitFor();
  expect(await page.getByRole('button', { name: 'Catch it' }).count()).toBe(0);
});

it('shows alerts with their evidence, deaths with their causes, and rules that explain themselves', async () => {
  await using opened = await openAt('/alerts?alert=a-1', {
    alerts: [sampleAlert({ profileIds: ['p-1'] })],
    deaths: [sampleDeath()],
    rules: sampleRules({ rules: [sampleRule()], problems: [{ line: 12, message: 'unknown metric cpuu' }] }),
  });
  const { page, standIn } = opened;
  const alert = page.getByRole('listitem', { name: 'the heap grows' });
  await alert.getByText('remember (cache.js:12)').waitFor();
  await alert.getByText('14 MiB', { exact: true }).waitFor();
  const death = page.getByRole('listitem', { name: 'Death of shop' });
  await death.getByText('Evidence').click();
  await death.getByText('its last reading was at 98 % of the limit').waitFor();
  await death.getByText('Not known: the exit code').waitFor();
  await page.getByText('unknown metric cpuu').waitFor();
  const rule = page.getByRole('listitem', { name: 'Rule cpu-burst' });
  await rule.getByRole('button', { name: 'Explain' }).click();
  await rule.getByText('In the last hour it held in 12 of 720 readings and would have fired 1 time').waitFor();
  await rule.getByRole('button', { name: 'Fire now' }).click();
  await waitFor(() => standIn.requests.includes('POST /rules/cpu-burst/fire?target=t1'), { message: 'the firing' });
  await alert.getByRole('link', { name: 'What was captured' }).click();
  await page.locator('tr.named').waitFor();
  // A link may be older than what is kept.
  for (const [at, what] of [
    ['alerts?alert=gone', 'alert'],
    ['alerts?death=gone', 'death'],
    ['stacks?stall=gone', 'stall'],
    ['regressions?regression=gone', 'finding'],
  ]) {
    await page.goto(`${standIn.url}#/${at}`);
    await page.getByText(`The ${what} of the link is not in this list`).waitFor();
  }
});

it('shows what got worse beside the baseline and the version before, and takes a new baseline', async () => {
  const over = sampleRegression({ id: 'r-0', title: 'RSS', since: ago(2_600_000), state: 'ended' });
  const ended = { endedAt: ago(2_000_000), endReason: 'it is as before', causes: [], correlated: [], windows: [] };
  await using opened = await openAt('/regressions', {
    regressions: [sampleRegression(), { ...over, ...ended }],
    profiles: [
      sampleProfile({ id: 'p-b', startedAt: ago(300_000), endedAt: ago(270_000) }),
      sampleProfile({ id: 'p-a', startedAt: ago(1_300_000), endedAt: ago(1_270_000) }),
    ],
  });
  const { page, standIn } = opened;
  const row = page.getByRole('row').filter({ hasText: 'CPU of the process' });
  await row.getByText('Worse').waitFor();
  expect((await row.innerText()).replaceAll(/\s+/g, ' ')).toContain(
    '47 % of a core 25 % of a core ▲ 88 % 17.6 σ 24 % of a core ▲ 96 % 17.6 σ',
  );
  await page.getByText('renderReport (report.ts:88) grew from 4 % to 31 % of the CPU time').waitFor();
  await page.getByText('no previous version: storage is new').waitFor();
  await page.getByRole('img', { name: 'CPU of the process over 30 windows: usually 22.5 %' }).waitFor();
  await page.getByText('What moved as well: 1').click();
  await page.getByText('closely (0.91 in 9 windows)').waitFor();
  expect(await page.getByRole('link', { name: 'before and after' }).getAttribute('href')).toContain('/compare/p-a/p-b');
  const old = page.getByRole('listitem', { name: 'RSS' });
  expect(await old.getByText('Explained by load').isVisible()).toBe(false);
  await old.getByText('How it was; over because it is as before').click();
  await old.getByText('Explained by load').waitFor();
  const live = sampleRegression({ id: 'r-2', title: 'Latency of GET /live', since: ago(0) });
  standIn.world.regressions = [live, ...standIn.world.regressions];
  standIn.emit({ type: 'regression', change: 'opened', regression: live });
  await page.getByRole('listitem', { name: 'Latency of GET /live' }).waitFor();
  await page.getByRole('button', { name: 'Take a new baseline' }).click();
  await waitFor(() => standIn.requests.includes('POST /baseline?target=t1'), { message: 'the new baseline' });
  await page.getByText('Taken: from now on').waitFor();
});

it('shows names full of HTML, right-to-left marks, emoji and 10 kB as text, within the width', async () => {
  const name = `<img src=x onerror="document.title='owned'">\u202Eevil 🦊 ${'x'.repeat(10_000)}`;
  const profile = sampleProfile({ targetName: name, labels: { x: name } });
  await using opened = await openAt('/alerts', {
    targets: [sampleTarget({ name })],
    alerts: [
      sampleAlert({
        title: name,
        text: name,
        facts: { name },
        evidence: [{ name, mediaType: 'text/plain', text: name }],
      }),
    ],
    deaths: [sampleDeath({ summary: name, targetName: name })],
    stalls: [
      sampleStall({ state: 'ongoing', endedAt: null, dominant: { ...sampleStall().dominant!, functionName: name } }),
    ],
    profiles: [{ ...profile, cpu: { ...profile.cpu!, topFunction: name } }],
    rules: sampleRules({ rules: [sampleRule({ name, when: name })] }),
    regressions: [sampleRegression({ title: name })],
  });
  const { page } = opened;
  for (const view of ['Alerts', 'Overview', 'Captures', 'Regressions']) {
    await page.getByRole('link', { name: view, exact: true }).click();
    await page.getByText('<img src=x').first().waitFor();
    expect(await page.evaluate(() => document.documentElement.scrollWidth), view).toBe(1280);
    expect(await page.locator('img, #page script').count()).toBe(0);
    await waitFor(async () => (await page.title()) === `${view} · Sidescope`, { message: `the title of ${view}` });
  }
});

it('has a download that was cut at half gone on with by the browser', async () => {
  await using opened = await openAt('/captures', { cutDownloads: 1 });
  const { page, standIn } = opened;
  const downloading = page.waitForEvent('download');
  await page.getByRole('button', { name: 'Download', exact: true }).click();
  const download = await downloading;
  expect(await download.failure()).toBeNull();
  expect(await readFile(await download.path(), 'utf8')).toBe(sampleCpuProfile);
  expect(standIn.requests.filter((request) => request.includes('/download')).length).toBe(2);
});

it('asks for the token above each view when it ends, and reads on where it was', async () => {
  await using opened = await openAt('/alerts', { alerts: [sampleAlert()] }, /status of 401/);
  const { page, standIn } = opened;
  await page.getByRole('listitem', { name: 'the heap grows' }).waitFor();
  standIn.world.token = 'next';
  standIn.emit({ type: 'alert', change: 'updated', alert: sampleAlert({ reports: 4 }) });
  await page.getByRole('heading', { name: 'Sign in again' }).waitFor();
  expect(await page.getByRole('listitem', { name: 'the heap grows', includeHidden: true }).isVisible()).toBe(true);
  await signIn(page, 'next');
  await page.getByText('Live', { exact: true }).waitFor();
  expect(page.url()).toContain('#/alerts');
});

async function signIn(page: Page, token: string): Promise<void> {
  await page.getByLabel('Access token').fill(token);
  await page.keyboard.press('Enter');
}
