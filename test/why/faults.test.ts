import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { discoverInspector } from '../../agent/attach/discovery.ts';
import { explainProcess } from '../../agent/cli/why.ts';
import type { WhyReport } from '../../agent/cli/why/report.ts';
import { compile, lineOf } from '../source-map/compile.ts';
import { isAlive } from '../support/is-alive.ts';
import { nodePath } from '../support/node-versions.ts';
import { startTarget } from '../support/target.ts';
import type { RunningTarget } from '../support/target.ts';

async function why(...argv: string[]): Promise<WhyReport> {
  let printed = '';
  await explainProcess({
    argv: [...argv, '--json'],
    environment: {},
    platform: 'linux',
    signal: new AbortController().signal,
    print: (text) => void (printed += text),
    say: () => undefined,
  });
  return JSON.parse(printed) as WhyReport;
}

/** As DevTools does it: connected, with the debugger on. */
async function openDevTools({ inspectorPort: port }: RunningTarget): Promise<WebSocket> {
  const options = { timeoutMs: 5_000, signal: new AbortController().signal };
  const { webSocketUrl } = await discoverInspector({ host: '127.0.0.1', port }, options);
  const client = new WebSocket(webSocketUrl);
  await once(client, 'open');
  client.send(JSON.stringify({ id: 1, method: 'Debugger.enable' }));
  await once(client, 'message');
  return client;
}

async function isAnswered(client: WebSocket): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  client.on('message', (data: Buffer) => {
    if (data.toString().includes('"id":2')) resolve(true);
  });
  client.once('close', () => resolve(false));
  client.send(JSON.stringify({ id: 2, method: 'Runtime.evaluate', params: { expression: '1' } }));
  return promise;
}

async function close(client: WebSocket): Promise<void> {
  client.terminate();
  await once(client, 'close');
}

describe.concurrent('sidescope why is not misled', () => {
  it('by a pid that nobody has, or nobody has any more', async () => {
    await expect(why('4194304')).rejects.toMatchObject({ code: 'no-such-process' });
    const target = await startTarget('never-prepared', { execArgv: ['--debug-port=0'] });
    await target[Symbol.asyncDispose]();
    await expect(why(String(target.pid))).rejects.toMatchObject({ code: 'no-such-process' });
  });

  it('by a process that is no Node, which lives on', async () => {
    const sleep = spawn('sleep', ['60'], { stdio: 'ignore' });
    try {
      await expect(why(String(sleep.pid))).rejects.toMatchObject({ code: 'not-a-node-process' });
      expect(isAlive(sleep.pid ?? 0)).toBe(true);
    } finally {
      sleep.kill('SIGKILL');
    }
  });

  it('by a process that ends while it is looked at', async () => {
    await using target = await startTarget('never-prepared', { execArgv: ['--debug-port=0'] });
    const answer = why(String(target.pid)).catch((error: unknown) => error);
    await target.waitForOutput(/Debugger attached/);
    target.kill();
    expect(await answer).toMatchObject({ code: 'target-gone' });
  });

  it.runIf(process.getuid?.() === 0)("by a process of another user's, which is not signalled", async () => {
    await using target = await startTarget('never-prepared', { execArgv: ['--debug-port=0'], args: ['own-handler'] });
    const script = `
      const { explainProcess } = await import(process.argv[1]);
      process.setgroups([]);
      process.setgid(65534);
      process.setuid(65534);
      const none = () => undefined;
      const { signal } = new AbortController();
      const context = { argv: [process.argv[2]], environment: {}, platform: 'linux', signal, print: none, say: none };
      console.log(await explainProcess(context).catch(({ code }) => code));
    `;
    const module = new URL('../../agent/cli/why.ts', import.meta.url).href;
    const child = spawn(nodePath(24), ['--input-type=module', '-e', script, module, String(target.pid)]);
    let printed = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => (printed += text));
    await once(child, 'close');
    expect(printed.trim()).toBe('process-of-another-user');
    await target.send({ deed: 'nothing' });
    await target.waitForOutput(/^stuck$/m);
    expect(target.stdout).not.toContain('handled');
  });

  it('by DevTools, which had the inspector opened and goes on with it', async () => {
    await using target = await startTarget('never-prepared');
    const devTools = await openDevTools(target);
    await target.send({ deed: 'spin' });
    await target.waitForOutput(/^stuck$/m);
    expect(await why(String(target.pid))).toMatchObject({
      verdict: 'blocked',
      inspector: 'not-ours',
      hotspot: { place: { functionName: 'spin' } },
    });
    expect(await isAnswered(devTools)).toBe(true);
    await close(devTools);
  });

  it('by DevTools that came meanwhile: what we opened stays open for it', async () => {
    await using target = await startTarget('never-prepared', { execArgv: ['--debug-port=0'] });
    const answer = why(String(target.pid));
    await target.waitForOutput(/Debugger attached/);
    const devTools = await openDevTools(target);
    expect(await answer).toMatchObject({ inspector: 'foreign-client' });
    expect(await isAnswered(devTools)).toBe(true);
    await close(devTools);
  });
});

describe.concurrent('--source-map-path', () => {
  it('says where the maps are that the process itself does not have', async () => {
    await using program = await compile('tsc');
    await using mounted = await compile('tsc');
    for (const name of ['prices', 'shop']) await rm(join(program.directory, `dist/${name}.cjs.map`));
    await using target = await startTarget(program.main, { execArgv: ['--debug-port=0'] });
    await target.send({ ms: 60_000 });
    await target.waitForOutput(/blocking/);
    const { hotspot } = await why(String(target.pid), `--source-map-path=${program.directory}=${mounted.directory}`);
    expect(hotspot?.place).toMatchObject({ functionName: 'addSurcharges', file: `${program.sources}/prices.ts` });
    expect(hotspot?.place.line).toBeGreaterThanOrEqual(await lineOf('while (performance'));
    expect(hotspot?.place.line).toBeLessThan(await lineOf('return total;'));
  });

  it.each([
    [['1', '--source-map-path=app'], /must be FROM=TO/],
    [['pod/shop', '--source-map-path=/app=/mnt'], /not for pods/],
  ])('refuses %j', async (argv, message) => {
    await expect(why(...argv)).rejects.toMatchObject({
      code: 'invalid-option',
      message: expect.stringMatching(message) as string,
    });
  });
});
