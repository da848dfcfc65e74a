import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { isAlive } from './is-alive.ts';
import { nodePath, nodeVersions } from './node-versions.ts';
import { startTarget } from './target.ts';
import { waitFor } from './wait-for.ts';

describe('startTarget', () => {
  it.each(nodeVersions)(
    'starts a target on Node $version with an inspector on a free port',
    async ({ major, version }) => {
      await using target = await startTarget('forever', { node: major });
      const answer = await fetch(`http://${target.inspectorAddress}/json/version`);
      expect(await answer.json()).toMatchObject({ Browser: `node.js/v${version}` });
    },
  );

  it('kills the target and waits for its end on disposal', async () => {
    let pid: number;
    {
      await using target = await startTarget('forever');
      pid = target.pid;
      expect(isAlive(pid)).toBe(true);
    }
    expect(isAlive(pid)).toBe(false);
  });

  it('ends the target also when the process that started it is killed', async () => {
    const code = `
      const { startTarget } = await import('${join(import.meta.dirname, 'target.ts')}');
      const target = await startTarget('busy');
      process.send(target.pid);
      setInterval(() => {}, 1000);`;
    const starter = spawn(process.execPath, ['--input-type=module', '-e', code], {
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    });
    const [pid] = (await once(starter, 'message')) as [number];
    expect(isAlive(pid)).toBe(true);
    starter.kill('SIGKILL');
    await waitFor(() => !isAlive(pid), { message: `the end of target ${pid}` });
  });

  it('starts without an inspector when told so', async () => {
    await using target = await startTarget('forever', { execArgv: [] });
    expect(() => target.inspectorPort).toThrow(/has no inspector/);
  });

  it('tells what a target printed when it ends early', async () => {
    await expect(startTarget('forever', { execArgv: ['--no-such-flag'] })).rejects.toThrow(
      /ended \(code 9, signal null\).*bad option: --no-such-flag/s,
    );
  });

  it.each([
    ['exits-while-profiled', { code: 7, signal: null }],
    ['ends-by-itself', { code: 0, signal: null }],
    ['throws-uncaught', { code: 1, signal: null }],
  ])('%s ends on a message as its name says', async (name, end) => {
    await using target = await startTarget(name, { node: 18 });
    await target.send({});
    expect(await target.exited).toMatchObject(end);
  });

  it('ends handles-sigterm with code 0', async () => {
    await using target = await startTarget('handles-sigterm');
    target.kill('SIGTERM');
    await target.waitForOutput(/closing/);
    expect(await target.exited).toMatchObject({ code: 0, signal: null });
  });

  it('blocks the loop for as long as the message says', async () => {
    await using target = await startTarget('blocks-the-loop');
    await target.send({ ms: 30 });
    await target.waitForOutput(/blocking\nturned/);
  });

  it.each([18, 26])('announces workers, nested ones too, on Node %i', async (node) => {
    await using named = await startTarget('with-workers', { node });
    await using nested = await startTarget('nested-workers', { node });
    await named.send({});
    expect(await named.exited).toMatchObject({ code: 0 });
    await nested.send({ exit: 3 });
    expect(await nested.exited).toMatchObject({ code: 3 });
  });

  it('starts short workers one after the other', async () => {
    await using target = await startTarget('short-workers');
    await target.waitForOutput(/worker 2 ended/);
  });

  it('fills the heap to the size that was asked for', async () => {
    await using target = await startTarget('big-heap', { args: ['60'] });
    await using busy = await startTarget('busy');
    const rssBytes = await rssOf(target.pid);
    expect(rssBytes).toBeGreaterThan(90e6);
    expect(rssBytes - (await rssOf(busy.pid))).toBeGreaterThan(40e6);
  });

  it.each(['es-module', 'common-js'])('runs %s on Node 18', async (name) => {
    await using target = await startTarget(name, { node: 18 });
    expect(target.stdout).toBe('ready\n');
  });
});

describe('nodePath', () => {
  it('refuses a version outside the matrix', () => {
    expect(nodeVersions.map(({ major }) => major)).toEqual([18, 20, 22, 24, 26]);
    expect(() => nodePath(12)).toThrow('test/node-versions has no Node 12, only 18, 20, 22, 24, 26');
  });
});

describe('waitFor', () => {
  it('tells the last value or error at the deadline', async () => {
    await expect(waitFor(() => 0, { deadlineMs: 20, message: 'a count' })).rejects.toThrow(
      'waited 20 ms for a count; last value: 0',
    );
    const failing = (): boolean => {
      throw new Error('not there');
    };
    await expect(waitFor(failing, { deadlineMs: 20, message: () => 'it' })).rejects.toThrow(
      /for it; last error: .*not there/,
    );
  });
});

async function rssOf(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  return Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1]) * 1024;
}
