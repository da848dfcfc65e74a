import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { chromiumPath } from './chromium.ts';

it('takes the first executable browser and passes over one that cannot be run', async () => {
  const first = await mkdtemp(join(tmpdir(), 'sidescope-chromium-'));
  const second = await mkdtemp(join(tmpdir(), 'sidescope-chromium-'));
  try {
    await writeFile(join(first, 'chromium'), '');
    await writeFile(join(second, 'google-chrome'), '');
    await chmod(join(second, 'google-chrome'), 0o755);
    expect(chromiumPath([first, second])).toBe(join(second, 'google-chrome'));
  } finally {
    await rm(first, { recursive: true });
    await rm(second, { recursive: true });
  }
});

it('finds the browser that the tests of the page need', () => {
  expect(chromiumPath()).toMatch(/^\//);
});
