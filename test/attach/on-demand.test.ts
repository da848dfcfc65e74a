import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { Attachment } from '../../agent/attach/attachment.ts';
import { leaveAndClose } from '../../agent/attach/close-inspector.ts';
import { discoverInspector } from '../../agent/attach/discovery.ts';
import { readListeningSockets, socketInodes } from '../../agent/attach/listening-sockets.ts';
import { openInspector } from '../../agent/attach/open-inspector.ts';
import { findNodeProcesses } from '../../agent/attach/node-processes.ts';
import type { OpenInspector } from '../../agent/attach/open-inspector.ts';
import { Targets } from '../../agent/attach/targets.ts';
import { isAlive } from '../support/is-alive.ts';
import { nodePath, nodeVersions } from '../support/node-versions.ts';
import { startTarget } from '../support/target.ts';
import type { RunningTarget, TargetOptions } from '../support/target.ts';
import { waitFor } from '../support/wait-for.ts';

const { signal } = new AbortController();
const ignore = (): void => undefined;

function open(pid: number): Promise<OpenInspector> {
  return openInspector(pid, { signalled: new Set(), signal });
}

async function startUnprepared(options: TargetOptions = {}): Promise<RunningTarget> {
  return startTarget('never-prepared', { execArgv: ['--debug-port=0'], ...options });
}

async function attach({ address }: OpenInspector): Promise<Attachment> {
  const { webSocketUrl, scriptUrl } = await discoverInspector(address, { timeoutMs: 5_000, signal });
  const listener = { onThreads: ignore, onExiting: ignore, onEnded: ignore };
  return Attachment.open(webSocketUrl, { scriptUrl, signal, listener });
}

async function listens({ pid }: RunningTarget): Promise<boolean> {
  const [listening, inodes] = await Promise.all([readListeningSockets(pid), socketInodes(pid)]);
  return listening.some(({ inode }) => inodes?.has(inode) === true);
}

describe.concurrent.each(nodeVersions)('the inspector of Node $major', ({ major }) => {
  it('is opened by a signal and closed again, more than once', async () => {
    await using target = await startUnprepared({ node: major });
    for (let round = 0; round < 2; round++) {
      const opened = await open(target.pid);
      expect(opened).toMatchObject({ isOurs: true, isExposed: false, address: { host: '127.0.0.1' } });
      const attachment = await attach(opened);
      expect(attachment.identity.pid).toBe(target.pid);
      expect(await leaveAndClose(attachment, opened)).toBe('closed');
      expect(await listens(target)).toBe(false);
    }
  });

  it('does not come back when the loop turns that was blocked at the signal', async () => {
    await using target = await startUnprepared({ node: major });
    await target.send({ deed: 'spinFor', ms: 2_500 });
    await target.waitForOutput(/^stuck$/m);
    const opened = await open(target.pid);
    expect(await leaveAndClose(await attach(opened), opened)).toBe('closed');
    await target.waitForOutput(/^turned$/m);
    // Opened by the poll phase that follows, and closed in the same turn; a later message is answered behind both.
    await target.send({ deed: 'nothing' });
    await waitFor(() => target.stdout.match(/^stuck$/gm)?.length === 2, { message: 'a turn of the loop' });
    await waitFor(async () => !(await listens(target)), { message: 'the inspector closed' });
  });
});

it('is found where it is open, at whatever port, and not closed', async () => {
  await using target = await startTarget('never-prepared');
  const opened = await open(target.pid);
  expect(opened).toMatchObject({ isOurs: false, address: { port: target.inspectorPort } });
  expect(await leaveAndClose(await attach(opened), opened)).toBe('not-ours');
  expect(await listens(target)).toBe(true);
});

it('is left open while somebody else is connected to it', async () => {
  await using target = await startUnprepared();
  const opened = await open(target.pid);
  const { webSocketUrl } = await discoverInspector(opened.address, { timeoutMs: 5_000, signal });
  const foreign = new WebSocket(webSocketUrl);
  await once(foreign, 'open');
  expect(await leaveAndClose(await attach(opened), opened)).toBe('foreign-client');
  expect(await listens(target)).toBe(true);
  foreign.terminate();
  await once(foreign, 'close');
});

it('is told from one that everybody can reach', async () => {
  await using target = await startTarget('never-prepared', { execArgv: ['--inspect=0.0.0.0:0'] });
  expect(await open(target.pid)).toMatchObject({ isOurs: false, isExposed: true, address: { host: '127.0.0.1' } });
});

describe('a process is not signalled', () => {
  it.each<[string, TargetOptions, string, RegExp]>([
    ['--disable-sigusr1', { execArgv: ['--disable-sigusr1'] }, 'inspector-disabled', /--disable-sigusr1/],
    [
      'the permission model',
      { execArgv: ['--permission', '--allow-fs-read=*', '--allow-worker', '--allow-child-process'] },
      'inspector-disabled',
      /permission model \(--permission\)/,
    ],
    [
      '--inspect-publish-uid=stderr',
      { execArgv: ['--inspect=127.0.0.1:0', '--inspect-publish-uid=stderr'] },
      'inspector-http-error',
      /--inspect-publish-uid=stderr/,
    ],
  ])('with %s', async (...[, options, code, message]) => {
    await using target = await startTarget('never-prepared', options);
    await expect(open(target.pid)).rejects.toMatchObject({ code, message: expect.stringMatching(message) as string });
    expect(isAlive(target.pid)).toBe(true);
  });

  it('that is no Node', async () => {
    const sleep = spawn('sleep', ['60'], { stdio: 'ignore' });
    try {
      await expect(open(sleep.pid ?? 0)).rejects.toMatchObject({ code: 'not-a-node-process' });
      expect(isAlive(sleep.pid ?? 0)).toBe(true);
    } finally {
      sleep.kill('SIGKILL');
    }
  });

  it('that is this one, or has ended', async () => {
    await expect(open(process.pid)).rejects.toMatchObject({ code: 'not-a-node-process' });
    const target = await startUnprepared();
    await target[Symbol.asyncDispose]();
    await expect(open(target.pid)).rejects.toMatchObject({ code: 'no-such-process' });
  });

  it('whose port another one has', async () => {
    await using first = await startTarget('never-prepared');
    await using second = await startUnprepared({ execArgv: [`--debug-port=${first.inspectorPort}`] });
    await expect(open(second.pid)).rejects.toMatchObject({
      code: 'inspector-port-taken',
      message: expect.stringContaining(`port ${first.inspectorPort}`) as string,
    });
    expect(second.stderr).not.toContain('address already in use');
  });

  it('that is the primary of a cluster; its worker is', async () => {
    await using target = await startTarget('cluster', { execArgv: [] });
    const pid = Number((await target.waitForOutput(/^worker (\d+)$/m))[1]);
    await expect(open(target.pid)).rejects.toMatchObject({
      code: 'cluster-primary',
      message: expect.stringContaining(String(pid)) as string,
    });
    expect(target.stderr).toBe('');
    const opened = await open(pid);
    expect(await leaveAndClose(await attach(opened), opened)).toBe('closed');
  });

  it.runIf(process.getuid?.() === 0)('that belongs to another user', async () => {
    await using target = await startUnprepared();
    const script = `
      const { openInspector } = await import(process.argv[1]);
      process.setgroups([]);
      process.setgid(65534);
      process.setuid(65534);
      const options = { signalled: new Set(), signal: new AbortController().signal };
      console.log(await openInspector(Number(process.argv[2]), options).catch(({ code }) => code));
    `;
    const module = new URL('../../agent/attach/open-inspector.ts', import.meta.url).href;
    const child = spawn(nodePath(24), ['--input-type=module', '-e', script, module, String(target.pid)]);
    let printed = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => (printed += text));
    await once(child, 'close');
    expect(printed.trim()).toBe('process-of-another-user');
    expect(await listens(target)).toBe(false);
  });
});

it('that handles SIGUSR1 itself is told, after its handler has run', async () => {
  await using target = await startUnprepared({ args: ['own-handler'] });
  await expect(open(target.pid)).rejects.toMatchObject({ code: 'signal-handled' });
  await target.waitForOutput(/^handled$/m);
  expect(isAlive(target.pid)).toBe(true);
});

describe('--target pid:N and auto', () => {
  const attached = (targets: Targets, id: string): Promise<unknown> =>
    waitFor(() => targets.list().some((target) => target.id === id && target.state.state === 'attached'), {
      message: () => `${id} attached; there are ${JSON.stringify(targets.list().map(({ id, state }) => [id, state]))}`,
    });

  it('pid:N opens the inspector, attaches, and closes it when the agent leaves; the time is counted', async () => {
    await using target = await startUnprepared();
    const id = `pid-${target.pid}`;
    let openMs: number;
    {
      await using targets = new Targets([{ pid: target.pid }]);
      targets.start();
      await attached(targets, id);
      expect(targets.view(id)).toMatchObject({
        address: `pid:${target.pid}`,
        identity: { pid: target.pid },
        warnings: [],
      });
      openMs = targets.inspectorOpenMs()[0]?.openMs ?? 0;
    }
    expect(openMs).toBeGreaterThan(0);
    expect(await listens(target)).toBe(false);
    expect(isAlive(target.pid)).toBe(true);
  });

  it('pid:N says why there is nothing to attach to, and keeps away from it', async () => {
    const sleep = spawn('sleep', ['60'], { stdio: 'ignore' });
    try {
      await using targets = new Targets([{ pid: sleep.pid ?? 0 }]);
      targets.start();
      const state = await waitFor(
        () => {
          const [view] = targets.list();
          return view?.state.state === 'connecting' && view.state.lastFailure;
        },
        { message: 'a failed attempt' },
      );
      expect(state.code).toBe('not-a-node-process');
      expect(isAlive(sleep.pid ?? 0)).toBe(true);
    } finally {
      sleep.kill('SIGKILL');
    }
  });

  it('a pid that another process has now is not taken for the one that was meant', async () => {
    await using target = await startUnprepared();
    const options = { signalled: new Set<string>(), startTicks: '1', signal };
    await expect(openInspector(target.pid, options)).rejects.toMatchObject({
      code: 'no-such-process',
      message: expect.stringContaining('another one has its number') as string,
    });
    expect(await listens(target)).toBe(false);
  });

  it('a process in a system call is attached when that returns', async () => {
    await using target = await startUnprepared();
    await target.send({ deed: 'waitForChild', seconds: 2 });
    await target.waitForOutput(/^stuck$/m);
    await using targets = new Targets([{ pid: target.pid }]);
    targets.start();
    await attached(targets, `pid-${target.pid}`);
  });
});

it('Node processes are found by /proc: applications, and no wrapper, no agent, not this one', async () => {
  await using target = await startUnprepared();
  const pids = (await findNodeProcesses()).map(({ pid }) => pid);
  expect(pids).toContain(target.pid);
  expect(pids).not.toContain(process.pid);
});

// In namespaces of its own: it would attach to the targets of every other test.
it('auto attaches to every Node application, signals no other process, and leaves all as they were', () => {
  const program = join(import.meta.dirname, 'programs/finds-targets.ts');
  const user = process.getuid?.() === 0 ? [] : ['-r'];
  const command = ['-pnf', '--mount-proc', ...user, 'sh', '-c', 'ip link set lo up && "$@"', 'sh'];
  const { stdout, stderr } = spawnSync('unshare', [...command, process.execPath, program], {
    encoding: 'utf8',
    timeout: 30_000,
  });
  expect(stderr).toBe('');
  const { attached, expected, ...rest } = JSON.parse(stdout) as { attached: unknown; expected: unknown };
  expect(attached).toEqual(expected);
  expect(rest).toEqual({ othersAlive: true, newListeners: 0 });
});
