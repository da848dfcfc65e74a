import path from 'node:path';
import type { Vitals } from '../../protocol/rest/vitals.ts';
import { readText } from './process-files.ts';

/** What the kernel counts; rates are made of two of them. */
export type CgroupReading = Omit<NonNullable<Vitals['cgroup']>, 'throttledRatio'>;

/** Without a limit, version 1 says a number near 2^63. */
const noLimitBytes = 2 ** 60;
/** Deep enough for kubepods/burstable/pod/container, and for a nested runtime in it. */
const maxDepth = 12;

/**
 * The target's cgroup, through `/proc/<pid>/cgroup` and a mounted `/sys/fs/cgroup`: ours, or the target's own by `/proc/<pid>/root`. Undefined
 * where neither shows it, as without a shared PID namespace.
 */
export async function findCgroup(
  processDirectory: string,
  { root = '/sys/fs/cgroup' }: { root?: string } = {},
): Promise<Cgroup | undefined> {
  const lines = (await readText(`${processDirectory}/cgroup`))?.trim().split('\n') ?? [];
  const places = lines.map((line) => {
    const [, , controllers = '', own = ''] = /^(\d+):([^:]*):(.*)$/.exec(line) ?? [];
    return { controllers: controllers.split(','), own };
  });
  const pathOf = (controller: string): string | undefined =>
    places.find(({ controllers }) => controllers.includes(controller))?.own;
  const candidates = [root, `${processDirectory}/root/sys/fs/cgroup`];
  for (const mount of candidates) {
    const memory = pathOf('memory');
    const found =
      memory === undefined
        ? await firstWith('memory.current', [mount], pathOf(''))
        : await firstWith('memory.usage_in_bytes', [`${mount}/memory`], memory);
    if (found === undefined) continue;
    if (memory === undefined) return new Cgroup(2, { memory: found, cpu: found });
    const cpu = await firstWith('cpu.stat', [`${mount}/cpu`, `${mount}/cpu,cpuacct`], pathOf('cpu'));
    return new Cgroup(1, { memory: found, cpu });
  }
  return undefined;
}

interface Place {
  readonly mount: string;
  /** Below the mount; in a container of its own cgroup namespace, the mount itself. */
  readonly directory: string;
}

async function firstWith(file: string, mounts: readonly string[], own: string | undefined): Promise<Place | undefined> {
  for (const mount of mounts) {
    const directories = [mount];
    // `/../../other` is what another cgroup namespace looks like from ours.
    if (own !== undefined && !own.split('/').includes('..')) directories.unshift(path.join(mount, own));
    for (const directory of directories) {
      if ((await readText(`${directory}/${file}`)) !== undefined) return { mount, directory };
    }
  }
  return undefined;
}

export class Cgroup {
  readonly #version: 1 | 2;
  readonly #memory: Place;
  readonly #cpu: Place | undefined;

  constructor(version: 1 | 2, places: { memory: Place; cpu: Place | undefined }) {
    this.#version = version;
    this.#memory = places.memory;
    this.#cpu = places.cpu;
  }

  async read(): Promise<CgroupReading | undefined> {
    return this.#version === 2 ? this.#readTwo() : this.#readOne();
  }

  async #readTwo(): Promise<CgroupReading | undefined> {
    const { directory } = this.#memory;
    const [current, memoryStat, events, stat, limits, cpuMax] = await Promise.all([
      readText(`${directory}/memory.current`),
      readText(`${directory}/memory.stat`),
      readText(`${directory}/memory.events`),
      readText(`${directory}/cpu.stat`),
      onTheWayUp(this.#memory, 'memory.max'),
      onTheWayUp(this.#memory, 'cpu.max'),
    ]);
    if (current === undefined) return undefined;
    const throttledUs = field(stat, 'throttled_usec');
    return {
      version: 2,
      memoryCurrentBytes: amount(current),
      workingSetBytes: workingSet(current, field(memoryStat, 'inactive_file')),
      memoryMaxBytes: lowest(limits.map(amount)),
      oomKills: field(events, 'oom_kill'),
      memoryHighEvents: field(events, 'high'),
      memoryMaxEvents: field(events, 'max'),
      cpuLimitCores: lowest(cpuMax.map((text) => cores(...(text.trim().split(' ') as [string, string?])))),
      throttledMs: throttledUs === null ? null : throttledUs / 1000,
    };
  }

  async #readOne(): Promise<CgroupReading | undefined> {
    const { directory } = this.#memory;
    const cpu = this.#cpu?.directory;
    const [current, memoryStat, limits, oom, failures, stat, quota, period] = await Promise.all([
      readText(`${directory}/memory.usage_in_bytes`),
      readText(`${directory}/memory.stat`),
      onTheWayUp(this.#memory, 'memory.limit_in_bytes'),
      readText(`${directory}/memory.oom_control`),
      readText(`${directory}/memory.failcnt`),
      cpu === undefined ? undefined : readText(`${cpu}/cpu.stat`),
      cpu === undefined ? undefined : readText(`${cpu}/cpu.cfs_quota_us`),
      cpu === undefined ? undefined : readText(`${cpu}/cpu.cfs_period_us`),
    ]);
    if (current === undefined) return undefined;
    const throttledNs = field(stat, 'throttled_time');
    return {
      version: 1,
      memoryCurrentBytes: amount(current),
      workingSetBytes: workingSet(current, field(memoryStat, 'total_inactive_file')),
      memoryMaxBytes: lowest(limits.map(amount)),
      oomKills: field(oom, 'oom_kill'),
      memoryHighEvents: null,
      memoryMaxEvents: failures === undefined ? null : amount(failures),
      cpuLimitCores: quota === undefined ? null : cores(quota.trim(), period?.trim()),
      throttledMs: throttledNs === null ? null : throttledNs / 1e6,
    };
  }
}

/** A limit holds for everything below it. */
async function onTheWayUp({ mount, directory }: Place, file: string): Promise<string[]> {
  const found: string[] = [];
  let at = directory;
  for (let depth = 0; depth < maxDepth; depth++) {
    const text = await readText(`${at}/${file}`);
    if (text !== undefined) found.push(text);
    if (at === mount || at === '/') break;
    at = path.dirname(at);
  }
  return found;
}

function amount(text: string): number | null {
  const value = Number(text.trim());
  return text.trim() === '' || Number.isNaN(value) || value >= noLimitBytes ? null : value;
}

function workingSet(current: string, inactiveFileBytes: number | null): number | null {
  const bytes = amount(current);
  return bytes === null || inactiveFileBytes === null ? null : Math.max(0, bytes - inactiveFileBytes);
}

function cores(quota: string, period: string | undefined): number | null {
  const value = Number(quota) / Number(period);
  return Number.isFinite(value) && value > 0 ? value : null;
}

function field(text: string | undefined, name: string): number | null {
  const value = new RegExp(`^${name} (\\d+)$`, 'm').exec(text ?? '')?.[1];
  return value === undefined ? null : Number(value);
}

function lowest(values: readonly (number | null)[]): number | null {
  const known = values.filter((value) => value !== null);
  return known.length === 0 ? null : Math.min(...known);
}
