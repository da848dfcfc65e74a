import { chmodSync, copyFileSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { apiPath } from '../../protocol/rest/routes.ts';
import { copyBundle, userOfItsOwn } from '../support/bundle-process.ts';
import type { BundleProcess, PublicBundle } from '../support/bundle-process.ts';
import { isAlive } from '../support/is-alive.ts';
import { waitFor } from '../support/wait-for.ts';
import type { Cluster } from './stand-in-kubectl.ts';

let bundle: PublicBundle;
beforeAll(async () => {
  bundle = await copyBundle();
});
afterAll(() => bundle[Symbol.asyncDispose]());

interface Pod {
  /** A user of its own: agents of other tests are none of its business. */
  readonly uid: number | undefined;
  readonly dataDirectory: string;
  readonly env: Record<string, string>;
  readonly args: readonly string[];
  /** What `kubectl` says from now on instead of doing it. */
  refuse(refuses: Cluster['refuses']): void;
  calls(): { pid: number; argv: string[] }[];
  /** The address that the browser was given. */
  browsed(): string | undefined;
}

/** A kubectl and a browser of its own; the agent in the pod is started apart. */
async function makePod(): Promise<Pod> {
  const uid = userOfItsOwn();
  const home = await bundle.directory(uid);
  const file = (name: string): string => join(home, name);
  const script = (name: string, line: string): void => {
    writeFileSync(file(name), `#!/bin/sh\n${line}\n`);
    chmodSync(file(name), 0o755);
  };
  const dataDirectory = file('data');
  const refuse = (refuses: Cluster['refuses']): void => {
    const environment = { SIDESCOPE_DATA_DIR: dataDirectory };
    const cluster = { calls: file('calls'), environment, refuses } satisfies Cluster;
    writeFileSync(file('cluster.json'), JSON.stringify(cluster));
  };
  refuse({});
  writeFileSync(file('calls'), '');
  chmodSync(file('calls'), 0o666);
  // `.mts`: beside it is no package.json that says what it is.
  copyFileSync(join(import.meta.dirname, 'stand-in-kubectl.ts'), file('kubectl.mts'));
  script('kubectl', `exec '${bundle.command[0]}' '${file('kubectl.mts')}' '${file('cluster.json')}' "$@"`);
  script('xdg-open', `printf %s "$1" > '${file('browsed')}'`);
  return {
    uid,
    dataDirectory,
    env: { PATH: `${home}:${process.env['PATH'] ?? ''}` },
    args: ['open', 'pod/shop', '--exec', bundle.command.join(' ')],
    refuse,
    calls: () =>
      readFileSync(file('calls'), 'utf8')
        .split('\n')
        .filter((line) => line !== '')
        .map((line) => JSON.parse(line) as { pid: number; argv: string[] }),
    browsed: () => (existsSync(file('browsed')) ? readFileSync(file('browsed'), 'utf8') : undefined),
  };
}

async function startAgent({ uid, dataDirectory }: Pod, port = 0): Promise<BundleProcess & { adminPort: number }> {
  const addresses = ['--admin-address', `127.0.0.1:${port}`, '--ops-address', 'off'];
  const agent = bundle.start({ args: [...addresses, '--data-dir', dataDirectory], uid });
  const [, adminPort] = await agent.logged(/"admin":"http:\/\/127\.0\.0\.1:(\d+)".*sidescope is ready/);
  return Object.assign(agent, { adminPort: Number(adminPort) });
}

async function links(open: BundleProcess, count = 1): Promise<string> {
  const seen = await waitFor(() => open.printed.split('\n').length > count && open.printed.split('\n'), {
    deadlineMs: 20_000,
    message: () => `link ${count}; it said ${open.log}`,
  });
  return seen[count - 1] ?? '';
}

async function statusThrough(link: string): Promise<number> {
  const { origin, hash } = new URL(link);
  const headers = { authorization: `Bearer ${hash.replace('#token=', '')}`, connection: 'close' };
  return (await fetch(`${origin}${apiPath}/targets`, { headers })).status;
}

describe('sidescope open', () => {
  test('forwards a port, mints a token in the container and opens the browser, which sees no token', async () => {
    const pod = await makePod();
    await using agent = await startAgent(pod);
    await using open = bundle.start({
      args: [...pod.args, '-n', 'prod', '--context', 'a b'],
      env: pod.env,
      uid: pod.uid,
    });
    const link = await links(open);
    expect(link).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/api\/v1\/profiling\/ui#token=sst_[\w-]{43}$/);
    expect(await statusThrough(link)).toBe(200);

    const [exec, forward] = pod.calls();
    expect(exec?.argv).toEqual([
      ...['--context=a b', '--namespace=prod', 'exec', 'pod/shop', '--container=sidescope', '--'],
      ...[...bundle.command, 'token', '--json'],
    ]);
    expect(forward?.argv).toEqual([
      ...[
        '--context=a b',
        '--namespace=prod',
        'port-forward',
        '--address=127.0.0.1',
        'pod/shop',
        `:${agent.adminPort}`,
      ],
    ]);

    const address = await waitFor(() => pod.browsed(), { message: 'the browser' });
    expect(address).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/[\w-]{22}$/);
    const wrong = await fetch(`${new URL(address).origin}/guess`, { redirect: 'manual' });
    expect(wrong.status).toBe(404);
    const answer = await fetch(address, { redirect: 'manual', headers: { connection: 'close' } });
    expect({ status: answer.status, location: answer.headers.get('location') }).toEqual({
      status: 302,
      location: link,
    });
    await expect(fetch(address, { redirect: 'manual' })).rejects.toThrow();
  });

  test('Ctrl-C ends it with the forward, and nothing is left', async () => {
    const pod = await makePod();
    await using _agent = await startAgent(pod);
    await using open = bundle.start({ args: [...pod.args, '--no-browser'], env: pod.env, uid: pod.uid });
    await links(open);
    open.kill('SIGINT');
    expect(await open.exited).toEqual({ code: 0, signal: null });
    expect(pod.calls().filter(({ pid }) => isAlive(pid))).toEqual([]);
    expect(pod.browsed()).toBeUndefined();
  });

  test('a forward that is cut is made anew on the same local port', async () => {
    const pod = await makePod();
    await using _agent = await startAgent(pod);
    await using open = bundle.start({ args: [...pod.args, '--no-browser'], env: pod.env, uid: pod.uid });
    const link = await links(open);
    process.kill(pod.calls()[1]?.pid ?? 0, 'SIGKILL');
    await open.logged(/the connection was lost; connecting again …\n(.*\n)*connected again\n/);
    expect(await statusThrough(link)).toBe(200);
    expect(open.printed.trim()).toBe(link);
  });

  test('an agent that was restarted gives a new token, and its link is printed', async () => {
    const pod = await makePod();
    await using first = await startAgent(pod);
    await using open = bundle.start({ args: [...pod.args, '--no-browser'], env: pod.env, uid: pod.uid });
    const before = await links(open);
    first.kill('SIGKILL');
    await first.exited;
    await using _second = await startAgent(pod, first.adminPort);
    const after = await links(open, 2);
    expect(after.split('#')[0]).toBe(before.split('#')[0]);
    expect(after).not.toBe(before);
    expect(await statusThrough(after)).toBe(200);
    expect(open.log).toContain('the token has ended, or the agent was restarted; the new link:');
  });

  test('when the pod is gone it ends, and says so', async () => {
    const pod = await makePod();
    await using _agent = await startAgent(pod);
    await using open = bundle.start({ args: [...pod.args, '--no-browser'], env: pod.env, uid: pod.uid });
    await links(open);
    pod.refuse({ 'port-forward': 'Error from server (NotFound): pods "shop" not found' });
    process.kill(pod.calls()[1]?.pid ?? 0, 'SIGKILL');
    expect(await open.exited).toEqual({ code: 1, signal: null });
    expect(open.log).toContain('pods "shop" not found');
  });

  test('without a browser to start the link is there to be opened by hand', async () => {
    const pod = await makePod();
    await using _agent = await startAgent(pod);
    writeFileSync(join(pod.dataDirectory, '../xdg-open'), '#!/bin/sh\nexit 3\n');
    await using open = bundle.start({ args: pod.args, env: pod.env, uid: pod.uid });
    await open.logged(/no browser could be started \(xdg-open ended with 3\): open the link above\./);
    expect(await statusThrough(await links(open))).toBe(200);
  });

  test('what the agent in the container says is passed on', async () => {
    const pod = await makePod();
    const { code, stderr } = await bundle.run({ args: pod.args, env: pod.env, uid: pod.uid });
    expect(code).toBe(1);
    expect(stderr).toMatch(
      /^sidescope open: kubectl exec pod\/shop -c sidescope -- .* token: sidescope token: no agent/,
    );
  });
});

describe('every failure of kubectl is explained', () => {
  test.for<[string, 'exec' | 'port-forward', string, string]>([
    ['no such pod', 'exec', 'Error from server (NotFound): pods "shop" not found', 'the right namespace (-n)'],
    ['no such namespace', 'exec', 'Error from server (NotFound): namespaces "x" not found', 'kubectl get namespaces'],
    [
      'no right to exec',
      'exec',
      'Error from server (Forbidden): pods "shop" is forbidden: User "jane" cannot create resource "pods/exec" in API group ""',
      '`create` on `pods/exec` and `pods/portforward`',
    ],
    [
      'no right to forward',
      'port-forward',
      'Error from server (Forbidden): pods "shop" is forbidden: User "jane" cannot create resource "pods/portforward"',
      '`create` on `pods/exec` and `pods/portforward`',
    ],
    [
      'no such container',
      'exec',
      'Error from server (BadRequest): container sidescope is not valid for pod shop',
      '-c',
    ],
    ['a container that waits', 'exec', 'error: unable to upgrade connection: container not found ("sidescope")', '-c'],
    [
      'another image',
      'exec',
      'error: Internal error occurred: error executing command in container: exec: "sidescope": executable file not found in $PATH: unknown',
      '--exec names it',
    ],
    ['no such context', 'exec', 'error: context "nope" does not exist', 'kubectl config get-contexts'],
    ['an ended login', 'exec', 'error: You must be logged in to the server (Unauthorized)', 'log in anew'],
    [
      'no cluster',
      'exec',
      'The connection to the server localhost:8080 was refused - did you specify the right host or port?',
      'Does `kubectl get pods` answer?',
    ],
    [
      'a pod that does not run',
      'port-forward',
      'error: unable to forward port because pod is not running. Current status=Pending',
      '`kubectl describe pod NAME`',
    ],
    [
      'a local port that is taken',
      'port-forward',
      'Unable to listen on port 8080: Listeners failed to create with the following errors: [unable to create listener: Error listen tcp4 127.0.0.1:8080: bind: address already in use]',
      '--port names another',
    ],
    ['something new', 'exec', 'error: \u001b[31mthe moon is full', '?[31mthe moon is full'],
  ])('%s', async ([, verb, says, advice]) => {
    const pod = await makePod();
    await using _agent = verb === 'port-forward' ? await startAgent(pod) : null;
    pod.refuse({ [verb]: says });
    const { code, stdout, stderr } = await bundle.run({ args: pod.args, env: pod.env, uid: pod.uid });
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toMatch(new RegExp(`^sidescope open: kubectl ${verb} pod/shop `));
    expect(stderr).toContain(says.replaceAll('\u001b', '?'));
    expect(stderr).toContain(advice);
    expect(pod.browsed()).toBeUndefined();
  });

  test("the log of kubectl's library is left out", async () => {
    const pod = await makePod();
    const line = 'E1122 18:02:06.047889   22416 memcache.go:265] "Unhandled Error" err="dial tcp: connection refused"';
    pod.refuse({ exec: `${line}\n${line}\nThe connection to the server localhost:8080 was refused` });
    const { stderr } = await bundle.run({ args: pod.args, env: pod.env, uid: pod.uid });
    expect(stderr).toContain('token: The connection to the server localhost:8080 was refused\n');
    expect(stderr).not.toContain('memcache');
  });

  test('a kubectl that is not there', async () => {
    const { code, stderr } = await bundle.run({ args: ['open', 'shop', '--kubectl', 'kubectl-of-nobody'] });
    expect(code).toBe(1);
    expect(stderr).toBe(
      'sidescope open: kubectl cannot be run: there is no kubectl-of-nobody on PATH. --kubectl names it.\n',
    );
  });
});

test.for<[string[], string]>([
  [[], 'one pod by its name, as pod/NAME; none is named'],
  [['pod/a', 'pod/b'], 'one pod by its name, as pod/NAME; not "pod/a pod/b"'],
  [['deploy/shop'], 'not "deploy/shop"'],
  [['pod/--all'], 'not "pod/--all"'],
  [['shop', '-n', 'a b'], '-n "a b" is no name in Kubernetes'],
  [['shop', '--port', '99999'], '--port "99999" is no port'],
  [['shop', '--nope'], "Unknown option '--nope'"],
])('a command line with a mistake calls nobody: open %j', async ([args, sentence]) => {
  const { code, stdout, stderr } = await bundle.run({ args: ['open', ...args, '--kubectl', '/nowhere'] });
  expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
  expect(stderr).toContain(sentence);
});
