import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { freePort } from '../support/free-port.ts';
import { startTarget } from '../support/target.ts';
import { waitFor } from '../support/wait-for.ts';
import { openHarness } from '../capture/harness.ts';
import { ExitWatch } from '../../agent/memory/exit-watch.ts';
import { growUntilSampled, openDeaths, untilWatched } from './death-harness.ts';

/** The kernel's word of a zombie is read where its parent, which is this process here, has not read it before us. */
const seenOrNot = (value: string | number): unknown => expect.toSatisfy((seen) => seen === value || seen === null);

describe.concurrent.each([18, 20, 22, 24, 26])('a target on Node %i', (node) => {
  it.each([
    ['exit', { cause: 'exit', confidence: 'certain', exitCode: 3, summary: 'exited by itself with code 3' }, 'warning'],
    ['natural', { cause: 'exit', exitCode: seenOrNot(0), error: null }, undefined],
    [
      'uncaught',
      {
        cause: 'uncaught-exception',
        confidence: 'certain',
        exitCode: 1,
        error: { origin: 'uncaughtException', name: 'RangeError', message: 'too far' },
      },
      'critical',
    ],
    [
      'rejection',
      { cause: 'uncaught-exception', exitCode: 1, error: { origin: 'unhandledRejection', name: 'TypeError' } },
      'critical',
    ],
    ['handled', { cause: 'uncaught-exception', exitCode: 9, error: { message: 'handled' } }, 'critical'],
    ['abort', { cause: expect.stringMatching(/crashed|killed/) as string, exitCode: null }, expect.anything()],
  ] as const)('that dies by %s leaves a record that says so', async (way, record, severity) => {
    await using target = await startTarget('dies', { node });
    await using watched = await openDeaths([target.inspectorAddress]);
    await watched.monitored.reading(({ error }) => error === null, 'a reading');
    await untilWatched(target);
    await target.send(way);
    const death = await watched.death(`the record of ${way}`);
    expect(death).toMatchObject(record);
    expect(death).toMatchObject({ identity: { pid: target.pid }, next: null });
    expect(death.lastReading?.memory.heapUsedBytes).toBeGreaterThan(1e6);
    if (death.error !== null) expect(death.error.stack).toMatch(/dies\.cjs:\d+:\d+/);
    expect(watched.raised.map((condition) => condition.severity)).toEqual(severity === undefined ? [] : [severity]);
    expect(watched.deaths.list({}).deaths).toEqual([death]);
    expect(watched.complaints).toEqual([]);
  });
});

it.each(['SIGKILL', 'SIGTERM'] as const)('a signal from outside: %s without a handler is no crash', async (signal) => {
  await using target = await startTarget('dies');
  await using watched = await openDeaths([target.inspectorAddress]);
  await watched.monitored.reading(({ error }) => error === null, 'a reading');
  target.kill(signal);
  const death = await watched.death('the record');
  expect(death).toMatchObject({ cause: 'killed', exitCode: null, signal: seenOrNot(signal) });
  expect(death.evidence[0]).toBe('the inspector connection was cut without the exit event');
  expect(death.unknown.length).toBeGreaterThan(0);
  expect(await target.exited).toMatchObject({ signal });
});

it.concurrent.each([18, 24])(
  'V8 out of memory on Node %i names the pool, the limit and the site',
  { timeout: 60_000 },
  async (node) => {
    await using target = await startTarget('dies', {
      node,
      execArgv: ['--inspect=127.0.0.1:0', '--max-old-space-size=160', '--expose-gc'],
    });
    await using watched = await openDeaths([target.inspectorAddress]);
    await watched.monitored.reading(({ memory }) => memory.heapLimitBytes !== null, 'a reading with the limit');
    await growUntilSampled(target, watched, 'fill');
    await target.send('memory');
    const death = await watched.death('the record');
    expect(death).toMatchObject({
      cause: 'v8-out-of-memory',
      exitCode: null,
      signal: seenOrNot('SIGABRT'),
      memory: { pool: 'heap', limit: { pool: 'heap' } },
    });
    expect(death.memory.grownBytes).toBeGreaterThan(10e6);
    expect(death.sampling?.sites[0], `${watched.warnings.join('; ')}; ${death.evidence.join('; ')}`).toMatchObject({
      functionName: 'hoard',
      url: expect.stringContaining('dies.cjs') as string,
    });
    const [alert] = watched.raised.filter(({ problem }) => problem === 'target-death');
    expect(alert).toMatchObject({ severity: 'critical', key: 'v8-out-of-memory', facts: { pool: 'heap' } });
    // And a stall, where the last collections took long.
    expect(alert?.evidence?.map(({ name }) => name)).toEqual(expect.arrayContaining(['sites.txt', 'vitals.txt']));
    expect(alert?.text).toMatch(/Allocated by hoard \(.*dies\.cjs:\d+\)/);
  },
);

it('the next run of the target closes the record and its alert', async () => {
  const execArgv = [`--inspect=127.0.0.1:${await freePort()}`];
  await using target = await startTarget('dies', { execArgv });
  await using watched = await openDeaths([target.inspectorAddress]);
  await untilWatched(target);
  await target.send('uncaught');
  const death = await watched.death('the record');
  await target.exited;
  await using again = await startTarget('dies', { execArgv });
  const closed = await waitFor(() => watched.told.find(({ next }) => next !== null), { message: 'the run after it' });
  expect(closed).toMatchObject({
    id: death.id,
    next: { instanceId: expect.stringContaining(`${again.pid}-`) as string },
  });
  expect(watched.settled).toMatchObject([{ problem: 'target-death', key: 'uncaught-exception' }]);
  expect(watched.deaths.list({}).deaths).toHaveLength(1);
});

it('an inspector that the target closes, and our own leaving, are no deaths', async () => {
  await using target = await startTarget('dies');
  {
    await using watched = await openDeaths([target.inspectorAddress]);
    await untilWatched(target);
    await target.send('closeInspector');
    await waitFor(() => watched.monitored.harness.targets.list()[0]?.state.state !== 'attached', {
      message: 'the cut',
    });
    await delay(0);
    expect(watched.told).toEqual([]);
  }
  await target.send('abort');
  await target.exited;
});

it.concurrent.each([18, 24, 26])('its listener in Node %i goes with a connection that is cut', async (node) => {
  await using target = await startTarget('dies', { node, execArgv: ['--inspect=127.0.0.1:0', '--expose-gc'] });
  {
    await using harness = await openHarness([target.inspectorAddress]);
    const [{ id, identity } = {}] = harness.targets.list();
    if (id === undefined || !identity) throw new Error('no target');
    // Never disposed, as when the agent is killed.
    void new ExitWatch({ attachment: harness.targets.watcher(id).attachment, identity });
    await untilWatched(target);
  }
  await waitFor(
    async () => {
      await target.send('collect');
      return target.stdout.includes('listeners 0');
    },
    { message: () => `the listener to be collected: ${target.stdout}` },
  );
});

it('takes its listener out of the target when it leaves', async () => {
  await using target = await startTarget('dies');
  {
    await using _watched = await openDeaths([target.inspectorAddress]);
    await untilWatched(target);
  }
  await target.send('listeners');
  await target.waitForOutput(/^listeners 0$/m);
});
