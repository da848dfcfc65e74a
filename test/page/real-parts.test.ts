import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { parseInspectorAddress } from '../../agent/attach/address.ts';
import { Targets } from '../../agent/attach/targets.ts';
import { Captures } from '../../agent/capture/captures.ts';
import { ProfileWorker } from '../../agent/capture/profile-worker.ts';
import { openAdminServer } from '../../agent/http/admin-server.ts';
import { Tokens } from '../../agent/http/tokens.ts';
import { ProfileStore } from '../../agent/store/store.ts';
import { createLog } from '../../agent/telemetry/log.ts';
import { fakeServices } from '../http/fakes.ts';
import { startTarget } from '../support/target.ts';
import { launchBrowser, pageDirectory } from './browser.ts';
import { sampleInfo } from './samples.ts';

it('profiles a real process from the page: CPU and heap, both kept, read and deleted', async () => {
  await using target = await startTarget('busy');
  await using agent = await startParts(target.inspectorAddress);
  await using browser = await launchBrowser();
  const page = await browser.open(agent.url);
  page.setDefaultTimeout(20_000);
  const card = page.getByRole('article', { name: /Target/ });
  await card.getByText('Attached', { exact: true }).waitFor();
  expect(await card.innerText()).toContain(`pid ${target.pid}`);
  await page.getByText('Safe to take').waitFor();

  await page.getByRole('radio', { name: 'Custom' }).check();
  await page.getByLabel('Duration in seconds').fill('0.5');
  await page.getByRole('button', { name: 'Profile for 500 ms' }).click();
  const cpuRow = page.getByRole('row').filter({ hasText: 'CPU profile' });
  await cpuRow.waitFor();
  expect(await cpuRow.innerText()).toMatch(/busy\.mjs:\d+/);

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
  await speedscope.waitForFunction(() => document.title.includes('.cpuprofile'));

  await cpuRow.getByRole('button', { name: 'More' }).click();
  await page.getByRole('button', { name: 'Delete…' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Delete' }).click();
  await cpuRow.waitFor({ state: 'detached' });
  expect(agent.store.list({}).profiles.map((profile) => profile.kind)).toEqual(['heap-snapshot']);

  target.kill('SIGKILL');
  await card.getByText('What to do: Start the target with --inspect').waitFor();
  expect(browser.complaints).toEqual([]);
});

/** Everything below the page is the agent's own, but for its options and `main`. */
async function startParts(inspectorAddress: string) {
  await using stack = new AsyncDisposableStack();
  const directory = await mkdtemp(join(tmpdir(), 'sidescope-page-'));
  stack.defer(() => rm(directory, { recursive: true, force: true }));
  const log = createLog({ level: 'fatal', destination: { write: () => undefined } });
  const budgetBytes = 256 * 1024 * 1024;
  const store = stack.use(
    await ProfileStore.open({ directory, budgetBytes, retentionCount: 0, retentionAgeMs: 0, log }),
  );
  const targets = stack.use(new Targets([parseInspectorAddress(inspectorAddress)]));
  const worker = stack.use(new ProfileWorker());
  const limits = { concurrency: 1, queueMax: 4, livenessBudgetMs: 10_000 };
  const captures = new Captures({ targets, store, worker, ...limits, environment: {}, log });
  const tokens = await Tokens.open({ log });
  const info = () => sampleInfo({ startedAt: new Date().toISOString(), uptimeMs: 0, storage: store.usage() });
  const services = await fakeServices({ targets, captures, store, tokens, log, info, pageDirectory });
  const server = stack.use(await openAdminServer(services, { host: '127.0.0.1', port: 0 }));
  const { token } = tokens.mint({ name: 'admin', scopes: ['admin'], ttlMs: 600_000 });
  targets.start();
  const owned = stack.move();
  return {
    store,
    url: `${server.url}/api/v1/profiling/ui#token=${token}`,
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}
