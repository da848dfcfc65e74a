import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { expect, it } from 'vitest';
import { SidescopeError } from '../../protocol/error.ts';
import { freePort } from '../support/free-port.ts';
import { startTarget } from '../support/target.ts';
import { waitFor } from '../support/wait-for.ts';
import { openDeaths, untilWatched } from './death-harness.ts';

async function scratch(): Promise<AsyncDisposable & { path: string }> {
  const path = await mkdtemp(join(tmpdir(), 'sidescope-deaths-'));
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) };
}

it('a run that ends while no agent watches is on record at the next start, and the stop of an agent is no death', async () => {
  await using folder = await scratch();
  const directory = folder.path;
  const execArgv = [`--inspect=127.0.0.1:${await freePort()}`];
  await using target = await startTarget('dies', { execArgv });
  {
    await using watched = await openDeaths([target.inspectorAddress], { directory });
    await watched.monitored.reading(({ error }) => error === null, 'a reading');
  }
  {
    // The same run, and another agent.
    await using watched = await openDeaths([target.inspectorAddress], { directory });
    await watched.monitored.reading(({ error }) => error === null, 'a reading');
    expect(watched.told).toEqual([]);
    expect(watched.deaths.list({}).deaths).toEqual([]);
  }
  target.kill();
  await target.exited;
  await using again = await startTarget('dies', { execArgv });
  await using watched = await openDeaths([again.inspectorAddress], { directory });
  const { deaths } = watched.deaths.list({});
  expect(deaths).toMatchObject([
    {
      cause: 'unknown',
      identity: { pid: target.pid },
      unknown: ['how it ended'],
      next: { instanceId: expect.stringContaining(`${again.pid}-`) as string },
    },
  ]);
  expect(deaths[0]?.summary).toMatch(/^ended while no agent watched, between /);
  expect(deaths[0]?.vitals.length).toBeGreaterThan(0);
  // What ended then is no news.
  expect(watched.raised).toEqual([]);
});

it('where /proc does not show the target, its death is on record when it does not come back', async () => {
  await using target = await startTarget('dies', { args: ['elsewhere'] });
  await using watched = await openDeaths([target.inspectorAddress], { unsureMs: 300 });
  await watched.monitored.reading(({ error }) => error === null, 'a reading');
  target.kill();
  const death = await watched.death('the record');
  expect(death).toMatchObject({ cause: 'killed', confidence: 'guess', signal: null, exitCode: null });
  // The watch for exceptions may have been on its way, which is another thing not known.
  expect(death.unknown).toContainEqual(expect.stringContaining('not in our PID namespace'));
});

it('where /proc does not show the target, the same run that comes back has not died, and another one tells of a death', async () => {
  const options = { args: ['elsewhere'], execArgv: [`--inspect=127.0.0.1:${await freePort()}`] };
  await using target = await startTarget('dies', options);
  await using watched = await openDeaths([target.inspectorAddress], { unsureMs: 60_000 });
  const { targets } = watched.monitored.harness;
  let attached = 0;
  targets.on('attached', () => attached++);
  await target.send('reopenInspector');
  await waitFor(() => attached === 1, { message: 'the same run again' });
  expect(watched.told).toEqual([]);
  target.kill();
  await target.exited;
  await using again = await startTarget('dies', options);
  const death = await waitFor(() => watched.told.find(({ next }) => next !== null), { message: 'the record' });
  expect(death).toMatchObject({
    identity: { pid: target.pid },
    next: { instanceId: expect.stringContaining(`${again.pid}-`) as string },
  });
});

it('a corrupt history is set aside, said, and made anew: the next death is on record', async () => {
  await using folder = await scratch();
  const directory = folder.path;
  await writeFile(join(directory, 'index.sqlite'), 'SQLite format 3\0 and then nothing that it could be'.repeat(200));
  await using target = await startTarget('dies');
  await using watched = await openDeaths([target.inspectorAddress], { directory });
  const { complaints } = watched.monitored.harness;
  expect(complaints).toMatchObject([
    { level: 'error', message: expect.stringContaining('the index is corrupt') as string },
  ]);
  await untilWatched(target);
  await target.send('exit');
  const death = await watched.death('the record');
  expect(watched.deaths.list({}).deaths).toEqual([death]);
});

it('a history that cannot be written when somebody dies costs the record and nothing else, and is said', async () => {
  await using first = await startTarget('dies');
  await using second = await startTarget('dies');
  let isFull = false;
  await using watched = await openDeaths([first.inspectorAddress, second.inspectorAddress], {
    beforeWrite: () => {
      if (isFull) throw new SidescopeError('disk-full', 'no space is left');
    },
  });
  await untilWatched(first);
  await untilWatched(second);
  isFull = true;
  await first.send('exit');
  const lost = await watched.death('the death that cannot be written');
  await waitFor(() => watched.raised.length > 0, { message: 'the alert' });
  expect(watched.raised).toMatchObject([{ problem: 'target-death', targetId: lost.targetId }]);
  expect(watched.complaints).toContainEqual('a death record could not be written: no space is left');
  expect(watched.deaths.list({}).deaths).toEqual([]);
  isFull = false;
  await second.send('exit');
  await waitFor(() => watched.told.length === 2, { message: 'the second death' });
  expect(watched.deaths.list({}).deaths).toEqual([watched.told[1]]);
});

it('a history that is open can be locked by nobody else', async () => {
  await using folder = await scratch();
  await using _opened = await openDeaths([], { directory: folder.path });
  using other = new DatabaseSync(join(folder.path, 'index.sqlite'), { timeout: 0 });
  expect(() => other.exec('BEGIN IMMEDIATE')).toThrow(/database is locked/);
});

it('a history that is locked by somebody else is refused by name, not overwritten', async () => {
  await using folder = await scratch();
  {
    await using target = await startTarget('dies');
    await using _made = await openDeaths([target.inspectorAddress], { directory: folder.path });
  }
  using locked = new DatabaseSync(join(folder.path, 'index.sqlite'));
  locked.exec('BEGIN EXCLUSIVE');
  await expect(openDeaths([], { directory: folder.path })).rejects.toMatchObject({
    code: expect.stringMatching(/^(storage-failed|data-directory-(locked|unusable))$/) as string,
  });
});
