import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { ThreadStack } from '../../protocol/rest/stacks.ts';
import { stacksSchema } from '../../protocol/rest/stacks.ts';
import { endLoop } from '../inspector/raw-inspector.ts';
import { nodeVersions } from '../support/node-versions.ts';
import { startRecordingProxy } from '../support/recording-proxy.ts';
import { startTarget, type RunningTarget } from '../support/target.ts';
import { waitFor } from '../support/wait-for.ts';
import { openHarness, type Harness } from './harness.ts';

/** `spinUntil gets-stuck.cjs:12`, the running function first. */
function shown({ frames }: ThreadStack): string[] {
  return frames.map(({ functionName, url, lineNumber }) => `${functionName} ${url.split('/').at(-1)}:${lineNumber}`);
}

/** The 1-based line that holds the text. */
function lineOf(program: string, text: string): number {
  const lines = readFileSync(join(import.meta.dirname, '..', 'targets', program), 'utf8').split('\n');
  return lines.findIndex((line) => line.includes(text)) + 1;
}

async function scratchFolder(): Promise<AsyncDisposable & { path: string }> {
  const path = await mkdtemp(join(tmpdir(), 'sidescope-stacks-'));
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true }) };
}

async function stuckIn(target: RunningTarget, message: object): Promise<void> {
  await target.send(message);
  await target.waitForOutput(/^stuck$/m);
}

async function stacksOf(harness: Harness): Promise<ThreadStack[]> {
  const stacks = stacksSchema.parse(await harness.captures.readStacks({}));
  expect(stacks.omittedThreads).toBe(0);
  return stacks.threads;
}

const isAt =
  (place: string) =>
  (stack: ThreadStack): boolean =>
    shown(stack).join().includes(place);

/**
 * The target says that it is about to be stuck in a `writeSync`: what it does a moment later is asked for, when it is on its way no more. At its entry a function
 * is on another line than the one where it stays.
 */
async function mainStack(harness: Harness, isThere: (stack: ThreadStack) => boolean): Promise<ThreadStack> {
  let seen: ThreadStack | undefined;
  return await waitFor(
    async () => {
      const [main, ...others] = await stacksOf(harness);
      expect(others).toEqual([]);
      seen = main;
      return main !== undefined && isThere(main) && main;
    },
    { message: () => `the stack behind the line that the target printed; seen: ${JSON.stringify(seen)}` },
  );
}

describe.each(nodeVersions)('live stacks on Node $major', ({ major }) => {
  it.each([[], ['own-hook'], ['frozen']])(
    'name function and line of a blocked loop, Error being %s',
    async (...args) => {
      await using target = await startTarget('gets-stuck', { node: major, args });
      await using harness = await openHarness([target.inspectorAddress]);
      await stuckIn(target, { loop: 60_000 });
      // The function itself, or what it calls at the moment.
      const place = `spinUntil gets-stuck.cjs:${lineOf('gets-stuck.cjs', 'while (Date.now()')}`;
      const main = await mainStack(harness, isAt(place));
      expect(main).toMatchObject({ thread: 'main', state: 'running', span: null, error: null, hasMore: false });
      expect(shown(main).slice(0, 2)).toContain(place);
      expect(main.frames.find(({ functionName }) => functionName === 'spinUntil')?.columnNumber).toBeGreaterThan(1);
      expect(shown(main).join()).not.toContain('sidescope');
      await endLoop(target.inspectorAddress);
      await target.waitForOutput(/^turned$/m);
      await target.send({ check: true });
      await target.waitForOutput(/^(un)?changed/m);
      expect(target.stdout).toContain('unchanged');
      expect(target.stdout).not.toContain('hook ran');
    },
  );

  it('name the caller of a regular expression that never ends', async () => {
    await using target = await startTarget('gets-stuck', { node: major });
    await using harness = await openHarness([target.inspectorAddress]);
    await stuckIn(target, { pattern: true });
    const line = lineOf('gets-stuck.cjs', 'return /^(a+)+');
    await mainStack(harness, isAt(`matchForEver gets-stuck.cjs:${line}`));
  });

  it('name the caller of Atomics.wait', async () => {
    await using target = await startTarget('gets-stuck', { node: major });
    await using harness = await openHarness([target.inspectorAddress]);
    await stuckIn(target, { wait: true });
    const line = lineOf('gets-stuck.cjs', 'Atomics.wait(new');
    await mainStack(harness, isAt(`waitForEver gets-stuck.cjs:${line}`));
  });

  it('say of a thread in a native call that it does not answer, and of one that waits that it is idle', async () => {
    await using target = await startTarget('gets-stuck', { node: major });
    await using harness = await openHarness([target.inspectorAddress]);
    expect(await mainStack(harness, ({ state }) => state === 'idle')).toMatchObject({ frames: [], error: null });
    await using folder = await scratchFolder();
    const fifo = join(folder.path, 'fifo');
    execFileSync('mkfifo', [fifo]);
    await stuckIn(target, { fifo });
    expect(await mainStack(harness, ({ state }) => state === 'no-answer')).toMatchObject({
      frames: [],
      error: { code: 'inspector-timeout', message: expect.stringContaining('native call') as string },
    });
  });

  it('are those of the generated code under --enable-source-maps', async () => {
    await using target = await startTarget('has-a-source-map', {
      node: major,
      execArgv: ['--inspect=127.0.0.1:0', '--enable-source-maps'],
    });
    await using harness = await openHarness([target.inspectorAddress]);
    await stuckIn(target, {});
    const line = lineOf('has-a-source-map.cjs', 'while (Date.now()');
    await mainStack(harness, isAt(`spinMapped has-a-source-map.cjs:${line}`));
  });

  it('are of every thread, each with its own', async () => {
    await using target = await startTarget('with-workers', { node: major });
    await using harness = await openHarness([target.inspectorAddress]);
    await waitFor(() => harness.targets.list()[0]?.threads.length === 4, { message: 'four threads' });
    const burning = new Set<string>();
    await waitFor(
      async () => {
        const threads = await stacksOf(harness);
        expect(threads.map(({ thread }) => thread)).toEqual(['main', 'worker-1', 'worker-2', 'worker-3']);
        expect(threads.filter(({ state }) => state === 'no-answer')).toEqual([]);
        for (const { thread, frames } of threads) {
          const found = frames.find(({ functionName }) => functionName.startsWith('burn'));
          if (found !== undefined) burning.add(`${thread} ${found.functionName}`);
        }
        return burning.size === 3;
      },
      { message: () => `each worker seen in its own function; seen: ${[...burning].sort().join(', ')}` },
    );
    expect(new Set([...burning].map((text) => text.split(' ')[1])).size).toBe(3);
  });

  it.each([true, false])('carry the active OpenTelemetry span, sampled: %s', async (sampled) => {
    await using target = await startTarget('works-in-a-span', { node: major });
    await using harness = await openHarness([target.inspectorAddress]);
    await stuckIn(target, { sampled });
    const main = await mainStack(harness, isAt('handle works-in-a-span.mjs'));
    expect(main.span).toEqual({
      traceId: '0af7651916cd43dd8448eb211c80319c',
      spanId: 'b7ad6b7169203331',
      name: 'GET /stuck',
      sampled,
      route: '/stuck',
    });
  });
});

it('are cut at 64 frames, and say so', async () => {
  await using target = await startTarget('recurses-deeply');
  await using harness = await openHarness([target.inspectorAddress]);
  await stuckIn(target, {});
  const line = lineOf('recurses-deeply.cjs', 'while (Date.now()');
  const main = await mainStack(harness, isAt(`descend recurses-deeply.cjs:${line}`));
  expect(main.hasMore).toBe(true);
  expect(main.frames).toHaveLength(64);
});

it('are asked for once when several ask at the same time', async () => {
  await using target = await startTarget('forever');
  await using proxy = await startRecordingProxy(target.inspectorPort);
  await using harness = await openHarness([proxy.address]);
  const answers = await Promise.all([1, 2, 3].map(() => harness.captures.readStacks({})));
  expect(answers[1]).toBe(answers[0]);
  expect(proxy.sent.filter((text) => text.includes('sidescope:stack')).length).toBe(1);
  expect(await harness.captures.readStacks({})).not.toBe(answers[0]);
});

it('are refused when the target is gone', async () => {
  await using target = await startTarget('forever');
  await using harness = await openHarness([target.inspectorAddress]);
  target.kill();
  await waitFor(() => harness.targets.list()[0]?.state.state !== 'attached', { message: 'the loss of the target' });
  await expect(harness.captures.readStacks({})).rejects.toMatchObject({ code: 'target-not-attached' });
});
