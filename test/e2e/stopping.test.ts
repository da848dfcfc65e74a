import { execFileSync } from 'node:child_process';
import { closeSync, constants, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import type { Operation } from '../../protocol/rest/operation.ts';
import type { Profile } from '../../protocol/rest/profile.ts';
import { startAgentProcess, untilAttached } from '../support/agent-process.ts';
import type { AgentProcess } from '../support/agent-process.ts';
import { copyBundle } from '../support/bundle-process.ts';
import { startTarget } from '../support/target.ts';
import { waitFor } from '../support/wait-for.ts';

const start = (agent: AgentProcess, path: string): Promise<Operation> =>
  agent.json<Operation>(path, { method: 'POST' });

interface Kept {
  readonly profile: Profile;
  readonly operation: Operation | undefined;
}

/** What the next agent finds in the data directory. */
async function foundLater(dataDirectory: string, operationId: string): Promise<Kept[]> {
  await using agent = await startAgentProcess({ targets: ['127.0.0.1:1'], dataDirectory });
  const { profiles } = await agent.json<{ profiles: Profile[] }>('/profiles');
  const { operations } = await agent.json<{ operations: Operation[] }>('/operations');
  const operation = operations.find(({ id }) => id === operationId);
  return profiles.map((profile) => ({ profile, operation }));
}

test('SIGTERM keeps the CPU profile that runs, and its target ends later as if it were alone', async () => {
  await using target = await startTarget('handles-sigterm');
  const dataDirectory = temporaryDirectory();
  await using agent = await startAgentProcess({ targets: [target.inspectorAddress], dataDirectory });
  await untilAttached(agent);
  const { id } = await start(agent, '/cpu/start?duration=600000');
  await agent.operation(id, ({ progress }) => progress.phase === 'sampling');
  agent.kill('SIGTERM');
  expect(await agent.exited).toEqual({ code: 0, signal: null });
  const [kept, ...more] = await foundLater(dataDirectory, id);
  expect(more).toEqual([]);
  expect(kept?.profile).toMatchObject({ kind: 'cpu', complete: false });
  target.kill('SIGTERM');
  expect(await target.exited).toMatchObject({ code: 0, signal: null });
});

test('SIGTERM lets a snapshot finish, and its target ends later as if it were alone', async () => {
  await using target = await startTarget('big-heap', { args: ['40'] });
  const dataDirectory = temporaryDirectory();
  await using agent = await startAgentProcess({ targets: [target.inspectorAddress], dataDirectory });
  await untilAttached(agent);
  const { id } = await start(agent, '/heap/snapshot?force=true');
  await agent.operation(id, ({ state, progress }) => state === 'running' && progress.phase !== '');
  agent.kill('SIGTERM');
  expect(await agent.exited).toEqual({ code: 0, signal: null });
  const [kept] = await foundLater(dataDirectory, id);
  expect(kept?.profile).toMatchObject({ kind: 'heap-snapshot', complete: true });
  target.kill('SIGTERM');
  expect(await target.exited).toMatchObject({ code: null, signal: 'SIGTERM' });
});

test('a second SIGTERM does not wait for the snapshot: nothing half is kept, and the target goes on', async () => {
  await using target = await startTarget('big-heap', { args: ['80'] });
  const dataDirectory = temporaryDirectory();
  await using agent = await startAgentProcess({ targets: [target.inspectorAddress], dataDirectory });
  await untilAttached(agent);
  const { id } = await start(agent, '/heap/snapshot?force=true');
  await agent.operation(id, ({ state }) => state === 'running');
  agent.kill('SIGTERM');
  await waitFor(() => agent.log.includes('"msg":"stopping'), { message: 'the agent to notice the first signal' });
  agent.kill('SIGTERM');
  expect(await agent.exited).toEqual({ code: 0, signal: null });
  expect(await foundLater(dataDirectory, id)).toEqual([]);
  expect(await readdir(join(dataDirectory, 'tmp'))).toEqual([]);
  await using next = await startAgentProcess({ targets: [target.inspectorAddress] });
  // V8 cannot be told to stop: the target is back when its pause is over.
  await untilAttached(next, { deadlineMs: 25_000 });
  expect(await start(next, '/cpu/start?duration=100&wait=true')).toMatchObject({ state: 'succeeded' });
});

test('SIGTERM during the start ends the agent when it has started, and nothing stays locked', async () => {
  await using bundle = await copyBundle();
  const home = await bundle.directory();
  const config = join(home, 'config.yaml');
  execFileSync('mkfifo', [config]);
  const args = ['--admin-address', '127.0.0.1:0', '--ops-address', 'off', '--data-dir', join(home, 'data')];
  await using agent = bundle.start({ args: [...args, '--config', config] });
  // Succeeds as soon as the agent waits for its configuration.
  const pipe = await waitFor(() => openSync(config, constants.O_WRONLY | constants.O_NONBLOCK), {
    message: () => `the agent to read its config file: ${agent.log}`,
  });
  agent.kill('SIGTERM');
  writeSync(pipe, 'capture-queue: 3\n');
  closeSync(pipe);
  expect(await agent.exited).toEqual({ code: 0, signal: null });
  expect(agent.log).toContain('"why":"SIGTERM"');
  await using next = bundle.start({ args });
  await next.logged(/sidescope is ready/);
  expect(next.log).not.toContain('data-directory-locked');
});

test('--ttl ends the agent by itself: what runs is saved, the end is on /info', async () => {
  await using target = await startTarget('forever');
  const dataDirectory = temporaryDirectory();
  await using agent = await startAgentProcess({
    targets: [target.inspectorAddress],
    dataDirectory,
    args: ['--ttl', '5s'],
  });
  await untilAttached(agent);
  const info = await agent.json<{ startedAt: string; endsAt: string | null }>('/info');
  expect(Date.parse(info.endsAt ?? '') - Date.parse(info.startedAt)).toBe(5000);
  const { id } = await start(agent, '/cpu/start?duration=600000');
  expect(await agent.exited).toEqual({ code: 0, signal: null });
  expect(agent.log).toContain('"why":"--ttl is over"');
  const [kept] = await foundLater(dataDirectory, id);
  expect(kept?.profile).toMatchObject({ kind: 'cpu', complete: false });
});

test('no credential reaches the log, at its most talkative and whatever is asked', async () => {
  await using target = await startTarget('forever');
  const dataDirectory = temporaryDirectory();
  await using agent = await startAgentProcess({
    targets: [target.inspectorAddress],
    dataDirectory,
    args: ['--log-level', 'trace'],
  });
  await untilAttached(agent);
  await using bundle = await copyBundle();
  const minted = await bundle.run({ args: ['token', '--data-dir', dataDirectory] });
  const [second = ''] = minted.stdout.split('\n');
  const guess = 'sst_guessed-by-somebody-0123456789';
  for (const token of [second, guess]) await agent.request('/info', { headers: { authorization: `Bearer ${token}` } });
  // As people do by mistake.
  await agent.request(`/info?token=${agent.token}`);
  await agent.request(`/info/${second}`);
  await agent.request('/info', { headers: { host: second } }).catch(() => undefined);
  const { profileIds } = await start(agent, '/cpu/start?duration=100&wait=true');
  const { url } = await agent.json<{ url: string }>(`/profiles/${profileIds[0]}/ticket`, { method: 'POST' });
  const ticket = new URL(url, agent.api).searchParams.get('ticket') ?? '';
  expect((await fetch(new URL(url, agent.api))).status).toBe(200);
  await fetch(new URL(url.replace(ticket, `${ticket}x`), agent.api));
  agent.kill('SIGTERM');
  await agent.exited;
  expect(agent.log).toContain('mint-token');
  for (const secret of [agent.token, second, guess, ticket]) {
    expect(secret.length).toBeGreaterThan(20);
    expect(agent.log.split('\n').filter((line) => line.includes(secret))).toEqual([]);
  }
  const files = await readdir(dataDirectory, { recursive: true, withFileTypes: true });
  for (const file of files.filter((entry) => entry.isFile())) {
    const text = await readFile(join(file.parentPath, file.name), 'latin1');
    expect(text.includes(second), file.name).toBe(false);
  }
});

function temporaryDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), 'sidescope-stopping-'));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true, maxRetries: 5 }));
  return directory;
}
