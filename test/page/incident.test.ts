import type { Page } from 'playwright-core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { profileRequestsSchema } from '../../protocol/rest/profile-requests.ts';
import { apiPath } from '../../protocol/rest/routes.ts';
import { freeAddress } from '../demo/agent.ts';
import type { Backend } from '../demo/backend.ts';
import { openAgent, type RunningAgent } from '../support/agent.ts';
import { startDemo } from '../support/demo.ts';
import { waitFor } from '../support/wait-for.ts';
import { axeFindings } from './accessible.ts';
import { launchBrowser, type Browser } from './browser.ts';

let shop: Backend;
let agent: RunningAgent;
let browser: Browser;
beforeAll(async () => {
  const otlpAddress = await freeAddress();
  shop = await startDemo({ load: false, otlpEndpoint: `http://${otlpAddress}` });
  const watch = ['--stall-threshold', '500ms', '--stall-interval', '100ms', '--vitals-interval', '1s'];
  agent = await openAgent({ targets: [shop.inspectorAddress], args: ['--otlp-address', otlpAddress, ...watch] });
  browser = await launchBrowser();
}, 60_000);
afterAll(async () => {
  await browser[Symbol.asyncDispose]();
  await agent[Symbol.asyncDispose]();
  await shop[Symbol.asyncDispose]();
});

// One after the other on one shop: each finds what the one before left, as on a real agent.
it('leads from an alert of the demo to the line of code that blocks it', async () => {
  await using opened = await openAt('/');
  const { page } = opened;
  await page.getByRole('figure', { name: 'CPU' }).waitFor();
  const health = page.getByRole('status', { name: 'Health' });
  await whileBlocked(async () => {
    await health.getByText(/is blocked for .* by signInvoice \(invoices\.ts:\d+\)/).waitFor();
    await health.getByRole('link', { name: 'Show its stacks' }).click();
    await page
      .getByText(/invoices\.ts:\d+/)
      .first()
      .waitFor();
  });

  await page.getByRole('link', { name: 'Alerts', exact: true }).click();
  const alert = page.getByRole('listitem').filter({ hasText: 'signInvoice' }).first();
  const request = alert.getByRole('link', { name: 'Its request' });
  const traceId = new URLSearchParams((await request.getAttribute('href'))?.split('?')[1]).get('trace');
  await expectNoFindings(page);
  const isThere = async () => (await fetch(`${agent.url}${apiPath}/timelines/${traceId}`, { headers: bearer() })).ok;
  await waitFor(isThere, { message: 'the spans of the request' });
  await request.click();
  await page
    .getByRole('list', { name: 'Meanwhile' })
    .getByText(/^Stall: .*signInvoice \(invoices\.ts:\d+\)/)
    .first()
    .waitFor();
  await page.getByRole('list', { name: 'Spans' }).getByText('/invoices/:id').first().waitFor();
  await expectNoFindings(page);
});

it('profiles the demo from the page, down to the line and the one request', async () => {
  await using opened = await openAt('/captures');
  const { page } = opened;
  await page.getByRole('radio', { name: 'Custom' }).check();
  await page.getByLabel('Duration in seconds').fill('60');
  await page.getByRole('button', { name: 'Profile for 1 min' }).click();
  const running = page.getByRole('listitem', { name: /^CPU profile of/ });
  await running
    .getByText(/sampling/i)
    .first()
    .waitFor();
  for (let product = 1; product <= 4; product++) await visit(`/products/${product}/report`);
  await running.getByRole('button', { name: /^Stop/ }).click();
  const row = page.getByRole('row').filter({ hasText: 'CPU profile' }).first();
  await row.getByRole('link', { name: /flame/i }).click();
  const functions = page.getByRole('table', { name: 'Functions of the profile' });
  await functions
    .getByText(/report\.ts:\d+/)
    .first()
    .waitFor();
  const profileId = /profile\/([^?]+)/.exec(page.url())?.[1] ?? '';
  const isJoined = async (): Promise<boolean> => {
    const response = await fetch(`${agent.url}${apiPath}/profiles/${profileId}/requests`, { headers: bearer() });
    return profileRequestsSchema.parse(await response.json()).requests.length > 0;
  };
  await waitFor(isJoined, { message: 'the spans of the profiled requests' });
  await page.getByRole('button', { name: 'Only one route or trace…' }).click();
  await page.getByLabel(/^Only/).selectOption('route:/products/:id/report');
  await page.getByText(/of what was not idle\./).waitFor();
  await functions
    .getByText(/report\.ts:\d+/)
    .first()
    .waitFor();
  await expectNoFindings(page);
});

it('has every view of the demo without a finding, a console error or a refusal, in both themes', async () => {
  await using opened = await openAt('/');
  const { page } = opened;
  for (const view of ['Overview', 'Captures', 'Requests', 'Memory', 'Stacks', 'Regressions', 'Alerts', 'Agent']) {
    await page.getByRole('navigation').getByRole('link', { name: view, exact: true }).click();
    await waitFor(async () => (await page.title()) === `${view} · Sidescope`, { message: `the title of ${view}` });
    await waitFor(async () => (await page.locator('[aria-busy=true]').count()) === 0, { message: `all of ${view}` });
    await expectNoFindings(page);
  }
});

/** A tab of its own. At the end nothing may have been complained about. */
async function openAt(path: string) {
  browser.complaints.length = 0;
  const page = await browser.open(`${agent.url}${apiPath}/ui#${path}?token=${agent.token}`);
  return {
    page,
    [Symbol.asyncDispose]: async () => {
      await page.close();
      expect(browser.complaints.join('\n')).toBe('');
    },
  };
}

async function expectNoFindings(page: Page): Promise<void> {
  for (const theme of ['light', 'dark']) {
    await page.getByRole('combobox', { name: 'Colours' }).selectOption(theme);
    expect(await axeFindings(page), `${await page.title()}, ${theme}`).toEqual([]);
  }
}

/** Its loop is blocked at least once, and again until the work is done: on a busy machine the page is late. */
async function whileBlocked(work: () => Promise<void>): Promise<void> {
  let isDone = false;
  const working = work().finally(() => (isDone = true));
  const blocking = async (): Promise<void> => {
    do await visit('/invoices/7?ms=3500');
    while (!isDone);
  };
  await Promise.all([working, blocking()]);
}

function bearer() {
  return { authorization: `Bearer ${agent.token}` };
}

async function visit(path: string): Promise<void> {
  const response = await fetch(`${shop.shopUrl}${path}`, { signal: AbortSignal.timeout(30_000) });
  await response.arrayBuffer();
}
