import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import type { Operation } from '../../protocol/rest/operation.ts';
import type { Profile } from '../../protocol/rest/profile.ts';
import { startAgentProcess, untilAttached, type AgentProcess } from '../support/agent-process.ts';
import { startTarget } from '../support/target.ts';

interface ProfileList {
  readonly profiles: Profile[];
}

const start = (agent: AgentProcess, path: string): Promise<Operation> =>
  agent.json<Operation>(path, { method: 'POST' });

it('an agent killed in the middle of a snapshot leaves no half file, a failed operation and a living target', async () => {
  await using target = await startTarget('big-heap', { args: ['60'] });
  const dataDirectory = await mkdtemp(join(tmpdir(), 'sidescope-killed-'));
  await using _cleanUp = { [Symbol.asyncDispose]: () => rm(dataDirectory, { recursive: true, force: true }) };
  let id = '';
  {
    await using agent = await startAgentProcess({ targets: [target.inspectorAddress], dataDirectory });
    await untilAttached(agent);
    await agent.request('/cpu/start?duration=200&wait=true', { method: 'POST' });
    ({ id } = await start(agent, '/heap/snapshot?force=true'));
    await agent.operation(id, ({ progress }) => progress.phase === 'receiving');
    agent.kill('SIGKILL');
    await agent.exited;
  }
  await using agent = await startAgentProcess({ targets: [target.inspectorAddress], dataDirectory });
  expect(await agent.json<Operation>(`/operations/${id}`)).toMatchObject({
    state: 'failed',
    error: { code: 'agent-restarted' },
    profileIds: [],
  });
  const { profiles } = await agent.json<ProfileList>('/profiles');
  expect(profiles.map(({ kind }) => kind)).toEqual(['cpu']);
  expect(await readdir(join(dataDirectory, 'tmp'))).toEqual([]);
  const text = await (await agent.request(`/profiles/${profiles[0]?.id}/download`)).text();
  expect(JSON.parse(text)).toHaveProperty('samples');
  await untilAttached(agent);
  const again = await start(agent, '/cpu/start?duration=200&wait=true');
  expect(again.state).toBe('succeeded');
});

it.each([18, 24])(
  'a target on Node %i exits as if it were alone after its agent was killed while profiling',
  async (node) => {
    await using target = await startTarget('exits-while-profiled', { node });
    {
      await using agent = await startAgentProcess({ targets: [target.inspectorAddress] });
      await untilAttached(agent);
      const { id } = await start(agent, '/cpu/start?duration=60000');
      await agent.operation(id, ({ progress }) => progress.phase === 'sampling');
      agent.kill('SIGKILL');
      await agent.exited;
    }
    await target.send('exit');
    expect(await target.exited).toMatchObject({ code: 7, signal: null });
  },
);

it('a disk that fills up in the middle of a snapshot gives an error with its reason; small captures go on', async () => {
  await using target = await startTarget('big-heap', { args: ['60'] });
  await using agent = await startAgentProcess({
    targets: [target.inspectorAddress],
    mount: 'mkdir -p "$DATA"; mount -t tmpfs -o size=8m tmpfs "$DATA"',
    args: ['--disk-budget', '1GiB'],
  });
  await untilAttached(agent);
  const snapshot = await start(agent, '/heap/snapshot?force=true');
  const operation = await agent.operation(snapshot.id, ({ endedAt }) => endedAt !== null);
  expect(operation).toMatchObject({ state: 'failed', profileIds: [] });
  expect(operation.error?.code).toMatch(/^disk-(full|budget)$/);
  const cpu = await start(agent, '/cpu/start?duration=200&wait=true');
  expect(cpu).toMatchObject({ state: 'succeeded', error: null });
  const { profiles } = await agent.json<ProfileList>('/profiles');
  expect(profiles.map(({ kind }) => kind)).toEqual(['cpu']);
});

it('a download goes on where it was cut, and the artifact cannot be deleted meanwhile', async () => {
  await using target = await startTarget('big-heap', { args: ['20'] });
  await using agent = await startAgentProcess({ targets: [target.inspectorAddress] });
  await untilAttached(agent);
  const { profileIds } = await start(agent, '/heap/snapshot?force=true&wait=true');
  const path = `/profiles/${profileIds[0]}/download`;
  const whole = Buffer.from(
    await (await agent.request(path, { headers: { 'accept-encoding': 'identity' } })).arrayBuffer(),
  );
  const cut = new AbortController();
  const first = await agent.request(path, { headers: { 'accept-encoding': 'identity' }, signal: cut.signal });
  const etag = first.headers.get('etag') ?? '';
  const reader = first.body?.getReader();
  const head = Buffer.from((await reader?.read())?.value ?? []);
  expect((await agent.request(`/profiles/${profileIds[0]}`, { method: 'DELETE' })).status).toBe(409);
  cut.abort();
  const rest = await agent.request(path, {
    headers: { range: `bytes=${head.length}-`, 'if-range': etag, 'accept-encoding': 'identity' },
  });
  expect(rest.status).toBe(206);
  expect(Buffer.concat([head, Buffer.from(await rest.arrayBuffer())]).equals(whole)).toBe(true);
});
