import type { Page } from 'playwright-core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { waitFor } from '../support/wait-for.ts';
import type { Browser } from './browser.ts';
import { launchBrowser } from './browser.ts';
import { ago, detachedTarget, sampleInfo, sampleProfile, sampleTarget } from './samples.ts';
import type { StandIn, World } from './stand-in.ts';
import { startStandIn } from './stand-in.ts';

let browser: Browser;
beforeAll(async () => {
  browser = await launchBrowser();
});
afterAll(async () => {
  await browser[Symbol.asyncDispose]();
});

/** Tabs on one stand-in; nothing may have been complained about but for what the test expects. */
async function openTabs(options: { world?: Partial<World>; paths: readonly string[]; expected?: RegExp }) {
  await using stack = new AsyncDisposableStack();
  const standIn = stack.use(await startStandIn(options.world));
  browser.complaints.length = 0;
  const tabs: Page[] = [];
  stack.defer(async () => {
    for (const tab of tabs) await tab.close();
    expect(standIn.faults).toEqual([]);
    expect(browser.complaints.filter((text) => options.expected?.test(text) !== true).join('\n')).toBe('');
  });
  for (const path of options.paths) {
    const separator = path.includes('?') ? '&' : '?';
    const tab = await browser.open(`${standIn.url}#${path}${separator}token=right`);
    await live(tab);
    tabs.push(tab);
  }
  const owned = stack.move();
  return { tabs, page: tabs[0]!, standIn, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

const lostConnection = /ERR_(CONNECTION_REFUSED|EMPTY_RESPONSE|CONNECTION_RESET|INCOMPLETE_CHUNKED_ENCODING)/;

it('restores a view, its target and its choices from the link, also after a reload', async () => {
  const other = sampleTarget({ id: 't9', name: 'other' });
  await using opened = await openTabs({
    world: { targets: [sampleTarget(), other] },
    paths: ['/captures?target=t9&order=longest&find=render'],
  });
  const { page, standIn } = opened;
  const check = async (): Promise<void> => {
    await page.getByRole('row').filter({ hasText: 'renderReport' }).waitFor();
    expect(await page.getByRole('combobox', { name: /^Target/ }).inputValue()).toBe('t9');
    expect(await page.getByLabel('Order').inputValue()).toBe('longest');
    expect(await page.getByLabel('Find').inputValue()).toBe('render');
  };
  await check();
  expect(page.url()).toBe(`${standIn.url}#/captures?target=t9&order=longest&find=render`);
  await page.reload();
  await check();
  await page.getByRole('link', { name: 'Overview' }).click();
  await page.getByRole('article', { name: 'Target other' }).getByRole('button', { name: 'Selected' }).waitFor();
  expect(page.url()).toBe(`${standIn.url}#/?target=t9`);
  await page.locator('#view-title:focus').waitFor({ state: 'attached' });
  await page.goBack();
  await check();
});

it('says so when a link names no view, and leads to one', async () => {
  await using opened = await openTabs({ paths: ['/nowhere'] });
  const { page } = opened;
  await page.getByText('This page has no view /nowhere').waitFor();
  await page.getByRole('link', { name: 'To the overview' }).click();
  await page.getByRole('article', { name: 'Target shop' }).waitFor();
});

it('has one event stream for all tabs of a token, and the next tab takes over when its owner closes', async () => {
  await using opened = await openTabs({ paths: ['/', '/', '/'] });
  const { tabs, standIn } = opened;
  expect(standIn.streams).toBe(1);
  const renamed = (name: string) => ({ type: 'target', target: sampleTarget({ name }) }) as const;
  standIn.emit(renamed('shop-v2'));
  for (const tab of tabs) await tab.getByRole('article', { name: 'Target shop-v2' }).waitFor();
  await tabs.shift()?.close();
  await waitForStream(standIn, 'of the tab that took over');
  standIn.world.targets = [sampleTarget({ name: 'shop-v3' })];
  standIn.emit(renamed('shop-v3'));
  for (const tab of tabs) await tab.getByRole('article', { name: 'Target shop-v3' }).waitFor();
});

it('reconnects all tabs after the agent restarted, each at its own view', async () => {
  await using opened = await openTabs({ paths: ['/', '/captures'], expected: lostConnection });
  const { tabs, standIn } = opened;
  const [overview, captures] = [tabs[0]!, tabs[1]!];
  await overview.getByRole('article', { name: 'Target shop' }).waitFor();
  await captures.getByLabel('Sample every (µs)').fill('700');
  standIn.down = true;
  standIn.cut();
  await overview.getByRole('status').filter({ hasText: 'Reconnecting to the agent' }).waitFor();
  standIn.world.info = sampleInfo({ version: '0.2.0', startedAt: ago(0), uptimeMs: 0 });
  standIn.world.targets = [sampleTarget({ name: 'shop-v2' })];
  standIn.down = false;
  await overview.getByRole('article', { name: 'Target shop-v2' }).waitFor();
  for (const tab of tabs) await tab.getByText('0.2.0', { exact: true }).waitFor();
  expect(await captures.getByLabel('Sample every (µs)').inputValue()).toBe('700');
});

it('leads everywhere by keys, with a sheet, and leaves them to who types', async () => {
  await using opened = await openTabs({ paths: ['/'] });
  const { page } = opened;
  await page.keyboard.press('?');
  const sheet = page.getByRole('dialog', { name: 'Keys' });
  await sheet.getByText('Captures').waitFor();
  await page.keyboard.press('g');
  await page.keyboard.press('c');
  expect(await sheet.isVisible()).toBe(true);
  await page.keyboard.press('Escape');
  await sheet.waitFor({ state: 'detached' });
  await page.keyboard.press('g');
  await page.keyboard.press('c');
  await page.getByRole('heading', { name: 'Start one' }).waitFor();
  await page.keyboard.press('/');
  await page.keyboard.type('go?');
  expect(await page.getByLabel('Find').inputValue()).toBe('go?');
  expect(await page.getByRole('heading', { name: 'Captures' }).count()).toBe(1);
});

it('copies the link to what is shown, without the token', async () => {
  await using opened = await openTabs({ paths: ['/captures?order=longest'] });
  const { page, standIn } = opened;
  await browser.context.grantPermissions(['clipboard-read', 'clipboard-write'], { origin: standIn.origin });
  await page.getByRole('button', { name: 'Copy link' }).click();
  await page.getByRole('button', { name: 'Copied' }).waitFor();
  const copied = await page.evaluate(() => navigator.clipboard.readText());
  expect(copied).toBe(`${standIn.url}#/captures?order=longest`);
});

it('copies each view as text: what one sees, without what one can press', async () => {
  await using opened = await openTabs({ paths: ['/'] });
  const { page, standIn } = opened;
  await browser.context.grantPermissions(['clipboard-read', 'clipboard-write'], { origin: standIn.origin });
  const copy = async (view: string): Promise<string> => {
    await page.getByRole('link', { name: view, exact: true }).click();
    await page.getByRole('heading', { name: view, exact: true }).first().waitFor();
    await page.locator('main section').first().waitFor();
    await page.getByRole('button', { name: /^(Copy view as text|Copied)$/ }).click();
    const read = (): Promise<string> => page.evaluate(() => navigator.clipboard.readText());
    await waitFor(async () => (await read()).startsWith(`${view}: `), { message: `the text of ${view}` });
    return read();
  };
  const overview = await copy('Overview');
  expect(overview).toContain(`Overview: ${standIn.url}#/\n`);
  expect(overview).toMatch(/\nProcess: pid 4711 on shop-7d9f\nNode: 22.21.1 \(linux x64\)\n/);
  expect(overview).toMatch(/\nCPU process, of a core [\d.]+ %/);
  expect(overview).not.toMatch(/Zoom in|What am I looking at/);
  const captures = await copy('Captures');
  expect(captures).toMatch(/\nKind\tStarted\tTarget\tDuration\tSize\tStands out\tTarget paused/);
  expect(captures).toMatch(/\nCPU profile\t[^\n]*renderReport/);
  expect(await copy('Agent')).toMatch(/\n- on storage/);
});

it('tells the age of what it shows by the clock of the agent, not by its own', async () => {
  const dayMs = 86_400_000;
  const at = (agoMs: number): string => new Date(Date.now() + dayMs - agoMs).toISOString();
  await using opened = await openTabs({
    world: {
      info: sampleInfo({ startedAt: at(60_000), uptimeMs: 60_000 }),
      targets: [
        { ...detachedTarget, state: { ...detachedTarget.state, since: at(14_000) } as typeof detachedTarget.state },
      ],
      profiles: [sampleProfile({ startedAt: at(30_000), endedAt: at(20_000) })],
    },
    paths: ['/'],
  });
  await opened.page.getByText(/last data (14|15|16|17|18) s ago/).waitFor();
});

async function live(page: Page): Promise<void> {
  await page.getByText('Live', { exact: true }).waitFor();
}

function waitForStream(standIn: StandIn, of: string): Promise<unknown> {
  return waitFor(() => standIn.streams === 1, { message: `one event stream ${of}` });
}
