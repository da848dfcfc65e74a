// Pictures of every view, in both sizes and both themes, into .cache/screenshots/ (not committed).
//   npm run screenshots [view ...]
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Page } from 'playwright-core';
import { launchBrowser } from './browser.ts';
import { scenes } from './scenes.ts';
import { startStandIn } from './stand-in.ts';

const directory = join(import.meta.dirname, '../../.cache/screenshots');
const sizes = [
  [1280, 800],
  [390, 844],
] as const;

const wanted = process.argv.slice(2);
const chosen = scenes().filter(({ name }) => wanted.length === 0 || wanted.includes(name));
if (chosen.length === 0) throw new Error(`no such view: ${wanted.join(', ')}`);
if (wanted.length === 0) await rm(directory, { recursive: true, force: true });
await mkdir(directory, { recursive: true });

await using browser = await launchBrowser();
for (const scene of chosen) {
  await using standIn = await startStandIn(scene.world);
  const page = await browser.open(`${standIn.url}#${scene.path}${scene.path.includes('?') ? '&' : '?'}token=right`);
  await page.getByText('Live', { exact: true }).waitFor();
  for (const event of scene.events ?? []) standIn.emit(event);
  for (const [width, height] of sizes) {
    await page.setViewportSize({ width, height });
    for (const theme of ['light', 'dark']) {
      await page.getByRole('combobox', { name: 'Colours' }).selectOption(theme);
      await scene.ready(page);
      await settled(page);
      await page.screenshot({
        path: join(directory, `${scene.name}-${width}-${theme}.png`),
        fullPage: true,
        animations: 'disabled',
      });
    }
  }
  await page.close();
  if (standIn.faults.length > 0) throw new Error(`${scene.name}: ${standIn.faults.map(String).join('\n')}`);
  console.log(`${scene.name}: ${sizes.length * 2} pictures`);
}
if (browser.complaints.length > 0) throw new Error(browser.complaints.join('\n'));
console.log(directory);

/** Two frames after the last change: charts draw in one of their own. */
async function settled(page: Page): Promise<void> {
  await page.evaluate(
    () => new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(() => resolve(null)))),
  );
}
