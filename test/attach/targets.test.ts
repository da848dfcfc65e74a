import { describe, expect, it } from 'vitest';
import { parseInspectorAddress } from '../../agent/attach/address.ts';
import { Targets } from '../../agent/attach/targets.ts';
import { freePort } from '../support/free-port.ts';
import { startFakeInspector, type FakeInspectorOptions } from '../support/fake-inspector.ts';
import { nodeVersions } from '../support/node-versions.ts';
import { startRecordingProxy } from '../support/recording-proxy.ts';
import { startTarget } from '../support/target.ts';
import { waitFor } from '../support/wait-for.ts';

function watch(...addresses: string[]): Targets {
  const targets = new Targets(addresses.map(parseInspectorAddress), { random: () => 0.5 });
  targets.start();
  return targets;
}

const attached = (targets: Targets, index = 0): Promise<unknown> =>
  waitFor(() => targets.list()[index]?.state.state === 'attached', {
    message: () => `target ${index} attached; it is ${JSON.stringify(targets.list()[index]?.state)}`,
  });

async function lastFailure(options: FakeInspectorOptions): Promise<{ code: string; message: string }> {
  await using fake = await startFakeInspector(options);
  await using targets = watch(fake.address);
  return await waitFor(
    () => {
      const state = targets.list()[0]?.state;
      return state?.state === 'connecting' ? state.lastFailure : null;
    },
    { deadlineMs: 15_000, message: 'a failed attempt' },
  );
}

describe.each(nodeVersions)('a target on Node $major', ({ major, version }) => {
  it('is attached with its identity, and leaves as if we were not there', async () => {
    await using target = await startTarget('forever', { node: major });
    {
      await using targets = watch(target.inspectorAddress);
      await attached(targets);
      const [view] = targets.list();
      expect(view?.identity).toMatchObject({ pid: target.pid, nodeVersion: `v${version}` });
      expect(view?.name).toBe('forever.mjs');
      expect(view?.threads.map(({ id }) => id)).toEqual(['main']);
    }
    // Node prints this when the last session is gone.
    await target.waitForOutput(/Debugger ending|Debugger attached/);
  });

  it.each(['ends-by-itself', 'exits-while-profiled', 'throws-uncaught'])(
    'exits while attached: %s',
    async (program) => {
      await using target = await startTarget(program, { node: major });
      await using targets = watch(target.inspectorAddress);
      await attached(targets);
      await target.send('now');
      const exit = await target.exited;
      expect(exit.code).toBe({ 'ends-by-itself': 0, 'exits-while-profiled': 7, 'throws-uncaught': 1 }[program]);
      await waitFor(() => targets.list()[0]?.previous.length === 1, { message: 'the run to be remembered' });
    },
  );

  it('announces workers, nested ones too, and their end', async () => {
    await using target = await startTarget('nested-workers', { node: major });
    await using targets = watch(target.inspectorAddress);
    const threads = await waitFor(
      () => {
        const found = targets.list()[0]?.threads ?? [];
        return found.length === 3 && found;
      },
      { message: 'three threads' },
    );
    expect(threads.map(({ id }) => id)).toEqual(['main', 'worker-1', 'worker-2']);
    await target.send({ exit: 3 });
    expect((await target.exited).code).toBe(3);
  });

  it('attaches while the event loop is blocked', async () => {
    await using target = await startTarget('blocks-the-loop', { node: major });
    await target.send({ ms: 60_000 });
    await target.waitForOutput(/blocking/);
    await using targets = watch(target.inspectorAddress);
    await attached(targets);
    expect(target.stdout).not.toContain('turned');
  });
});

it('keeps targets apart: one that is away does not hold the others', async () => {
  await using target = await startTarget('forever');
  await using targets = watch('127.0.0.1:1', target.inspectorAddress);
  await attached(targets, 1);
  const away = await waitFor(
    () => {
      const state = targets.list()[0]?.state;
      return state?.state === 'connecting' && state.attempts > 1 && state;
    },
    { message: 'two attempts at the absent target' },
  );
  expect(away.lastFailure).toEqual({
    code: 'inspector-unreachable',
    message: 'nothing listens at 127.0.0.1:1 (ECONNREFUSED)',
  });
});

it('attaches again after a restart, with a new identity and the old one in its history', async () => {
  const execArgv = [`--inspect=127.0.0.1:${await freePort()}`];
  await using first = await startTarget('forever', { execArgv });
  await using targets = watch(first.inspectorAddress);
  await attached(targets);
  first.kill('SIGKILL');
  await first.exited;
  await using second = await startTarget('forever', { execArgv });
  await waitFor(() => targets.list()[0]?.identity?.pid === second.pid, { message: 'the second run attached' });
  expect(targets.list()[0]?.previous.map(({ identity }) => identity.pid)).toEqual([first.pid]);
});

it('attaches again to the same run after the connection was cut, and keeps no false history', async () => {
  await using target = await startTarget('forever');
  await using proxy = await startRecordingProxy(target.inspectorPort);
  await using targets = watch(proxy.address);
  await attached(targets);
  proxy.cut();
  await waitFor(() => targets.list()[0]?.state.state !== 'attached', { message: 'the cut to be seen' });
  await attached(targets);
  expect(targets.list()[0]?.previous).toEqual([]);
});

// These wait for our own timeouts, at once.
it.concurrent.each([
  [{ list: 'html' }, 'inspector-bad-answer', /HTML where JSON was expected/],
  [{ list: 'truncated' }, 'inspector-bad-answer', /where JSON was expected/],
  [{ list: 'empty' }, 'inspector-bad-answer', /lists no inspector/],
  [{ list: 'endless' }, 'inspector-bad-answer', /more than 65536 bytes/],
  [{ list: '404' }, 'inspector-http-error', /HTTP 404.*--inspect-publish-uid=stderr/],
  [{ list: 'redirect' }, 'inspector-http-error', /HTTP 302/],
  [{ list: 'silent' }, 'inspector-timeout', /did not answer \/json\/list in 5000 ms/],
  [{ upgrade: 'refuse' }, 'inspector-unreachable', /403/],
  [
    { onConnect: (socket) => socket.send('<html>') },
    'inspector-bad-answer',
    /frame of 6 bytes from the inspector is not JSON/,
  ],
  [{ onConnect: (socket) => socket.send('[1]') }, 'inspector-bad-answer', /answered without a result/],
  [{ onConnect: (socket) => socket.send(Buffer.from([1, 2, 3])) }, 'inspector-bad-answer', /is not JSON/],
  [{ onConnect: (socket) => socket.terminate() }, 'target-gone', /closed the connection \(1006\)/],
] satisfies [FakeInspectorOptions, string, RegExp][])(
  'tells what is wrong with a peer that behaves like %o',
  async (options, code, message) => {
    const failure = await lastFailure(options);
    expect(failure.code).toBe(code);
    expect(failure.message).toMatch(message);
  },
);

it.concurrent('gives up on a frame over the limit without holding its bytes', async () => {
  const failure = await lastFailure({
    onConnect: (socket) => {
      // A text frame that claims 300 MiB, as a header alone.
      const header = Buffer.alloc(10);
      header[0] = 0x81;
      header[1] = 127;
      header.writeBigUInt64BE(300n * 1024n * 1024n, 2);
      (socket as unknown as { _socket: { write(bytes: Buffer): void } })._socket.write(header);
    },
  });
  expect(failure.code).toMatch(/target-gone|inspector-message-too-large/);
});

it.concurrent('gives up on an inspector that takes the connection and stays silent', async () => {
  const failure = await lastFailure({ onMessage: () => {} });
  expect(failure).toEqual({
    code: 'inspector-timeout',
    message: 'NodeRuntime.notifyWhenWaitingForDisconnect on main was not answered in 10000 ms',
  });
});

it('leaves at once when it is stopped in the middle of an attempt', async () => {
  await using fake = await startFakeInspector({ upgrade: 'silent' });
  {
    await using targets = watch(fake.address);
    await waitFor(() => fake.paths.length > 0, { message: 'an attempt' });
    expect(targets.list()[0]?.state.state).toBe('connecting');
  }
  await waitFor(() => fake.sockets.size === 0, { message: 'no socket left' });
});
