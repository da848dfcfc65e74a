import { mkdtemp, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import type { Page } from 'playwright-core';
import { expect, it } from 'vitest';
import { operationSchema } from '../../protocol/rest/operation.ts';
import type { RunningAgent } from '../support/agent.ts';
import { openAgent } from '../support/agent.ts';
import { startTarget } from '../support/target.ts';
import { waitFor } from '../support/wait-for.ts';
import { axeFindings } from './accessible.ts';
import { launchBrowser } from './browser.ts';

it('explores a stored snapshot, and says what grew since an earlier one', async () => {
  await using target = await startTarget('holds-sessions');
  await using agent = await openAgent({ targets: [target.inspectorAddress] });
  const earlier = await takeSnapshot(agent);
  await target.send('more');
  await target.waitForOutput(/held 4000/);
  const later = await takeSnapshot(agent);
  await using browser = await launchBrowser();
  const page = await browser.open(pageOf(agent, '/memory'));
  page.setDefaultTimeout(20_000);
  await page.getByRole('heading', { name: 'Heap snapshots' }).waitFor();
  await page.goto(pageOf(agent, `/heap/${later}`));

  await page.getByLabel('Class name has').fill('session');
  const row = page.getByRole('row').filter({ hasText: 'Session' });
  await row.first().waitFor();
  expect(await cells(row.first())).toEqual(['Session', '4,000']);
  expect(await axeFindings(page)).toEqual([]);
  await page.getByRole('button', { name: 'Session', exact: true }).click();
  const shown = page.getByRole('article', { name: 'Class Session' });
  await shown.getByText('4000 objects'.replace('4000', '4,000')).waitFor();
  const way = shown.getByRole('button', { name: /sessions\.table/ });
  await way.click();
  const object = page.getByRole('article', { name: /Object @\d+/ });
  await object.getByRole('heading', { name: 'Shortest way to it' }).waitFor();
  expect(await object.innerText()).toMatch(/sessions\.table\[\d+\]/);
  const id = /Object @(\d+)/.exec((await object.getAttribute('aria-label')) ?? '')?.[1];

  // The link leads to the same object of the same snapshot, in another tab.
  await page.reload();
  await page.getByRole('article', { name: `Object @${id ?? ''}` }).waitFor();
  await object
    .getByRole('button', { name: /^Fields of @/ })
    .first()
    .click();
  await object.getByText('token of session').first().waitFor();
  expect(await axeFindings(page)).toEqual([]);

  await page.goto(pageOf(agent, `/heap/${later}?against=${earlier}`));
  await page.getByText('What grew', { exact: true }).waitFor();
  const grown = page.getByRole('row').filter({ hasText: /^Session/ });
  await grown.first().waitFor();
  expect(await grown.first().innerText()).toMatch(/sessions\.table\[\].*\+2,000/s);
  await page.getByRole('radio', { name: 'Classes' }).check();
  await page.getByLabel('Class name has').fill('session');
  await row.first().waitFor();
  expect(await row.first().innerText()).toContain('+2,000');
  expect(browser.complaints.join('\n')).toBe('');
});

it('opens a file that is dropped, plain or compressed, and says what is wrong with one that was cut', async () => {
  await using target = await startTarget('holds-sessions');
  await using agent = await openAgent({ targets: [target.inspectorAddress] });
  const bytes = await download(agent, await takeSnapshot(agent));
  await using directory = await temporaryDirectory();
  const [plain, packed, cut] = ['own.heapsnapshot', 'own.heapsnapshot.gz', 'cut.heapsnapshot'].map((name) =>
    join(directory.path, name),
  ) as [string, string, string];
  await writeFile(plain, bytes);
  await writeFile(packed, gzipSync(bytes));
  await writeFile(cut, bytes);
  await truncate(cut, Math.floor(bytes.length / 2));
  await using browser = await launchBrowser();
  const page = await browser.open(pageOf(agent, '/heap'));
  page.setDefaultTimeout(20_000);
  await choose(page, cut);
  await page.getByRole('alert').filter({ hasText: 'unreadable-profile' }).waitFor();
  await page.getByRole('link', { name: 'Another snapshot' }).click();
  for (const file of [plain, packed]) {
    await choose(page, file);
    await page.getByLabel('Class name has').fill('Session');
    await page.getByRole('row').filter({ hasText: '2,000' }).waitFor();
    await page.getByRole('radio', { name: 'Biggest objects' }).check();
    await page.getByRole('columnheader', { name: 'Way to it' }).waitFor();
    await page.getByRole('radio', { name: 'Duplicate strings' }).check();
    await page.getByRole('columnheader', { name: 'One would save' }).waitFor();
    await page.getByRole('radio', { name: 'Growth hints' }).check();
    await page
      .getByText('Map with 4000 references')
      .or(page.getByText(/Map with \d+ references/))
      .first()
      .waitFor();
    await page.getByRole('link', { name: 'Another snapshot' }).click();
  }
  await page.goto(pageOf(agent, '/heap/file'));
  await page.reload();
  await page.getByText('gone with the reload: drop it again').waitFor();
  expect(browser.complaints.join('\n')).toBe('');
});

it('can be stopped while it reads, says when a download was cut, and reads again', async () => {
  await using target = await startTarget('holds-sessions');
  await using agent = await openAgent({ targets: [target.inspectorAddress] });
  const id = await takeSnapshot(agent);
  const bytes = await download(agent, id);
  await using browser = await launchBrowser();
  const { context } = browser;
  const { promise: asked, resolve: onAsked } = Promise.withResolvers<undefined>();
  // Never answered.
  await context.route(/\/download\?/, () => onAsked(undefined));
  const page = await browser.open(pageOf(agent, `/heap/${id}`));
  page.setDefaultTimeout(20_000);
  await asked;
  await page.getByRole('button', { name: 'Stop' }).click();
  await page.getByRole('alert').filter({ hasText: 'ended by you' }).waitFor();
  await context.unroute(/\/download\?/);
  await context.route(/\/download\?/, (route) => route.fulfill({ body: bytes.subarray(0, bytes.length / 2) }));
  await page.getByRole('button', { name: 'Read it again' }).click();
  await page.getByRole('alert').filter({ hasText: 'unreadable-profile' }).waitFor();
  await context.unroute(/\/download\?/);
  await page.getByRole('button', { name: 'Read it again' }).click();
  await page.getByRole('row').filter({ hasText: 'Function' }).first().waitFor();
  expect(browser.complaints.join('\n')).toBe('');
});

async function choose(page: Page, file: string): Promise<void> {
  await page.getByLabel(/Drop a \.heapsnapshot here/).setInputFiles(file);
}

async function cells(row: ReturnType<Page['getByRole']>): Promise<string[]> {
  return (await row.getByRole('cell').allInnerTexts()).slice(0, 2);
}

function pageOf({ url, token }: RunningAgent, path: string): string {
  return `${url}/api/v1/profiling/ui#${path}${path.includes('?') ? '&' : '?'}token=${token}`;
}

async function takeSnapshot(agent: RunningAgent): Promise<string> {
  const take = async () => {
    const response = await call(agent, '/heap/snapshot?force=true&wait=true', 'POST');
    if (!response.ok) throw new Error(await response.text());
    return operationSchema.parse(await response.json());
  };
  // Not before the agent has attached.
  const { state, error, profileIds } = await waitFor(take, { message: 'a snapshot to be taken' });
  expect({ state, error }).toEqual({ state: 'succeeded', error: null });
  return profileIds[0] ?? '';
}

async function download(agent: RunningAgent, id: string): Promise<Buffer> {
  return Buffer.from(await (await call(agent, `/profiles/${id}/download`, 'GET')).arrayBuffer());
}

function call({ url, token }: RunningAgent, path: string, method: string): Promise<Response> {
  return fetch(`${url}/api/v1/profiling${path}`, { method, headers: { authorization: `Bearer ${token}` } });
}

async function temporaryDirectory() {
  const path = await mkdtemp(join(tmpdir(), 'sidescope-heap-page-'));
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) };
}
