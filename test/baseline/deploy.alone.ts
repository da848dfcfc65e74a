import { cp, mkdtemp, rm } from 'node:fs/promises';
import { setPriority, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { AlertList } from '../../protocol/rest/alerts.ts';
import type { BaselineView } from '../../protocol/rest/baseline.ts';
import type { Operation } from '../../protocol/rest/operation.ts';
import type { RegressionCheck, RegressionList } from '../../protocol/rest/regressions.ts';
import { apiPath } from '../../protocol/rest/routes.ts';
import { openAgent } from '../support/agent.ts';
import { startTarget } from '../support/target.ts';
import { waitFor } from '../support/wait-for.ts';
import { buildVersion, type Version } from './build-version.ts';

/** Spans are sent every 0.2 s and settled 2 s later: twice that is waited for them. */
const regressionTimes = { windowMs: 4_000, warmUp: 1, provisional: 2, settled: 5, lasting: 3, lateMs: 5_000 };
const usualPerSecond = 20;

interface Pod extends AsyncDisposable {
  json<T>(path: string, method?: string): Promise<T>;
  /** From now on. */
  order(perSecond: number): Promise<void>;
  profile(): Promise<void>;
}

let directory: string;
/** As version 1.0.0 left it. */
let stateDirectory: string;
let first: Version;
let slower: Version;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'sidescope-state-'));
  stateDirectory = join(directory, '1.0.0');
  first = await buildVersion('3fa9c2d1');
  slower = await buildVersion('b81e77c0', (source) =>
    source
      .replace('pricesRounds = 1', 'pricesRounds = 2')
      .replace('const prices', '\n// Prices with taxes.\nconst prices'),
  );
  await using pod = await deploy(first, { name: '1.0.0', stateDirectory });
  await pod.profile();
  const settled = await waitFor(
    async () => {
      const view = await pod.json<BaselineView>('/baseline');
      return view.state === 'settled' && view.profileSamples > 0 ? view : undefined;
    },
    { deadlineMs: 120_000, message: 'version 1.0.0 to settle' },
  );
  expect(settled).toMatchObject({ service: { name: 'shop', version: '1.0.0' }, previous: null });
  expect(settled.settled).toMatchObject({ kind: 'settled', loadSource: 'spans' });
  expect(settled.previousMessage).toBe(`no previous version: storage is new (${stateDirectory})`);
}, 150_000);
afterAll(async () => {
  await first[Symbol.asyncDispose]();
  await slower[Symbol.asyncDispose]();
  await rm(directory, { recursive: true, force: true });
});

/** A target and an agent of its own, with storage of its own; only the state directory is shared. */
async function deploy(
  version: Version,
  {
    name,
    stateDirectory: shared,
    perSecond = usualPerSecond,
  }: { name: string; stateDirectory: string; perSecond?: number },
): Promise<Pod> {
  await using stack = new AsyncDisposableStack();
  const target = stack.use(
    // What V8 optimised before a profile began counts for a caller, as far up as listOnTimeout: here each function shall count for itself.
    await startTarget(version.main, {
      execArgv: ['--inspect=127.0.0.1:0', '--no-opt', '--no-maglev', '--no-sparkplug'],
    }),
  );
  goFirst(target.pid);
  goFirst(process.pid);
  const args = ['--state-url', `file://${shared}`, '--service-name', 'shop', '--service-version', name];
  const agent = stack.use(
    await openAgent({
      targets: [target.inspectorAddress],
      args: [...args, '--vitals-interval', '1s'],
      regressionTimes,
    }),
  );
  const json = async <T>(path: string, method = 'GET'): Promise<T> => {
    const headers = { authorization: `Bearer ${agent.token}` };
    return (await (await fetch(`${agent.url}${apiPath}${path}`, { method, headers })).json()) as T;
  };
  const order = (rate: number) => target.send({ perSecond: rate });
  await target.send({ perSecond, otlpUrl: agent.otlpUrl });
  const profile = async (): Promise<void> => {
    await waitFor(async () => (await json<Operation>('/cpu/start?duration=3000', 'POST')).state !== undefined, {
      message: `version ${name} to be profiled`,
    });
  };
  const moved = stack.move();
  return { json, order, profile, [Symbol.asyncDispose]: () => moved.disposeAsync() };
}

/** On a machine with more to do than it can the service would serve less than it is asked for, and be read too late: then it is not the same program any more. */
function goFirst(pid: number): void {
  try {
    setPriority(pid, -15);
  } catch (error) {
    // Not everybody may; on a machine that has time it makes no difference.
    if (!(error instanceof Error && 'code' in error && error.code === 'ERR_SYSTEM_ERROR')) throw error;
  }
}

/** A version that comes after 1.0.0, which does not see what the other tests deploy. */
async function deployNext(version: Version, name: string, perSecond?: number): Promise<Pod> {
  const own = join(directory, name);
  await cp(stateDirectory, own, { recursive: true });
  return await deploy(version, { name, stateDirectory: own, ...(perSecond !== undefined && { perSecond }) });
}

/** Compared with the version before, once there is enough to compare. Each comparison is work: the pod is asked for what it has before. */
async function compared(pod: Pod, isEnough: (view: BaselineView) => boolean = () => true): Promise<RegressionCheck> {
  let seen = '';
  await waitFor(
    async () => {
      const view = await pod.json<BaselineView>('/baseline');
      seen = `${view.windows} windows, ${view.profileSamples} samples; ${view.message}`;
      return view.windows >= regressionTimes.lasting && isEnough(view);
    },
    { deadlineMs: 120_000, message: () => `windows to compare: ${seen}` },
  );
  return await pod.json<RegressionCheck>('/regressions/check');
}

/** How late the loop turns is the machine's doing as well: everything else is the program's. */
async function sentBy(pod: Pod): Promise<string[]> {
  const { regressions } = await pod.json<RegressionList>('/regressions?outcome=sent');
  return regressions.filter(({ metric }) => metric !== 'delay-p99').map(({ title }) => title);
}

test('the same program as a new version is silent, also when its requests double', { timeout: 300_000 }, async () => {
  await using pod = await deployNext(first, '1.0.1');
  await pod.profile();
  const check = await compared(pod, ({ profileSamples }) => profileSamples > 0);
  expect(check.comparisons[0]?.reference).toMatchObject({ kind: 'previous-version', version: '1.0.0' });
  expect(check.functions).toMatchObject({ beforeVersion: '1.0.0', afterVersion: '1.0.1' });
  expect(await sentBy(pod)).toEqual([]);

  await pod.order(2 * usualPerSecond);
  let seen = '';
  const doubled = await waitFor(
    async () => {
      const { regressions } = await pod.json<RegressionList>('/regressions');
      const { now, settled } = await pod.json<BaselineView>('/baseline');
      // A machine that has no time for twice the requests has no more CPU to explain.
      const load = `${now['load']?.toFixed(1)} requests/s of ${now['cpu-per-request']?.toFixed(1)} ms, ${settled?.measures['load']?.median.toFixed(1)} before`;
      seen = [load, ...regressions.map(({ title, outcome }) => `${outcome}: ${title}`)].join('; ');
      return regressions.find(({ metric, outcome }) => metric === 'cpu' && outcome === 'explained');
    },
    { deadlineMs: 120_000, message: () => `the load to explain the CPU: ${seen}` },
  );
  expect(doubled.load.ratio).toBeGreaterThan(1.5);
  expect(doubled.explanation).toMatch(/times the requests, each at the CPU it had$/);
  expect(await sentBy(pod)).toEqual([]);
});

test('a cold start without traffic is silent', { timeout: 150_000 }, async () => {
  await using pod = await deployNext(first, '1.0.2', 0);
  const check = await compared(pod);
  expect(check.comparisons[0]?.reference).toMatchObject({ kind: 'previous-version', version: '1.0.0' });
  expect(check.comparisons[0]?.measures.filter(({ verdict }) => verdict === 'worse')).toEqual([]);
  expect(await sentBy(pod)).toEqual([]);
});

test('a slower function is reported with its name and its original line', { timeout: 150_000 }, async () => {
  await using pod = await deployNext(slower, '2.0.0');
  let nextProfileMs = 0;
  let seen: string[] = [];
  const found = await waitFor(
    async () => {
      // One after the other, until there are samples enough to tell.
      if (performance.now() >= nextProfileMs) {
        await pod.profile();
        nextProfileMs = performance.now() + 4_000;
      }
      const { regressions } = await pod.json<RegressionList>('/regressions?outcome=sent');
      seen = regressions.flatMap(({ title, causes }) => [title, ...causes.map(({ text }) => text)]);
      return regressions.find(({ metric, causes }) => /^cpu/.test(metric) && causes[0]?.kind === 'function');
    },
    { deadlineMs: 120_000, message: () => `the regression; so far: ${seen.join('; ')}` },
  );
  const line = slower.lineOf('function renderPrices');
  expect(line).not.toBe(first.lineOf('function renderPrices'));
  expect(found).toMatchObject({
    state: 'open',
    service: { name: 'shop', version: '2.0.0' },
    reference: { kind: 'previous-version', isProvisional: false },
  });
  expect(found.causes.map(({ kind }) => kind)).toContain('version');
  expect(found.causes[0]).toMatchObject({ functionName: 'renderPrices', line });
  expect(found.causes[0]?.url).toMatch(/\/src\/prices\.ts$/);
  expect(found.change).toBeGreaterThan(0.5);
  const { alerts } = await pod.json<AlertList>('/alerts?problem=regression');
  const alert = alerts.find(({ key }) => key === found.metric);
  expect(alert?.facts).toMatchObject({ function: 'renderPrices', line, version: '2.0.0' });
  expect(alert?.evidence.map(({ name }) => name)).toEqual(expect.arrayContaining(['regression.json', 'functions.txt']));
  const check = await pod.json<RegressionCheck>('/regressions/check');
  const change = check.functions?.changes.find(({ functionName }) => functionName === 'renderPrices');
  expect(change).toMatchObject({ kind: 'changed', isSignificant: true });
});
