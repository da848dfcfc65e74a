import { execFile, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { stringify } from 'yaml';
import { hostArchitecture } from '../../../deploy/image/architecture.ts';
import { build } from '../../../deploy/image/build.ts';
import { buildImage, cacheDirectory, storageFlags } from '../../../deploy/image/buildah.ts';
import { applicationLayerDirectory } from './application.ts';
import type { ExecResult, Pod, PodOptions, PodRuntime } from './pod.ts';
import { podForPodman } from './podman-manifest.ts';

const run = promisify(execFile);

/** Why podman cannot run a pod here; undefined when it can. */
export function podmanProblem(): string | undefined {
  const info = () => spawnSync('podman', [...storageFlags, 'info'], { encoding: 'utf8', env: environment() });
  let { status, stderr, error } = info();
  if (status !== 0 && stderr?.includes('database configuration mismatch')) {
    // The tree was moved since; only containers are lost, and none is kept.
    rmSync(join(cacheDirectory, 'storage/libpod'), { recursive: true });
    ({ status, stderr, error } = info());
  }
  return status === 0 ? undefined : (error?.message ?? stderr);
}

/** Tags in the storage of this tree. */
const images = {
  sidescope: `localhost/sidescope:${hostArchitecture()}`,
  shop: 'localhost/shop:test',
  second: 'localhost/shop:test',
};

export const podman: PodRuntime = {
  name: 'podman',
  hasSeccomp: true,
  async prepare() {
    await build(hostArchitecture());
    buildImage({
      tag: images.shop,
      containerfile: join(import.meta.dirname, '../shop/Containerfile'),
      context: applicationLayerDirectory(),
      architecture: hostArchitecture(),
      buildArguments: { BASE: `localhost/sidescope-base:${hostArchitecture()}` },
    });
  },
  openPod,
};

async function openPod(options: PodOptions): Promise<Pod> {
  await using stack = new AsyncDisposableStack();
  const directory = mkdtempSync(join(tmpdir(), 'sidescope-pod-'));
  stack.defer(() => rmSync(directory, { recursive: true }));
  const name = directory.slice(directory.lastIndexOf('/') + 1).toLowerCase();
  const file = join(directory, 'pod.yaml');
  const { manifest, volumes } = podForPodman({ ...options, images, name, directory });
  writeFileSync(file, stringify(manifest, { aliasDuplicateObjects: false }));

  stack.defer(async () => {
    await runPodman('pod', 'rm', '--force', '--ignore', '--time', '0', name);
    for (const volume of volumes) await runPodman('volume', 'rm', '--force', volume);
  });
  await runPodman('kube', 'play', '--network', 'none', '--start=false', file);
  const resources = stack.move();

  let networkPid = 0;
  const inspect = async (container: string, field: string): Promise<string> =>
    (await runPodman('container', 'inspect', `${name}-${container}`, '--format', `{{.State.${field}}}`)).stdout.trim();
  return {
    async start(container) {
      await runPodman('start', `${name}-${container}`);
      networkPid ||= Number(await inspect(container, 'Pid'));
    },
    exec: (container, command) => podmanExec(`${name}-${container}`, command),
    execCommand: (container) => ({
      command: ['podman', ...storageFlags, 'exec', `${name}-${container}`],
      environment: environment(),
    }),
    async pid(container) {
      const pid = Number(await inspect(container, 'Pid'));
      if (pid === 0) throw new Error(`container ${container} does not run`);
      return pid;
    },
    async logs(container) {
      const { stdout, stderr } = await runPodman('logs', `${name}-${container}`);
      return stdout + stderr;
    },
    async stop(container, graceSeconds) {
      await runPodman('stop', '--time', String(graceSeconds), `${name}-${container}`);
      return Number(await inspect(container, 'ExitCode'));
    },
    get networkPid() {
      return networkPid;
    },
    [Symbol.asyncDispose]: () => resources.disposeAsync(),
  };
}

async function podmanExec(container: string, command: readonly string[]): Promise<ExecResult> {
  try {
    return { code: 0, ...(await runPodman('exec', container, ...command)) };
  } catch (error) {
    const { code, stdout, stderr } = error as { code?: unknown; stdout?: string; stderr?: string };
    if (typeof code !== 'number') throw error;
    return { code, stdout: stdout ?? '', stderr: stderr ?? '' };
  }
}

/** Rejects with podman's own words. */
export function runPodman(...args: string[]): Promise<{ stdout: string; stderr: string }> {
  return run('podman', [...storageFlags, ...args], {
    env: environment(),
    // Its monitor leaves a file named `oom` where it was started, when a container ran out of memory.
    cwd: cacheDirectory,
    maxBuffer: 64 * 1024 * 1024,
    timeout: 60_000,
  });
}

/** The machine's own configuration of podman is not read: what a test needs is all here. */
function environment(): NodeJS.ProcessEnv {
  mkdirSync(cacheDirectory, { recursive: true });
  const configuration = join(cacheDirectory, 'containers.conf');
  writeFileSync(configuration, containersConf);
  return { ...process.env, CONTAINERS_CONF: configuration };
}

const containersConf = `[containers]
# Podman's own defaults need CAP_SYS_RESOURCE, which a build machine may lack.
default_ulimits = ["nofile=1024:1024", "nproc=4096:4096"]
[engine]
# There is no systemd to ask, and crun refuses the hybrid hierarchy of cgroups.
cgroup_manager = "cgroupfs"
events_logger = "file"
runtime = "runc"
`;
