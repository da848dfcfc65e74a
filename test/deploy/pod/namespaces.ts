import { execFile, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  copyFileSync,
  existsSync,
  globSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { appLayerDirectory } from '../../../deploy/image/app-layer.ts';
import { hostArchitecture } from '../../../deploy/image/architecture.ts';
import { prepareBase } from '../../../deploy/image/base-files.ts';
import { root } from '../../../deploy/image/buildah.ts';
import { at, list, podTemplate, text } from '../render.ts';
import type { JsonObject } from '../render.ts';
import { waitFor } from '../../support/wait-for.ts';
import { applicationLayerDirectory } from './application.ts';
import { environmentOf, lastingContainers, sharesProcesses } from './pod-spec.ts';
import type { Pod, PodOptions, PodRuntime } from './pod.ts';

const run = promisify(execFile);

/**
 * A pod of the kernel's own parts: one network namespace; per container a mount and a process namespace, a read-only overlay of
 * the same layers as its image, its user without capabilities, its memory limit. No seccomp and no CPU limit.
 */
export const namespaces: PodRuntime = {
  name: 'namespaces of the kernel',
  hasSeccomp: false,
  async prepare() {
    const { status } = spawnSync(process.execPath, [join(root, '.tools/build.ts'), '--when-stale'], {
      stdio: 'inherit',
    });
    if (status !== 0) throw new Error('the bundle could not be built');
    const { directory: base } = await prepareBase(hostArchitecture());
    const application: Image = {
      layers: [applicationLayerDirectory(), base],
      command: [],
      directory: '/srv',
      environment: { PATH: '/usr/local/bin' },
    };
    images = {
      sidescope: {
        layers: [appLayerDirectory(), base],
        command: agentCommand,
        directory: '/',
        environment: agentEnvironment,
      },
      shop: application,
      second: application,
    };
  },
  openPod,
};

interface Image {
  readonly layers: readonly string[];
  readonly command: readonly string[];
  readonly directory: string;
  readonly environment: Readonly<Record<string, string>>;
}

let images: Readonly<Record<string, Image>> = {};
// Absolute, as the containers' own PATH is in force where they are started.
const nsenter = '/usr/bin/nsenter';
const unshare = '/usr/bin/unshare';
/** As the Containerfile has them. */
const agentCommand = ['/nodejs/bin/node', '--disable-sigusr1', '/app/agent/main.mjs'];
const agentEnvironment = { NODE_ENV: 'production', NODE_OPTIONS: '', PATH: '/usr/local/bin:/usr/bin:/bin' };

async function openPod(options: PodOptions): Promise<Pod> {
  await using stack = new AsyncDisposableStack();
  const directory = mkdtempSync(join(tmpdir(), 'sidescope-pod-'));
  stack.defer(() => rmSync(directory, { recursive: true }));
  const name = directory.slice(directory.lastIndexOf('/') + 1).toLowerCase();
  // What the pause process of a pod is for: it holds the network.
  const isShared = sharesProcesses(options.deployment);
  const shared = isShared ? ['--pid', '--fork', '--kill-child=SIGKILL'] : [];
  const pause = spawn('unshare', ['--net', ...shared, 'sh', '-c', 'ip link set lo up; echo ready; exec cat'], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  stack.defer(async () => {
    pause.kill('SIGKILL');
    if (pause.exitCode === null && pause.signalCode === null) await once(pause, 'exit');
  });
  await once(pause.stdout, 'data');
  const networkPid = pause.pid ?? -1;
  // With a namespace of processes, its first one is the child of `unshare`.
  const firstPid = isShared
    ? readFileSync(`/proc/${networkPid}/task/${networkPid}/children`, 'utf8').trim()
    : undefined;

  const containers = new Map(
    lastingContainers(options.deployment).map((container) => [
      text(container['name']),
      stack.use(new Container(container, { ...options, name, directory, networkPid, firstPid })),
    ]),
  );
  const container = (wanted: string): Container => {
    const found = containers.get(wanted);
    if (found === undefined) throw new Error(`the pod has no container ${wanted}`);
    return found;
  };
  const resources = stack.move();
  return {
    networkPid,
    start: (wanted) => container(wanted).start(),
    exec: (wanted, command) => container(wanted).exec(command),
    execCommand: (wanted) => container(wanted).execCommand(),
    pid: async (wanted) => container(wanted).pid(),
    logs: async (wanted) => container(wanted).log,
    stop: (wanted, graceSeconds) => container(wanted).stop(graceSeconds),
    [Symbol.asyncDispose]: () => resources.disposeAsync(),
  };
}

interface ContainerOptions extends PodOptions {
  readonly name: string;
  readonly directory: string;
  readonly networkPid: number;
  /** Of the namespace of processes that all containers share. */
  readonly firstPid: string | undefined;
}

/** Between the end of a process and its next start: the kubelet's is longer. */
const restartPauseMs = 300;

class Container implements AsyncDisposable {
  log = '';
  readonly #spec: JsonObject;
  readonly #options: ContainerOptions;
  readonly #image: Image;
  readonly #directory: string;
  readonly #cgroup: string | undefined;
  #process: ReturnType<typeof spawn> | undefined;
  #isWanted = false;
  #restart: NodeJS.Timeout | undefined;

  constructor(spec: JsonObject, options: ContainerOptions) {
    const name = text(spec['name']);
    const image = images[name];
    if (image === undefined) throw new Error(`no image for container ${name}`);
    this.#spec = spec;
    this.#options = options;
    this.#image = image;
    this.#directory = join(options.directory, name);
    for (const folder of ['root', 'mountpoints/proc', 'mountpoints/sys', 'mountpoints/dev'])
      mkdirSync(join(this.#directory, folder), { recursive: true });
    addSetpriv(join(this.#directory, 'mountpoints'));
    this.#cgroup = limitMemory(`${options.name}-${name}`, text(at(spec, 'resources', 'limits', 'memory')));
  }

  async start(): Promise<void> {
    this.#isWanted = true;
    this.#spawn();
    await waitFor(() => this.#pidOrUndefined(), { message: () => `a container to start; its log: ${this.log}` });
  }

  pid(): number {
    const pid = this.#pidOrUndefined();
    if (pid === undefined) throw new Error(`container ${text(this.#spec['name'])} does not run`);
    return pid;
  }

  async exec(command: readonly string[]): Promise<{ code: number; stdout: string; stderr: string }> {
    const { command: enter, environment } = this.execCommand();
    try {
      return { code: 0, ...(await run(nsenter, [...enter.slice(1), ...command], { env: environment })) };
    } catch (error) {
      const { code, stdout, stderr } = error as { code?: unknown; stdout?: string; stderr?: string };
      if (typeof code !== 'number') throw error;
      return { code, stdout: stdout ?? '', stderr: stderr ?? '' };
    }
  }

  execCommand(): { command: readonly string[]; environment: Readonly<Record<string, string>> } {
    const { user, group } = this.#user();
    const enter = ['-t', String(this.pid()), '-m', '-p', '-n', '--root', '--wd', '-S', user, '-G', group];
    return { command: [nsenter, ...enter], environment: this.#environment() };
  }

  async stop(graceSeconds: number): Promise<number> {
    this.#isWanted = false;
    clearTimeout(this.#restart);
    const child = this.#process;
    if (child === undefined || child.exitCode !== null) return child?.exitCode ?? 0;
    const exited = once(child, 'exit') as Promise<[number | null]>;
    process.kill(this.pid(), 'SIGTERM');
    const kill = setTimeout(() => child.kill('SIGKILL'), graceSeconds * 1000);
    const [code] = await exited;
    clearTimeout(kill);
    return code ?? 137;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isWanted = false;
    clearTimeout(this.#restart);
    const child = this.#process;
    if (child !== undefined && child.exitCode === null && child.signalCode === null) {
      const exited = once(child, 'exit');
      // The whole process namespace ends with its first process.
      process.kill(this.#pidOrUndefined() ?? child.pid ?? -1, 'SIGKILL');
      await exited;
    }
    if (this.#cgroup === undefined) return;
    const cgroup = this.#cgroup;
    // Its last process may take a moment to be gone.
    await waitFor(() => (rmdirSync(cgroup), true), { message: `${cgroup} to be empty` });
  }

  #spawn(): void {
    const { networkPid, firstPid } = this.#options;
    const joined = this.#cgroup === undefined ? '' : `echo $$ > ${this.#cgroup}/cgroup.procs; `;
    const child = spawn(
      nsenter,
      [
        `--net=/proc/${networkPid}/ns/net`,
        // Entering makes it fork: its child is then the container's program, as that of `unshare` is in the other case.
        ...(firstPid === undefined ? [] : [`--pid=/proc/${firstPid}/ns/pid`]),
        unshare,
        '--mount',
        ...(firstPid === undefined ? ['--pid', '--fork', '--kill-child=SIGKILL'] : []),
        '/bin/sh',
        '-ec',
        joined + this.#script(),
      ],
      { stdio: ['ignore', 'pipe', 'pipe'], env: this.#environment() },
    );
    this.#process = child;
    const listen = (text: string): void => void (this.log += text);
    child.stdout.setEncoding('utf8').on('data', listen);
    child.stderr.setEncoding('utf8').on('data', listen);
    child.once('exit', () => {
      if (this.#isWanted) this.#restart = setTimeout(() => this.#spawn(), restartPauseMs);
    });
  }

  #script(): string {
    const rootDirectory = join(this.#directory, 'root');
    const mounts = list(this.#spec['volumeMounts']).map((mount) => {
      const inside = text(mount['mountPath']);
      mkdirSync(join(this.#directory, 'mountpoints', inside), { recursive: true });
      return `mount --bind ${this.#volume(text(mount['name']))} ${rootDirectory}${inside}`;
    });
    const layers = [join(this.#directory, 'mountpoints'), ...this.#image.layers].join(':');
    const { user, group } = this.#user();
    const command = [...this.#image.command, ...(list(this.#spec['command']) as readonly unknown[]).map(String)];
    const privileges =
      `/.tools/setpriv --reuid ${user} --regid ${group} --clear-groups --bounding-set=-all --inh-caps=-all ` +
      `--no-new-privs ${command.join(' ')}`;
    return [
      'export PATH=/usr/sbin:/usr/bin:/sbin:/bin',
      `mount -t overlay overlay -o lowerdir=${layers} ${rootDirectory}`,
      `mount -t proc proc ${rootDirectory}/proc`,
      `mount --rbind /sys ${rootDirectory}/sys`,
      `mount --rbind /dev ${rootDirectory}/dev`,
      ...mounts,
      `exec env PATH=${this.#image.environment['PATH']} ${unshare} --root=${rootDirectory} --wd=${this.#image.directory} ${privileges}`,
    ].join('\n');
  }

  #volume(name: string): string {
    const path = join(this.#options.directory, `volume-${name}`);
    if (existsSync(path)) return path;
    mkdirSync(path);
    chmodSync(path, 0o777);
    const volume = list(at(podTemplate(this.#options.deployment), 'spec', 'volumes')).find(
      (one) => one['name'] === name,
    );
    if (volume?.['secret'] !== undefined)
      writeFileSync(join(path, 'tokens.json'), this.#options.tokens ?? '{"tokens":[]}', { mode: 0o444 });
    return path;
  }

  #environment(): Readonly<Record<string, string>> {
    return { ...this.#image.environment, ...environmentOf(this.#spec, this.#options) };
  }

  #user(): { user: string; group: string } {
    const context = this.#spec['securityContext'];
    return { user: text(at(context, 'runAsUser')), group: text(at(context, 'runAsGroup')) };
  }

  /** The child of `unshare`, once it is the container's own program. */
  #pidOrUndefined(): number | undefined {
    const parent = this.#process?.pid;
    if (parent === undefined || this.#process?.exitCode !== null) return undefined;
    const file = `/proc/${parent}/task/${parent}/children`;
    const pid = existsSync(file) ? Number(readFileSync(file, 'utf8').trim()) : 0;
    if (pid === 0 || !existsSync(`/proc/${pid}/status`)) return undefined;
    const isProgram = new RegExp(`^Uid:\\s*${this.#user().user}\\s`, 'm').test(
      readFileSync(`/proc/${pid}/status`, 'utf8'),
    );
    return isProgram ? pid : undefined;
  }
}

/** The image has no program that could give up its rights before the container's own one starts. */
function addSetpriv(layer: string): void {
  const [library = ''] = globSync('/usr/lib/*-linux-gnu/libcap-ng.so.0');
  const libraries = join(layer, library.replace(/^\/usr/, ''), '..');
  for (const folder of [libraries, join(layer, '.tools')]) mkdirSync(folder, { recursive: true });
  copyFileSync(library, join(libraries, 'libcap-ng.so.0'));
  copyFileSync('/usr/bin/setpriv', join(layer, '.tools/setpriv'));
}

/** A cgroup with that limit, of either version; undefined where this machine has none that may be written. */
function limitMemory(name: string, limit: string): string | undefined {
  const mebibytes = /^(\d+)Mi$/.exec(limit)?.[1];
  const [directory, file] = existsSync('/sys/fs/cgroup/memory')
    ? [`/sys/fs/cgroup/memory/${name}`, 'memory.limit_in_bytes']
    : [`/sys/fs/cgroup/${name}`, 'memory.max'];
  if (mebibytes === undefined) return undefined;
  mkdirSync(directory);
  writeFileSync(join(directory, file), String(Number(mebibytes) * 2 ** 20));
  return directory;
}
