import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { startAgent } from '../../agent/agent.ts';
import { resolveOptions } from '../../agent/options.ts';
import { readSmallFile } from '../../agent/options/config-file.ts';
import { createLog } from '../../agent/telemetry/log.ts';
import { startTarget } from '../support/target.ts';
import { waitFor } from '../support/wait-for.ts';
import { launchBrowser } from './browser.ts';

it('profiles a real process from the page: CPU and heap, both kept, read and deleted', async () => {
  await using target = await startTarget('busy');
  await using agent = await openAgent(target.inspectorAddress);
  await using browser = await launchBrowser();
  const page = await browser.open(agent.url);
  page.setDefaultTimeout(20_000);
  const card = page.getByRole('article', { name: /Target/ });
  await card.getByText('Attached', { exact: true }).waitFor();
  expect(await card.innerText()).toContain(`pid ${target.pid}`);
  await page.getByRole('link', { name: 'Captures' }).click();
  await page.getByText('Safe to take').waitFor();

  await page.getByRole('radio', { name: 'Custom' }).check();
  await page.getByLabel('Duration in seconds').fill('0.5');
  await page.getByRole('button', { name: 'Profile for 500 ms' }).click();
  const cpuRow = page.getByRole('row').filter({ hasText: 'CPU profile' });
  await cpuRow.waitFor();
  expect(await cpuRow.innerText()).toMatch(/\w \S+:\d+/);

  await page.getByRole('button', { name: 'Take a heap snapshot' }).click();
  const snapshotRow = page.getByRole('row').filter({ hasText: 'Heap snapshot' });
  await snapshotRow.waitFor();
  const downloading = page.waitForEvent('download');
  await snapshotRow.getByRole('button', { name: 'Download' }).click();
  const download = await downloading;
  const snapshot = JSON.parse(await readFile(await download.path(), 'utf8')) as { nodes: number[] };
  expect(snapshot.nodes.length).toBeGreaterThan(10_000);
  expect(download.suggestedFilename()).toMatch(/\.heapsnapshot$/);

  const opening = browser.context.waitForEvent('page');
  await cpuRow.getByRole('button', { name: 'Open in speedscope' }).click();
  const speedscope = await opening;
  await waitFor(async () => (await speedscope.title()).includes('.cpuprofile'), { message: 'the file in speedscope' });
  await speedscope.close();

  await cpuRow.getByRole('button', { name: 'More' }).click();
  await page.getByRole('button', { name: 'Delete…' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Delete' }).click();
  await cpuRow.waitFor({ state: 'detached' });
  expect(await page.getByRole('row').filter({ hasText: 'Heap snapshot' }).count()).toBe(1);

  target.kill('SIGKILL');
  await page.getByRole('link', { name: 'Overview' }).click();
  await card.getByText('What to do: Start the target with --inspect').waitFor();
  expect(browser.complaints.join('\n')).toBe('');
});

/** The whole agent in this process, on free ports and a directory of its own. */
async function openAgent(inspectorAddress: string) {
  await using stack = new AsyncDisposableStack();
  const directory = await mkdtemp(join(tmpdir(), 'sidescope-page-'));
  stack.defer(() => rm(directory, { recursive: true, force: true }));
  const resolved = await resolveOptions({
    argv: [
      '--target',
      inspectorAddress,
      '--data-dir',
      directory,
      '--admin-address',
      '127.0.0.1:0',
      '--ops-address',
      'off',
    ],
    environment: {},
    readFile: readSmallFile,
    isTerminal: false,
  });
  expect(resolved.problems).toEqual([]);
  const log = createLog({ level: 'fatal', destination: { write: () => undefined } });
  const agent = await startAgent(resolved, { log, environment: {} });
  stack.defer(() => agent.close({ graceMs: 0 }));
  const owned = stack.move();
  return {
    directory,
    url: `${agent.admin?.url ?? ''}/api/v1/profiling/ui#token=${agent.takeToken() ?? ''}`,
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}
