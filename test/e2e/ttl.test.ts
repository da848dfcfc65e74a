import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { readListeningSockets, socketInodes } from '../../agent/attach/listening-sockets.ts';
import type { Operation } from '../../protocol/rest/operation.ts';
import type { Profile } from '../../protocol/rest/profile.ts';
import { startAgentProcess, untilAttached } from '../support/agent-process.ts';
import { isAlive } from '../support/is-alive.ts';
import { startTarget } from '../support/target.ts';
import { waitFor } from '../support/wait-for.ts';

it('the end of --ttl in a capture keeps what was sampled, and leaves nothing in the targets', async () => {
  await using watched = await startTarget('counts-probes', { execArgv: ['--inspect=127.0.0.1:0', '--expose-gc'] });
  await using opened = await startTarget('never-prepared', { execArgv: ['--debug-port=0'] });
  const dataDirectory = await mkdtemp(join(tmpdir(), 'sidescope-ttl-'));
  await using _cleanUp = { [Symbol.asyncDispose]: () => rm(dataDirectory, { recursive: true, force: true }) };
  {
    const targets = [watched.inspectorAddress, `pid:${opened.pid}`];
    await using agent = await startAgentProcess({ targets, dataDirectory, args: ['--ttl', '6s'] });
    await untilAttached(agent);
    await untilAttached(agent, { index: 1 });
    for (const { id } of (await agent.json<{ targets: { id: string }[] }>('/targets')).targets) {
      const started = await agent.json<Operation>(`/cpu/start?duration=600000&target=${id}`, { method: 'POST' });
      await agent.operation(started.id, ({ progress }) => progress.phase === 'sampling');
    }
    expect(await agent.exited).toEqual({ code: 0, signal: null });
  }
  const listening = await readListeningSockets(opened.pid);
  const inodes = await socketInodes(opened.pid);
  expect(listening.filter(({ inode }) => inodes?.has(inode) === true)).toEqual([]);
  expect(isAlive(opened.pid)).toBe(true);
  const left = async (): Promise<boolean> => {
    const { length } = watched.stdout;
    await watched.send('?');
    return waitFor(() => /^probes \d+ (\d+)$/m.exec(watched.stdout.slice(length)), { message: 'the count' }).then(
      ([, count]) => count === '0',
    );
  };
  await waitFor(left, { message: 'nothing of the probe left' });
  await using later = await startAgentProcess({ targets: ['127.0.0.1:1'], dataDirectory });
  const { profiles } = await later.json<{ profiles: Profile[] }>('/profiles');
  const facts = profiles.map(({ kind, complete, incompleteReason }) => ({ kind, complete, incompleteReason }));
  const stopped = {
    kind: 'cpu',
    complete: false,
    incompleteReason: expect.stringContaining('the agent was stopped') as string,
  };
  expect(facts).toEqual([stopped, stopped]);
});
