import { afterAll, beforeAll, expect, it } from 'vitest';
import { axeFindings } from './accessible.ts';
import type { Browser } from './browser.ts';
import { launchBrowser } from './browser.ts';
import { scenes } from './scenes.ts';
import { startStandIn } from './stand-in.ts';

let browser: Browser;
beforeAll(async () => {
  browser = await launchBrowser();
});
afterAll(async () => {
  await browser[Symbol.asyncDispose]();
});

it.each(scenes().map(({ name }) => name))(
  '%s: axe finds nothing in either theme, it fits a phone, and nothing is refused or thrown',
  async (name) => {
    const scene = scenes().find((other) => other.name === name);
    if (scene === undefined) throw new Error(`no scene ${name}`);
    await using standIn = await startStandIn(scene.world);
    browser.complaints.length = 0;
    const page = await browser.open(`${standIn.url}#${scene.path}${scene.path.includes('?') ? '&' : '?'}token=right`);
    await using _closed = { [Symbol.asyncDispose]: () => page.close() };
    await page.getByText('Live', { exact: true }).waitFor();
    for (const event of scene.events ?? []) standIn.emit(event);
    await scene.ready(page);
    for (const theme of ['light', 'dark']) {
      await page.getByRole('combobox', { name: 'Colours' }).selectOption(theme);
      expect(await axeFindings(page)).toEqual([]);
    }
    await page.setViewportSize({ width: 390, height: 844 });
    await scene.ready(page);
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBe(390);
    expect(standIn.faults).toEqual([]);
    expect(browser.complaints).toEqual([]);
  },
);
