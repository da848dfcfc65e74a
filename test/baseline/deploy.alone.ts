import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { AlertList } from '../../protocol/rest/alerts.ts';
import type { BaselineView } from '../../protocol/rest/baseline.ts';
import type { Operation } from '../../protocol/rest/operation.ts';
import type { RegressionCheck, RegressionList } from '../../protocol/rest/regressions.ts';
import { apiPath } from '../../protocol/rest/routes.ts';
import { openAgent, type RunningAgent } from '../support/agent.ts';
import { startTarget, type RunningTarget } from '../support/target.ts';
import { waitFor } from '../support/wait-for.ts';
import { buildVersion, type Version } from './deploy.ts';

const regressionTimes = { windowMs: 1_200, warmUp: 1, provisional: 2, settled: 5, lasting: 3 };

interface Pod extends AsyncDisposable {
  json<T>(path: string, method?: string): Promise<T>;
}

/** A target and an agent of its own, with storage of its own; only the state directory is shared. */
async function deploy(
  version: Version,
  { name, stateDirectory }: { name: string; stateDirectory: string },
): Promise<Pod> {
  await using stack = new AsyncDisposableStack();
  const target: RunningTarget = stack.use(
    // What V8 optimised before a profile began counts for a caller, as far up as listOnTimeout: here each function shall count for itself.
    await startTarget(version.main, { execArgv: ['--inspect=127.0.0.1:0', '--no-opt', '--no-maglev'] }),
  );
  const args = ['--state-url', `file://${stateDirectory}`, '--service-name', 'shop', '--service-version', name];
  const agent: RunningAgent = stack.use(
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
  await waitFor(async () => (await json<Operation>('/cpu/start?duration=4000', 'POST')).state !== undefined, {
    message: `version ${name} to be profiled`,
  });
  const moved = stack.move();
  return { json, [Symbol.asyncDispose]: () => moved.disposeAsync() };
}

test(
  'a new version with a slower function is reported with its name and original line, an unchanged one is not',
  { timeout: 240_000 },
  async () => {
    const stateDirectory = await mkdtemp(join(tmpdir(), 'sidescope-state-'));
    await using cleanup = new AsyncDisposableStack();
    cleanup.defer(() => rm(stateDirectory, { recursive: true, force: true }));
    await using first = await buildVersion('3fa9c2d1');
    await using slower = await buildVersion('b81e77c0', (source) =>
      source
        .replace('pricesRounds = 1', 'pricesRounds = 2')
        .replace('const prices', '\n// Prices with taxes.\nconst prices'),
    );

    {
      await using pod = await deploy(first, { name: '1.0.0', stateDirectory });
      const settled = await waitFor(
        async () => {
          const view = await pod.json<BaselineView>('/baseline');
          return view.state === 'settled' && view.profileSamples > 0 ? view : undefined;
        },
        { deadlineMs: 60_000, message: 'version 1.0.0 to settle' },
      );
      expect(settled).toMatchObject({ service: { name: 'shop', version: '1.0.0' }, previous: null });
      expect(settled.previousMessage).toBe(`no previous version: storage is new (${stateDirectory})`);
    }

    {
      await using pod = await deploy(first, { name: '1.0.1', stateDirectory });
      const check = await waitFor(
        async () => {
          const answer = await pod.json<RegressionCheck>('/regressions/check');
          return answer.functions !== null && answer.comparisons.length > 0 ? answer : undefined;
        },
        { deadlineMs: 60_000, message: 'version 1.0.1 to be compared' },
      );
      expect(check.comparisons[0]?.reference).toMatchObject({ kind: 'previous-version', version: '1.0.0' });
      expect(check.functions).toMatchObject({ beforeVersion: '1.0.0', afterVersion: '1.0.1' });
      // How late the loop turns is the machine's doing as well.
      const { regressions } = await pod.json<RegressionList>('/regressions?outcome=sent');
      expect(regressions.filter(({ metric }) => metric !== 'delay-p99')).toEqual([]);
    }

    await using pod = await deploy(slower, { name: '2.0.0', stateDirectory });
    let seen = '';
    const found = await waitFor(
      async () => {
        seen = JSON.stringify(await pod.json<RegressionCheck>('/regressions/check'));
        const { regressions } = await pod.json<RegressionList>('/regressions?outcome=sent');
        return regressions.find(({ metric, causes }) => metric === 'cpu' && causes[0]?.kind === 'function');
      },
      { deadlineMs: 60_000, message: () => `the regression; compared: ${seen}` },
    );
    const line = slower.lineOf('function renderPrices');
    expect(line).not.toBe(first.lineOf('function renderPrices'));
    expect(found).toMatchObject({
      state: 'open',
      service: { name: 'shop', version: '2.0.0' },
      reference: { kind: 'previous-version', isProvisional: false },
      causes: [{ functionName: 'renderPrices', line }, { kind: 'version' }],
    });
    expect(found.causes[0]?.url).toMatch(/\/src\/prices\.ts$/);
    expect(found.change).toBeGreaterThan(0.5);
    const { alerts } = await pod.json<AlertList>('/alerts?problem=regression');
    const alert = alerts.find(({ key }) => key === 'cpu');
    expect(alert?.facts).toMatchObject({ function: 'renderPrices', line, version: '2.0.0' });
    expect(alert?.evidence.map(({ name }) => name)).toEqual(
      expect.arrayContaining(['regression.json', 'functions.txt']),
    );
    const check = await pod.json<RegressionCheck>('/regressions/check');
    expect(check.functions?.changes[0]).toMatchObject({
      functionName: 'renderPrices',
      kind: 'changed',
      isSignificant: true,
    });
  },
);
