import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { explainProcess } from '../../agent/cli/why.ts';
import { startTarget } from '../support/target.ts';

interface Cluster extends AsyncDisposable {
  readonly folder: string;
  readonly kubectl: string;
  calls(): Promise<{ argv: string[]; custom?: unknown }[]>;
}

const restricted = { runAsUser: 1000, runAsGroup: 3000 };

async function startCluster(spec: object, annotations: Record<string, string> = {}): Promise<Cluster> {
  const folder = await mkdtemp(join(tmpdir(), 'sidescope-pod-'));
  const kubectl = join(folder, 'kubectl');
  const standIn = join(import.meta.dirname, 'stand-in-kubectl.ts');
  await writeFile(kubectl, `#!/bin/sh\nexec '${process.execPath}' '${standIn}' '${folder}' "$@"\n`);
  await chmod(kubectl, 0o755);
  await writeFile(join(folder, 'pod.json'), JSON.stringify({ metadata: { annotations }, spec }));
  return {
    folder,
    kubectl,
    async calls() {
      const lines = (await readFile(join(folder, 'calls'), 'utf8')).trim().split('\n');
      return lines.map((line) => JSON.parse(line) as { argv: string[]; custom?: unknown });
    },
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true }),
  };
}

const main = join(import.meta.dirname, '../../agent/main.ts');

async function why(cluster: Cluster, args: readonly string[]): Promise<string> {
  let printed = '';
  await explainProcess({
    argv: ['pod/shop', '--kubectl', cluster.kubectl, '--exec', `${process.execPath} ${main}`, ...args],
    environment: {},
    platform: 'linux',
    signal: new AbortController().signal,
    print: (text) => void (printed += text),
    say: () => undefined,
  });
  return printed;
}

describe('sidescope why pod/NAME', () => {
  it('asks in an ephemeral container, as the user of the application and in its process namespace', async () => {
    await using target = await startTarget('never-prepared', { execArgv: ['--debug-port=0'] });
    await target.send({ deed: 'spin' });
    await target.waitForOutput(/^stuck$/m);
    const containers = [{ name: 'proxy' }, { name: 'shop', securityContext: { runAsUser: 1000 } }];
    const annotations = { 'kubectl.kubernetes.io/default-container': 'shop' };
    await using cluster = await startCluster({ containers, securityContext: { runAsGroup: 3000 } }, annotations);
    const printed = await why(cluster, ['-n', 'prod', '--pid', String(target.pid), '--image', 'registry.example/s:1']);
    expect(printed).toContain('synchronous JavaScript runs without a pause');
    expect(printed).toMatch(/in +spin .*never-prepared\.cjs:/);
    expect(printed).toContain('sidescope open pod/shop');

    const calls = await cluster.calls();
    const debug = calls.find(({ argv }) => argv.includes('debug'));
    const container = debug?.argv.find((word) => word.startsWith('--container=')) ?? '';
    expect(container).toMatch(/^--container=sidescope-why-[0-9a-f]{8}$/);
    expect(debug?.argv.slice(0, debug.argv.indexOf('--'))).toEqual([
      ...['--namespace=prod', 'debug', 'pod/shop', '--image=registry.example/s:1', '--target=shop', container],
      ...['--profile=restricted', expect.stringMatching(/^--custom=/) as string, '--attach=false', '--quiet'],
    ]);
    expect(debug?.custom).toEqual({ securityContext: { ...restricted, runAsNonRoot: true } });
    expect(calls.at(-1)?.argv).toEqual(['--namespace=prod', 'logs', 'pod/shop', container]);
  });

  it('tells what the container said when there is no answer', async () => {
    await using cluster = await startCluster({ containers: [{ name: 'shop', securityContext: restricted }] });
    await expect(why(cluster, ['--pid', '4194304'])).rejects.toMatchObject({
      code: 'debug-container-failed',
      message: expect.stringContaining('no process 4194304') as string,
    });
  });

  it('asks the container for its user where the pod does not say it, and then the person', async () => {
    await using cluster = await startCluster({ containers: [{ name: 'shop' }] });
    await expect(why(cluster, ['--pid', '4194304'])).rejects.toMatchObject({
      code: 'invalid-option',
      message: expect.stringContaining('--user UID:GID') as string,
    });
    await writeFile(join(cluster.folder, 'has-id'), '');
    await expect(why(cluster, ['--pid', '4194304'])).rejects.toMatchObject({ code: 'debug-container-failed' });
    await expect(why(cluster, ['--pid', '4194304', '--user', '0:0'])).rejects.toMatchObject({
      code: 'debug-container-failed',
    });
    const contexts = (await cluster.calls()).flatMap(({ custom }) => (custom === undefined ? [] : [custom]));
    expect(contexts).toEqual([
      { securityContext: { runAsUser: 4001, runAsGroup: 4002, runAsNonRoot: true } },
      { securityContext: { runAsUser: 0, runAsGroup: 0, runAsNonRoot: false } },
    ]);
  });

  it.each([
    [['--watch'], /not for pods/],
    [['-c', 'other'], /no container other; it has shop/],
    [['--user', 'root'], /not UID or UID:GID/],
    [['--pid', 'x'], /no process id/],
  ])('refuses %j', async (args, message) => {
    await using cluster = await startCluster({ containers: [{ name: 'shop', securityContext: restricted }] });
    await expect(why(cluster, args)).rejects.toMatchObject({
      code: 'invalid-option',
      message: expect.stringMatching(message) as string,
    });
  });
});
