import { execFileSync } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { readListeningSockets, socketInodes } from '../../agent/attach/listening-sockets.ts';
import { explainProcess } from '../../agent/cli/why.ts';
import type { WhyReport } from '../../agent/cli/why/report.ts';
import { isAlive } from '../support/is-alive.ts';
import { canLimitCpu } from '../support/limited-cpu.ts';
import { nodeVersions } from '../support/node-versions.ts';
import { startTarget } from '../support/target.ts';
import type { RunningTarget, TargetOptions } from '../support/target.ts';
import { waitFor } from '../support/wait-for.ts';
import {
  atomicsWait,
  childProcess,
  crypto,
  jsonParse,
  longCrypto,
  loop,
  mistakesIn,
  pattern,
  startStuck,
  throttled,
  worker,
  zlib,
} from './stuck-cases.ts';
import type { StuckCase } from './stuck-cases.ts';

const program = 'never-prepared';
const ends = [18, 26];

interface Answer {
  readonly code: number;
  readonly printed: string;
}

async function why(args: readonly string[], signal = new AbortController().signal): Promise<Answer> {
  let printed = '';
  const code = await explainProcess({
    argv: args,
    environment: {},
    platform: 'linux',
    signal,
    print: (text) => void (printed += text),
    say: () => undefined,
  });
  return { code, printed };
}

async function report(target: RunningTarget): Promise<WhyReport> {
  const { code, printed } = await why([String(target.pid), '--json']);
  expect(code).toBe(0);
  return JSON.parse(printed) as WhyReport;
}

/** Any free port, so that tests that run at the same time do not meet at 9229. */
async function startUnprepared(options: TargetOptions = {}): Promise<RunningTarget> {
  return startTarget(program, { execArgv: ['--debug-port=0'], ...options });
}

async function stuck(target: RunningTarget, message: { deed: string } & Record<string, unknown>): Promise<void> {
  await target.send(message);
  await target.waitForOutput(/^stuck$/m);
}

async function listenersOf(pid: number): Promise<number[]> {
  const [listening, inodes] = await Promise.all([readListeningSockets(pid), socketInodes(pid)]);
  return listening.filter(({ inode }) => inodes?.has(inode) === true).map(({ port }) => port);
}

/** As it was: it lives, and nothing listens. */
async function expectUntouched({ pid }: RunningTarget): Promise<void> {
  await waitFor(async () => (await listenersOf(pid)).length === 0, { message: 'its inspector to be closed' });
  expect(isAlive(pid)).toBe(true);
}

describe.concurrent('a stuck process that was never prepared', () => {
  const everywhere = nodeVersions.map(({ major }) => major);
  const spread: readonly (readonly [StuckCase, readonly number[]])[] = [
    [loop, everywhere],
    [pattern, everywhere],
    [jsonParse, [18, 24, 26]],
    [crypto, [20, 22, 26]],
    [zlib, [18, 22]],
    [longCrypto, [20, 24]],
    [childProcess, [18, 22, 26]],
    [atomicsWait, [18, 20, 26]],
    [worker, [20, 24, 26]],
    [throttled, canLimitCpu() ? [18, 26] : []],
  ];
  const rows = spread.flatMap(([stuckCase, majors]) => majors.map((node) => ({ node, stuckCase, ...stuckCase })));

  // Where more processes want the two processors than there are, seconds go by in which a target gets none.
  it.each(rows)('Node $node: $name', { retry: 2 }, async ({ node, stuckCase }) => {
    await using target = await startStuck(stuckCase, node);
    const found = await report(target);
    expect(mistakesIn(found, stuckCase), JSON.stringify(found)).toEqual([]);
    expect(isAlive(target.pid)).toBe(true);
    if (found.inspector !== 'opens-later') await expectUntouched(target);
  });
});

describe.concurrent.each(ends)('what else holds the main thread of Node %i', (node) => {
  it('garbage collection', async () => {
    await using target = await startUnprepared({ node, execArgv: ['--debug-port=0', '--max-old-space-size=64'] });
    await stuck(target, { deed: 'allocate' });
    const found = await report(target);
    expect(found.hotspot?.place.functionName).toMatch(/allocate|anonymous/);
    expect(found.shares?.gc).toBeGreaterThan(0.1);
    await expectUntouched(target);
  });

  it('nothing: it waits for events', async () => {
    await using target = await startUnprepared({ node });
    expect(await report(target)).toMatchObject({ verdict: 'waiting', hotspot: null, span: null });
    await expectUntouched(target);
  });
});

describe.concurrent('sidescope why', () => {
  it('names the request that blocks, by its trace', async () => {
    await using target = await startTarget('works-in-a-span', { execArgv: ['--debug-port=0'] });
    await stuck(target, { deed: '', sampled: true });
    const { printed } = await why([String(target.pid)]);
    expect(printed).toContain('request   GET /stuck  trace 0af7651916cd43dd8448eb211c80319c, span b7ad6b7169203331');
    expect(printed.split('\n').length).toBeLessThanOrEqual(16);
    await expectUntouched(target);
  });

  it('says which system call, and does not interrupt it', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'sidescope-why-'));
    try {
      execFileSync('mkfifo', [join(folder, 'fifo')]);
      await using target = await startUnprepared();
      await stuck(target, { deed: 'readPipe', path: join(folder, 'fifo') });
      const { printed } = await why([String(target.pid)]);
      expect(printed).toContain('open of a FIFO');
      await expectUntouched(target);
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  it('says of one long native call that it computes there', async () => {
    await using target = await startUnprepared();
    await stuck(target, { deed: 'hashOnce' });
    expect(await report(target)).toMatchObject({
      verdict: 'no-inspector',
      inspector: 'opens-later',
      text: 'blocked: the main thread computes in native code',
    });
    expect(isAlive(target.pid)).toBe(true);
  });

  it('leaves an inspector open that was open before, also when asked by its address', async () => {
    await using target = await startTarget(program);
    expect(await report(target)).toMatchObject({ verdict: 'waiting', inspector: 'not-ours' });
    const { printed } = await why([target.inspectorAddress, '--json']);
    expect(JSON.parse(printed)).toMatchObject({
      target: { pid: target.pid },
      inspector: 'not-ours',
      usage: { cores: {} },
    });
    expect(await listenersOf(target.pid)).toEqual([target.inspectorPort]);
  });

  it('--watch goes on until it is interrupted, and closes then', async () => {
    await using target = await startUnprepared();
    const stop = new AbortController();
    const watching = why([String(target.pid), '--watch'], stop.signal);
    await target.waitForOutput(/Debugger attached/);
    stop.abort(new Error('SIGINT'));
    expect((await watching).code).toBe(0);
    await expectUntouched(target);
  });

  it.each([
    [['1', '2'], /one process at a time/],
    [['pod'], /neither a pid nor host:port nor pod.NAME/],
    [['--wat'], /Unknown option/],
  ])('refuses the command line %j', async (args, message) => {
    await expect(why(args)).rejects.toMatchObject({
      code: 'invalid-option',
      message: expect.stringMatching(message) as string,
    });
  });
});
