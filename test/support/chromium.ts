import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import { createRequire } from 'node:module';
import type * as Playwright from 'playwright-core';

/**
 * The Chromium that browser tests use: the first of the system's (`chromium`, `chromium-browser`, `google-chrome` in
 * `/usr/bin` or on PATH), else the one Playwright installed; undefined when there is none.
 */
export function chromiumPath(
  folders: readonly string[] = ['/usr/bin', ...(process.env['PATH'] ?? '').split(delimiter)],
): string | undefined {
  const names = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'];
  const candidates = folders.flatMap((folder) => names.map((name) => join(folder, name)));
  return candidates.find(isExecutable) ?? playwrightPath();
}

function playwrightPath(): string | undefined {
  try {
    // Loaded only when the system has none: it takes longer than everything else here.
    const { chromium } = createRequire(import.meta.url)('playwright-core') as typeof Playwright;
    const path = chromium.executablePath();
    return isExecutable(path) ? path : undefined;
  } catch {
    // Playwright has no build for this platform.
    return undefined;
  }
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    // Missing and not executable are the same to us: not this one.
    return false;
  }
}
