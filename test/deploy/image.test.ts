import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { hostArchitecture } from '../../deploy/image/architecture.ts';
import { build, maxAppLayerBytes, maxImageBytes } from '../../deploy/image/build.ts';
import { exportArchive, imageId } from '../../deploy/image/buildah.ts';
import { measureArchive } from '../../deploy/image/measure.ts';
import { softwareBillOfMaterials } from '../../deploy/image/sbom.ts';
import { waitFor } from '../support/wait-for.ts';
import { runPodman as podman } from './pod/podman.ts';

let image: string;
beforeAll(async () => {
  image = await build(hostArchitecture());
}, 120_000);

describe('the image', () => {
  it('is the same, to the bit, when it is built again from nothing', async () => {
    const before = imageId(image);
    expect(before).toMatch(/^[0-9a-f]{64}$/);
    await build(hostArchitecture(), { fresh: true });
    expect(imageId(image)).toBe(before);
  });

  it('is within its budget, as a registry would serve it', () => {
    const directory = mkdtempSync(join(tmpdir(), 'sidescope-image-'));
    try {
      const archive = join(directory, 'image.tar');
      exportArchive(image, archive);
      const { totalBytes, layers } = measureArchive(archive);
      expect(layers).toHaveLength(2);
      expect(totalBytes).toBeLessThanOrEqual(maxImageBytes);
      expect(layers.at(-1)).toBeLessThanOrEqual(maxAppLayerBytes);
    } finally {
      rmSync(directory, { recursive: true });
    }
  });

  it('runs as a numbered user, closes SIGUSR1 and takes no inspector from the environment', async () => {
    const [{ Config }] = JSON.parse((await podman('image', 'inspect', image)).stdout) as [
      { Config: { User: string; Entrypoint: string[]; Env: string[]; Labels: Record<string, string> } },
    ];
    expect(Config.User).toBe('65532:65532');
    expect(Config.Entrypoint).toEqual(['/nodejs/bin/node', '--disable-sigusr1', '/app/agent/main.mjs']);
    expect(Config.Env).toContain('NODE_OPTIONS=');
    expect(Config.Labels['org.opencontainers.image.licenses']).toBe('Apache-2.0');
  });

  it('has one Node and one bundle, and neither shell nor npm nor anything that others may write', async () => {
    const mounted = (await podman('image', 'mount', image)).stdout.trim();
    try {
      const paths = readdirSync(mounted, { recursive: true, encoding: 'utf8' });
      const programs = paths.filter((path) => {
        const stat = statSync(join(mounted, path), { throwIfNoEntry: false });
        return stat?.isFile() === true && (stat.mode & 0o111) !== 0;
      });
      const loader = programs.filter((path) => /(^|\/)ld-linux-[^/]+$/.test(path));
      expect(programs.filter((path) => !loader.includes(path)).sort()).toEqual([
        'nodejs/bin/node',
        'usr/local/bin/sidescope',
      ]);
      expect(paths.filter((path) => /(^|\/)(npm|npx|node_modules|sh|bash|busybox)$|\.map$/.test(path))).toEqual([]);
      const writable = paths.filter((path) => {
        const stat = statSync(join(mounted, path), { throwIfNoEntry: false });
        return stat !== undefined && (stat.mode & 0o022) !== 0;
      });
      expect(writable).toEqual(['tmp']);
      expect(readFileSync(join(mounted, 'app/THIRD-PARTY-LICENSES'), 'utf8')).toContain('hono');
      expect(paths.some((path) => path.endsWith('libc6/copyright'))).toBe(true);
    } finally {
      await podman('image', 'unmount', image);
    }
  });

  it('has a bill of materials that names every package the agent depends on', () => {
    const { dependencies } = JSON.parse(readFileSync(join(import.meta.dirname, '../../package.json'), 'utf8')) as {
      dependencies: Record<string, string>;
    };
    const { components, dependencies: edges, metadata } = softwareBillOfMaterials();
    const listed = components.map(({ name, version }) => `${name}@${version}`);
    expect(listed).toEqual(
      expect.arrayContaining(Object.entries(dependencies).map(([name, version]) => `${name}@${version}`)),
    );
    expect(listed.some((name) => /^(vite|typescript|vitest)@/.test(name))).toBe(false);
    const known = [metadata.component, ...components].map((component) => component['bom-ref']);
    for (const { dependsOn = [] } of edges) expect(known).toEqual(expect.arrayContaining([...dependsOn]));
  });
});

describe('a container of it, without arguments', () => {
  it('on a read-only root keeps profiles under /tmp and says that they go with it', async () => {
    await using container = await runContainer('--read-only');
    await waitFor(async () => (await container.log()).includes('sidescope is ready'), {
      message: 'the agent to be ready',
    });
    expect(await container.log()).toMatch(/profiles go to a temporary one and are removed with the agent/);
    expect(await container.feature('storage')).toMatchObject({ state: 'on' });
  });

  it('without any writable place stays up, says that storage is off, and still gives the page', async () => {
    await using container = await runContainer('--read-only', '--read-only-tmpfs=false');
    await waitFor(async () => (await container.log()).includes('sidescope is ready'), {
      message: 'the agent to be ready',
    });
    expect(await container.feature('storage')).toMatchObject({ state: 'failed' });
    expect((await container.fetch('http://127.0.0.1:7777/api/v1/profiling/ui')).status).toBe(200);
    expect((await container.fetch('http://127.0.0.1:7778/livez')).status).toBe(200);
  });

  it('under an arbitrary user survives SIGUSR1 without opening an inspector, and ends with 0 at SIGTERM', async () => {
    await using container = await runContainer('--user', '1000730000:0');
    await waitFor(async () => (await container.log()).includes('sidescope is ready'), {
      message: 'the agent to be ready',
    });
    await podman('kill', '--signal', 'SIGUSR1', container.name);
    expect((await container.fetch('http://127.0.0.1:7778/livez')).status).toBe(200);
    await expect(container.fetch('http://127.0.0.1:9229/json/list')).rejects.toThrow(/ECONNREFUSED/);
    await podman('stop', '--time', '10', container.name);
    const { stdout } = await podman('container', 'inspect', container.name, '--format', '{{.State.ExitCode}}');
    expect(stdout.trim()).toBe('0');
  });

  it('with the time of the kubectl debug profile ends by itself, with 0', async () => {
    await using container = await runContainer('--env', 'SIDESCOPE_TTL=2s');
    const state = async (field: string): Promise<string> =>
      (await podman('container', 'inspect', container.name, '--format', `{{.State.${field}}}`)).stdout.trim();
    await waitFor(async () => (await state('Status')) === 'exited', { message: 'the agent to end by itself' });
    expect(await state('ExitCode')).toBe('0');
    expect(await container.log()).toContain('--ttl: it stops by itself then');
  });
});

it('reading a profile that is too large for the container ends with a sentence, not with the agent', async () => {
  const script = `
    import { truncateSync, writeFileSync } from 'node:fs';
    import { fork } from 'node:child_process';
    writeFileSync('/tmp/large.cpuprofile', '');
    truncateSync('/tmp/large.cpuprofile', 50_000_000);
    const child = fork('/app/agent/profile-worker-child.mjs', [], { execArgv: [], serialization: 'advanced' });
    child.once('message', ({ ok, code, message }) => {
      console.log(JSON.stringify({ ok, code, message }));
      child.disconnect();
    });
    child.send({ type: 'facts', path: '/tmp/large.cpuprofile' });`;
  const node = ['--entrypoint', '/nodejs/bin/node', image, '--input-type=module', '-e', script];
  const { stdout } = await podman('run', '--rm', '--network', 'none', '--memory', '256m', ...node);
  expect(JSON.parse(stdout)).toEqual({
    ok: false,
    code: 'analysis-limit',
    message: `the profile has 50000000 B, the limit is ${2 ** 25} B`,
  });
});

interface Container extends AsyncDisposable {
  readonly name: string;
  log(): Promise<string>;
  /** From inside: the container has no network but its own. */
  fetch(url: string): Promise<{ status: number; body: string }>;
  feature(name: string): Promise<unknown>;
}

async function runContainer(...flags: string[]): Promise<Container> {
  const name = `sidescope-image-test-${process.pid}-${Math.random().toString(36).slice(2, 8)}`;
  await podman('run', '--detach', '--name', name, '--network', 'none', '--cap-drop', 'all', ...flags, image);
  const get = async (url: string): Promise<{ status: number; body: string }> => {
    const script = `const response = await fetch(${JSON.stringify(url)}); console.log(JSON.stringify({ status: response.status, body: await response.text() }))`;
    const { stdout } = await podman('exec', name, '/nodejs/bin/node', '--input-type=module', '-e', script);
    return JSON.parse(stdout) as { status: number; body: string };
  };
  return {
    name,
    async log() {
      const { stdout, stderr } = await podman('logs', name);
      return stdout + stderr;
    },
    fetch: get,
    async feature(wanted) {
      // readyz lists what is not plainly on.
      const { features } = JSON.parse((await get('http://127.0.0.1:7778/readyz')).body) as {
        features: { name: string }[];
      };
      return features.find((feature) => feature.name === wanted) ?? { name: wanted, state: 'on' };
    },
    async [Symbol.asyncDispose]() {
      await podman('rm', '--force', '--time', '0', name);
    },
  };
}
