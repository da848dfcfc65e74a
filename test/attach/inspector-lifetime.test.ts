import { describe, expect, it } from 'vitest';
import { readListeningSockets, socketInodes } from '../../agent/attach/listening-sockets.ts';
import type { Info } from '../../protocol/rest/info.ts';
import type { Operation } from '../../protocol/rest/operation.ts';
import type { Stacks } from '../../protocol/rest/stacks.ts';
import type { Target } from '../../protocol/rest/target.ts';
import { openAgent, type RunningAgent } from '../support/agent.ts';
import { isAlive } from '../support/is-alive.ts';
import { startTarget } from '../support/target.ts';
import { waitFor } from '../support/wait-for.ts';

async function ask<T>({ url, token }: RunningAgent, path: string, method = 'GET'): Promise<T> {
  const headers = { authorization: `Bearer ${token}` };
  const response = await fetch(`${url}/api/v1/profiling${path}`, { method, headers });
  return (await response.json()) as T;
}

async function listens(pid: number): Promise<boolean> {
  const [listening, inodes] = await Promise.all([readListeningSockets(pid), socketInodes(pid)]);
  return listening.some(({ inode }) => inodes?.has(inode) === true);
}

const onlyTarget = async (agent: RunningAgent): Promise<Target | undefined> =>
  (await ask<{ targets: Target[] }>(agent, '/targets')).targets[0];

async function untilState(agent: RunningAgent, state: Target['state']['state']): Promise<void> {
  let seen: Target | undefined;
  const isReached = async (): Promise<boolean> => (seen = await onlyTarget(agent))?.state.state === state;
  await waitFor(isReached, { message: () => `the target ${state}; it is ${JSON.stringify(seen?.state)}` });
}

const capture = ['--inspector-lifetime', 'capture'];
/** Any free port, so that tests that run at the same time do not meet at 9229. */
const unprepared = { execArgv: ['--debug-port=0'] };

describe.concurrent.each([18, 24])('with --inspector-lifetime capture on Node %i', (node) => {
  it('the inspector is open during a capture and closed before and after, more than once', async () => {
    await using target = await startTarget('never-prepared', { node, ...unprepared });
    await using agent = await openAgent({ targets: [`pid:${target.pid}`], args: capture });
    await untilState(agent, 'standby');
    expect(await listens(target.pid)).toBe(false);
    for (let round = 0; round < 2; round++) {
      const operation = await ask<Operation>(agent, '/cpu/start?duration=400&wait=true', 'POST');
      expect(operation).toMatchObject({ state: 'succeeded', error: null });
      await untilState(agent, 'standby');
      expect(await listens(target.pid)).toBe(false);
    }
    const { threads } = await ask<Stacks>(agent, '/stacks', 'POST');
    expect(threads).toMatchObject([{ thread: 'main', state: 'idle' }]);
    await untilState(agent, 'standby');
    expect(await listens(target.pid)).toBe(false);
    expect(isAlive(target.pid)).toBe(true);
    expect(target.stderr.match(/Debugger listening/g)).toHaveLength(3);
    const metrics = await (await fetch(`${agent.opsUrl}/metrics`)).text();
    expect(Number(/^sidescope_inspector_open_seconds_total\{[^}]*\} (\S+)$/m.exec(metrics)?.[1])).toBeGreaterThan(0.8);
  });

  it('what keeps it from being opened is the answer', async () => {
    await using target = await startTarget('never-prepared', { node, ...unprepared });
    await using agent = await openAgent({ targets: [`pid:${target.pid}`], args: capture });
    await untilState(agent, 'standby');
    await target.send({ deed: 'waitForChild', seconds: 60 });
    await waitFor(async () => (await ask<{ code?: string }>(agent, '/stacks', 'POST')).code === 'native-call', {
      message: 'the refusal to signal a process in a system call',
    });
    expect(await listens(target.pid)).toBe(false);
  });
});

describe.concurrent('with --inspector-lifetime', () => {
  it('capture: vitals and stall watch are off, and say why and what to set', async () => {
    await using target = await startTarget('never-prepared', unprepared);
    await using agent = await openAgent({ targets: [`pid:${target.pid}`], args: capture });
    await untilState(agent, 'standby');
    const { features } = await ask<Info>(agent, '/info');
    const remedy = 'Set --inspector-lifetime always.';
    const reason = expect.stringContaining('its inspector is open during captures only') as string;
    for (const name of ['vitals', 'stall-watch'])
      expect(features).toContainEqual({ name, state: 'off', reason, remedy });
    expect(await ask(agent, '/memory/stats')).toMatchObject({ code: 'target-not-attached' });
    expect(await ask(agent, '/vitals')).toMatchObject({ points: [], latest: null });
  });

  it('always, the default, has vitals and stall watch, and stacks say how long a turn lasts', async () => {
    await using target = await startTarget('computes', unprepared);
    await using agent = await openAgent({ targets: [`pid:${target.pid}`] });
    await untilState(agent, 'attached');
    await target.send({ loop: 60_000 });
    const stuck = await waitFor(
      async () => {
        const [main] = (await ask<Stacks>(agent, '/stacks', 'POST')).threads;
        return main !== undefined && (main.turnMs ?? 0) > 100 && main;
      },
      { message: 'a turn of 100 ms' },
    );
    expect(stuck.summary).toMatch(/loopUntil \(computes\.cjs:\d+\), its event loop in one turn for \d+\.\d s$/);
    for (const name of ['vitals', 'stall-watch'])
      expect(agent.agent.features()).toContainEqual({ name, state: 'on', reason: null, remedy: null });
  });

  it('capture: an inspector that was open before is used as always, and the end of the process is seen', async () => {
    await using target = await startTarget('never-prepared');
    await using agent = await openAgent({ targets: [`pid:${target.pid}`], args: capture });
    await untilState(agent, 'attached');
    expect(agent.agent.features()).toContainEqual({ name: 'vitals', state: 'on', reason: null, remedy: null });
    target.kill();
    await waitFor(async () => (await onlyTarget(agent))?.state.state !== 'attached', { message: 'its end' });
  });

  it('capture: a capture that the process does not outlive is kept as far as it came', async () => {
    await using target = await startTarget('exits-while-profiled', unprepared);
    await using agent = await openAgent({ targets: [`pid:${target.pid}`], args: capture });
    await untilState(agent, 'standby');
    const { id } = await ask<Operation>(agent, '/cpu/start?duration=60000', 'POST');
    const operation = (): Promise<Operation> => ask<Operation>(agent, `/operations/${id}`);
    await waitFor(async () => (await operation()).progress.phase === 'sampling', { message: 'sampling' });
    await target.send('exit');
    expect(await target.exited).toMatchObject({ code: 7, signal: null });
    await waitFor(async () => (await operation()).state === 'partial', { message: 'the partial profile' });
    await untilState(agent, 'connecting');
    expect((await onlyTarget(agent))?.state).toMatchObject({ lastFailure: { code: 'no-such-process' } });
  });

  it('capture: the agent that stops in a capture closes it', async () => {
    await using target = await startTarget('never-prepared', unprepared);
    {
      await using agent = await openAgent({ targets: [`pid:${target.pid}`], args: capture });
      await untilState(agent, 'standby');
      const { id } = await ask<Operation>(agent, '/cpu/start?duration=60000', 'POST');
      await waitFor(async () => (await ask<Operation>(agent, `/operations/${id}`)).progress.phase === 'sampling', {
        message: 'sampling',
      });
    }
    expect(await listens(target.pid)).toBe(false);
    expect(isAlive(target.pid)).toBe(true);
  });
});
