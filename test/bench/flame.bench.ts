import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Page } from 'playwright-core';
import { launchBrowser } from '../page/browser.ts';
import { largeProfile } from '../page/flame-samples.ts';
import { startStandIn } from '../page/stand-in.ts';
import { formatSpread, spreadOf } from './support.ts';
import type { Bench } from './support.ts';

/** How long does a 20 MB CPU profile take to its first paint, and a frame while it is moved? */
export const bench: Bench = async ({ quick, signal }) => {
  const directory = await mkdtemp(join(tmpdir(), 'sidescope-bench-flame-'));
  try {
    const path = join(directory, 'large.cpuprofile');
    await writeFile(path, JSON.stringify(largeProfile({ nodes: 90_000, samples: 600_000 })));
    await using browser = await launchBrowser();
    await using standIn = await startStandIn();
    const page = await browser.open(`${standIn.url}#/profile?token=right`);
    const paintsMs: number[] = [];
    const framesMs: number[] = [];
    const drawingsMs: number[] = [];
    for (let round = 0; round < (quick ? 2 : 7); round++) {
      signal.throwIfAborted();
      paintsMs.push(await firstPaintMs(page, path));
      const moved = await moveAbout(page);
      framesMs.push(...moved.framesMs);
      drawingsMs.push(...moved.drawingsMs);
      await page.getByRole('link', { name: 'Another profile' }).click();
    }
    const sorted = framesMs.toSorted((a, b) => a - b);
    const row = {
      size: `${((await stat(path)).size / 1e6).toFixed(1)} MB`,
      'first paint, ms': formatSpread(spreadOf(paintsMs), 0),
      'frame while moving, ms': formatSpread(spreadOf(framesMs), 1),
      '95th percentile, ms': sorted[Math.floor(sorted.length * 0.95)]?.toFixed(1) ?? '',
      'of it JavaScript, ms': formatSpread(spreadOf(drawingsMs), 1),
      'load average': loadavg()[0]?.toFixed(1) ?? '',
    };
    const note =
      'From choosing a file to the canvas drawn, driver included; then 120 frames of wheel events, five-fold zoom. Headless Chromium without GPU, 90,000 nodes, 600,000 samples.';
    return [{ title: 'Flame graph of a 20 MB CPU profile', note, rows: [row] }];
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
};

async function firstPaintMs(page: Page, path: string): Promise<number> {
  const input = page.locator('input[type=file]').first();
  await input.waitFor();
  const startedMs = performance.now();
  await input.setInputFiles(path);
  await page.locator('canvas[data-boxes]').waitFor({ timeout: 30_000 });
  return performance.now() - startedMs;
}

function moveAbout(page: Page): Promise<{ framesMs: number[]; drawingsMs: number[] }> {
  return page.evaluate(async () => {
    const canvas = document.querySelector('canvas');
    if (canvas === null) throw new Error('there is no canvas');
    const { left, top } = canvas.getBoundingClientRect();
    const drawingsMs: number[] = [];
    const ask = requestAnimationFrame;
    // What the page draws in; the frames are counted beside it.
    window.requestAnimationFrame = (draw) =>
      ask((nowMs) => {
        const startedMs = performance.now();
        draw(nowMs);
        drawingsMs.push(performance.now() - startedMs);
      });
    const wheel = (init: WheelEventInit): boolean =>
      canvas.dispatchEvent(
        new WheelEvent('wheel', { bubbles: true, cancelable: true, clientX: left + 300, clientY: top + 100, ...init }),
      );
    wheel({ deltaY: -650, ctrlKey: true });
    const timesMs: number[] = [];
    await new Promise<void>((resolve) => {
      const step = (nowMs: number): void => {
        timesMs.push(nowMs);
        wheel({ deltaX: timesMs.length < 60 ? 8 : -8 });
        if (timesMs.length > 120) resolve();
        else ask(step);
      };
      ask(step);
    });
    window.requestAnimationFrame = ask;
    return { framesMs: timesMs.slice(1).map((timeMs, index) => timeMs - timesMs[index]!), drawingsMs };
  });
}
