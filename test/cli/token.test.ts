import { chmodSync, existsSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { mintedTokenSchema } from '../../protocol/rest/control.ts';
import type { Info } from '../../protocol/rest/info.ts';
import { apiPath } from '../../protocol/rest/routes.ts';
import { copyBundle, userOfItsOwn } from '../support/bundle-process.ts';
import type { BundleProcess, PublicBundle } from '../support/bundle-process.ts';

let bundle: PublicBundle;
beforeAll(async () => {
  bundle = await copyBundle();
});
afterAll(() => bundle[Symbol.asyncDispose]());

interface Options {
  readonly uid?: number | undefined;
  readonly dataDirectory?: string;
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

const ports = ['--admin-address', '127.0.0.1:0', '--ops-address', '127.0.0.1:0'];

async function startAgent({ uid, dataDirectory, args = ports, env = {} }: Options): Promise<BundleProcess> {
  const data = dataDirectory ?? join(await bundle.directory(uid), 'data');
  const agent = bundle.start({ args: [...args, '--data-dir', data], uid, env });
  await agent.logged(/sidescope is ready/);
  return agent;
}

const token = (options: { uid?: number | undefined; args?: string[]; env?: Record<string, string> }) =>
  bundle.run({ ...options, args: ['token', ...(options.args ?? [])] });

async function infoWith(link: string): Promise<Info> {
  const { origin, hash } = new URL(link);
  const headers = { authorization: `Bearer ${hash.replace('#token=', '')}` };
  const response = await fetch(`${origin}${apiPath}/info`, { headers });
  expect(response.status).toBe(200);
  return (await response.json()) as Info;
}

describe('sidescope token', () => {
  test('prints a token for one hour and the link to the page, and neither is in the log', async () => {
    const uid = userOfItsOwn();
    const dataDirectory = join(await bundle.directory(uid), 'data');
    await using agent = await startAgent({ uid, dataDirectory });
    const { code, stdout, stderr } = await token({ uid });
    expect({ code, stderr }).toEqual({ code: 0, stderr: expect.stringMatching(/^Valid until \S+Z\.\n$/) as string });
    const [minted = '', link = '', ...more] = stdout.split('\n');
    expect(more).toEqual(['']);
    expect(minted).toMatch(/^sst_[\w-]{43}$/);
    expect(link).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/api\/v1\/profiling\/ui#token=sst_[\w-]{43}$/);

    const info = await infoWith(link);
    expect(info.you).toMatchObject({ name: 'sidescope-token', scopes: ['admin'] });
    const leftMs = Date.parse(info.you.expiresAt ?? '') - Date.parse(info.startedAt) - info.uptimeMs;
    expect(leftMs).toBeGreaterThan(3_500_000);
    expect(leftMs).toBeLessThanOrEqual(3_600_000);
    expect(info.listeners.control).toBe(join(dataDirectory, 'control/sidescope.sock'));

    const audited = agent.log.split('\n').filter((line) => line.includes('"audit":true'));
    expect(audited).toHaveLength(1);
    expect(JSON.parse(audited[0] ?? '')).toMatchObject({ subject: 'local socket', action: 'mint-token', result: 'ok' });
    expect(agent.log).not.toContain(minted);
    expect(agent.log).not.toContain('sst_');
  });

  test('--json is one document with token, expiry, link and agent', async () => {
    const uid = userOfItsOwn();
    await using agent = await startAgent({ uid });
    const { code, stdout } = await token({ uid, args: ['--json'] });
    expect(code).toBe(0);
    const document = JSON.parse(stdout) as { link: string };
    expect(mintedTokenSchema.parse(document).agent.pid).toBe(agent.pid);
    expect((await infoWith(document.link)).pid).toBe(agent.pid);
  });

  test('the socket is open to its owner only, and goes with the agent', async () => {
    const dataDirectory = join(await bundle.directory(), 'data');
    await using agent = await startAgent({ dataDirectory });
    const socket = join(dataDirectory, 'control/sidescope.sock');
    expect(statSync(socket).mode & 0o7777).toBe(0o600);
    expect(statSync(join(dataDirectory, 'control')).mode & 0o7777).toBe(0o700);
    agent.kill('SIGTERM');
    expect(await agent.exited).toEqual({ code: 0, signal: null });
    expect(existsSync(socket)).toBe(false);
  });

  test('an admin port that is taken leaves a token without a link', async () => {
    await using taken = await takePort();
    const uid = userOfItsOwn();
    const args = ['--admin-address', `127.0.0.1:${taken.port}`, '--ops-address', 'off'];
    await using _agent = await startAgent({ uid, args });
    const { code, stdout, stderr } = await token({ uid });
    expect(code).toBe(0);
    expect(stdout).toMatch(/^sst_\S+\n$/);
    expect(stderr).toContain('The admin port of this agent is taken');
  });

  test('more than 100 tokens at once are refused with the number', async () => {
    const uid = userOfItsOwn();
    const dataDirectory = join(await bundle.directory(uid), 'data');
    await using _agent = await startAgent({ uid, dataDirectory });
    const { ask } = await import('../../agent/cli/control-client.ts');
    const question = { method: 'POST', path: '/token', schema: mintedTokenSchema } as const;
    const socket = join(dataDirectory, 'control/sidescope.sock');
    for (let count = 0; count < 100; count += 1) await ask(socket, question);
    await expect(ask(socket, question)).rejects.toThrow('100 minted tokens are alive; the limit is 100');
  });
});

describe('whom it asks', () => {
  test('without an agent it says so, and what to do', async () => {
    const uid = userOfItsOwn();
    const { code, stdout, stderr } = await token({ uid, args: ['--data-dir', '/nowhere'] });
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toMatch(/^sidescope token: no agent runs with the data directory \/nowhere/);
    expect(stderr).toContain('Run this in its container, or start one.');
  });

  test('an agent that was killed is none, and the next one takes its place', async () => {
    const uid = userOfItsOwn();
    const dataDirectory = join(await bundle.directory(uid), 'data');
    await using killed = await startAgent({ uid, dataDirectory });
    killed.kill('SIGKILL');
    await killed.exited;
    expect(existsSync(join(dataDirectory, 'control/sidescope.sock'))).toBe(true);
    const env = { SIDESCOPE_DATA_DIR: dataDirectory };
    expect((await token({ uid, env })).stderr).toContain('no agent runs here');
    await using _next = await startAgent({ uid, dataDirectory });
    expect((await token({ uid, env })).code).toBe(0);
  });

  test('of two agents it asks for a name, and --data-dir is one', async () => {
    const uid = userOfItsOwn();
    const [first, second] = [join(await bundle.directory(uid), 'a'), join(await bundle.directory(uid), 'b')];
    await using one = await startAgent({ uid, dataDirectory: first });
    await using two = await startAgent({ uid, dataDirectory: second });
    const unclear = await token({ uid });
    expect({ code: unclear.code, stdout: unclear.stdout }).toEqual({ code: 1, stdout: '' });
    expect(unclear.stderr).toContain('2 agents run here; name one:');
    for (const directory of [first, second]) expect(unclear.stderr).toContain(`--data-dir ${directory} `);
    const { stdout } = await token({ uid, args: ['--data-dir', second, '--json'] });
    expect(mintedTokenSchema.parse(JSON.parse(stdout)).agent.pid).toBe(two.pid);
    // As in the container of an agent, which has its environment.
    const here = await token({ uid, args: ['--json'], env: { SIDESCOPE_DATA_DIR: first } });
    expect(mintedTokenSchema.parse(JSON.parse(here.stdout)).agent.pid).toBe(one.pid);
  });

  test("another user's agent is refused by the file system, and the command says whose it is", async () => {
    const dataDirectory = join(await bundle.directory(userOfItsOwn()), 'data');
    const owner = statSync(join(dataDirectory, '..')).uid;
    await using agent = await startAgent({ uid: process.getuid?.() === 0 ? owner : undefined, dataDirectory });
    // Without root there is no second user here: then the agent's directory is closed to its own.
    const uid = userOfItsOwn();
    if (uid === undefined) chmodSync(join(dataDirectory, 'control'), 0);
    const named = await token({ uid, args: ['--data-dir', dataDirectory] });
    expect({ code: named.code, stdout: named.stdout }).toEqual({ code: 1, stdout: '' });
    expect(named.stderr).toContain('belongs to another user. Run this as the user of the agent.');
    expect((await token({ uid, env: { SIDESCOPE_DATA_DIR: dataDirectory } })).code).toBe(1);
    expect(agent.log).not.toContain('mint-token');
  });
});

describe('where the socket lies', () => {
  test.for(['a directory that cannot be made', 'a path that is too long for a socket'])(
    'with %s it is a temporary one, which goes with the agent',
    async (what) => {
      const uid = userOfItsOwn();
      const [home, temporary] = [await bundle.directory(uid), await bundle.directory(uid)];
      writeFileSync(join(home, 'file'), '');
      const dataDirectory = what.startsWith('a path') ? join(home, 'x'.repeat(100)) : join(home, 'file/data');
      await using agent = await startAgent({ uid, dataDirectory, env: { TMPDIR: temporary } });
      const { code, stdout } = await token({ uid });
      expect(code).toBe(0);
      const { listeners, features } = await infoWith(stdout.split('\n')[1] ?? '');
      expect(listeners.control).toMatch(new RegExp(`^${temporary}/sidescope-control-\\w{6}/control/sidescope.sock$`));
      expect(features).toContainEqual({ name: 'control-socket', state: 'on', reason: listeners.control, remedy: null });
      agent.kill('SIGTERM');
      await agent.exited;
      expect(readdirSync(temporary)).toEqual([]);
    },
  );

  test('of an agent that was killed nothing stays in the temporary directory for ever', async () => {
    const uid = userOfItsOwn();
    const [home, temporary] = [await bundle.directory(uid), await bundle.directory(uid)];
    writeFileSync(join(home, 'file'), '');
    const options = { uid, dataDirectory: join(home, 'file/data'), env: { TMPDIR: temporary } };
    await using living = await startAgent(options);
    await using killed = await startAgent(options);
    killed.kill('SIGKILL');
    await killed.exited;
    expect(readdirSync(temporary)).toHaveLength(2);
    await using _next = await startAgent(options);
    expect(readdirSync(temporary)).toHaveLength(2);
    living.kill('SIGTERM');
    await living.exited;
    expect(readdirSync(temporary)).toHaveLength(1);
  });

  test('with no place at all the feature is off with its reason, and the agent stays', async () => {
    const uid = userOfItsOwn();
    const home = await bundle.directory(uid);
    writeFileSync(join(home, 'file'), '');
    const env = { TMPDIR: join(home, 'file') };
    await using agent = await startAgent({ uid, dataDirectory: join(home, 'file/data'), env });
    const ops = /"ops":"([^"]+)"/.exec(agent.log)?.[1] ?? '';
    const { features } = (await (await fetch(`${ops}/readyz`)).json()) as Pick<Info, 'features'>;
    expect(features).toContainEqual({
      name: 'control-socket',
      state: 'failed',
      reason: expect.stringMatching(/^no local socket at .*: ENOTDIR/) as string,
      remedy: expect.stringContaining('--data-dir') as string,
    });
    expect((await token({ uid })).stderr).toContain('no agent runs here');
  });

  test('a foreign thing in the place of its directory is left alone', async () => {
    const uid = userOfItsOwn();
    const dataDirectory = join(await bundle.directory(uid), 'data');
    await using first = await startAgent({ uid, dataDirectory });
    first.kill('SIGTERM');
    await first.exited;
    rmSync(join(dataDirectory, 'control'), { recursive: true });
    writeFileSync(join(dataDirectory, 'control'), 'mine');
    const temporary = await bundle.directory(uid);
    await using _second = await startAgent({ uid, dataDirectory, env: { TMPDIR: temporary } });
    expect((await token({ uid })).code).toBe(0);
    expect(statSync(join(dataDirectory, 'control')).isFile()).toBe(true);
  });
});

async function takePort(): Promise<AsyncDisposable & { port: number }> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    [Symbol.asyncDispose]: () => new Promise<void>((resolve) => server.close(() => resolve())),
  };
}
