import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { BrowserContext, Page } from 'playwright-core';
import { chromium } from 'playwright-core';
import { chromiumPath } from '../support/chromium.ts';

export const pageDirectory = join(import.meta.dirname, '../../dist/page');

/** A browser that asks nobody but us: no updates, no QUIC, no first run. */
export const chromiumArguments = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

export interface Browser extends AsyncDisposable {
  readonly context: BrowserContext;
  /** A new tab. What its console calls an error, what its policy refuses and what it throws is in `complaints`. */
  open(url: string): Promise<Page>;
  readonly complaints: string[];
}

export interface BrowserOptions {
  readonly width?: number;
  readonly height?: number;
  readonly dark?: boolean;
}

/** Headless Chromium with an empty profile directory, which goes with it. */
export async function launchBrowser(options: BrowserOptions = {}): Promise<Browser> {
  if (!existsSync(join(pageDirectory, 'index.html'))) throw new Error('dist/page is not built: npm run build');
  const executablePath = chromiumPath();
  if (executablePath === undefined) throw new Error('no Chromium: node .tools/prepare-tests.ts installs one');
  await using stack = new AsyncDisposableStack();
  const directory = await mkdtemp(join(tmpdir(), 'sidescope-browser-'));
  stack.defer(() => rm(directory, { recursive: true, force: true, maxRetries: 5 }));
  const context = await chromium.launchPersistentContext(directory, {
    executablePath,
    headless: true,
    args: chromiumArguments,
    viewport: { width: options.width ?? 1280, height: options.height ?? 800 },
    colorScheme: options.dark === true ? 'dark' : 'light',
    acceptDownloads: true,
  });
  stack.defer(() => context.close());
  // What the policy refuses is not always a message of the console.
  await context.addInitScript(() => {
    // Speedscope's protobufjs tries to eval its `require`, and goes on without.
    if (location.pathname.includes('/ui/speedscope/')) return;
    addEventListener('securitypolicyviolation', ({ effectiveDirective, blockedURI, sample }) =>
      console.error(`policy: ${effectiveDirective} refused ${blockedURI} ${sample}`),
    );
  });
  const complaints: string[] = [];
  context.on('console', (message) => {
    if (message.type() === 'error') complaints.push(`console: ${message.text()} (${message.location().url})`);
  });
  context.on('weberror', (error) => complaints.push(`thrown: ${error.error().message}`));
  const owned = stack.move();
  return {
    context,
    complaints,
    open: async (url) => {
      const page = await context.newPage();
      // The tests beside it may have both cores; below the minute of a test, so that what was waited for is told.
      page.setDefaultTimeout(30_000);
      await page.goto(url);
      return page;
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}
