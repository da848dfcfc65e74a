import { readdir } from 'node:fs/promises';
import { readText } from '../../attach/process.ts';
import { findCgroup } from '../../vitals/cgroup.ts';
import type { CgroupReading } from '../../vitals/cgroup.ts';
import { readRunDelayMs } from './schedule.ts';

/** What /proc and the cgroup count; rates are made of two of them. */
export interface ProcessUsage {
  readonly atMs: number;
  readonly rssBytes: number;
  /** By group of threads. */
  readonly cpuMs: Readonly<Record<ThreadGroup, number>>;
  /** Of the main thread; undefined where the kernel does not count it. */
  readonly runDelayMs: number | undefined;
  readonly cgroup: CgroupReading | undefined;
}

/** `v8`: collector and compiler threads, which have names of their own from Node 24 on; before, they are among the others. */
export type ThreadGroup = 'main' | 'v8' | 'pool' | 'other';

export interface UsageRates {
  readonly rssBytes: number;
  readonly cores: Readonly<Record<ThreadGroup, number>>;
  /** How much of the time the main thread was ready to run and had no processor, 0 to 1; the throttling of its cgroup is a part of it. */
  readonly delayedRatio: number | null;
  /** Of the time, 0 to 1; null without a cgroup that counts it. */
  readonly throttledRatio: number | null;
  readonly cpuLimitCores: number | null;
  readonly memoryLimitBytes: number | null;
  readonly cgroupMemoryBytes: number | null;
}

/** Linux counts process time in hundredths of a second for user space, whatever the kernel's own tick is. */
const tickMs = 10;
const maxThreads = 1_024;

/** Undefined when the process is not in our PID namespace, or gone. */
export async function readUsage(pid: number): Promise<ProcessUsage | undefined> {
  const path = `/proc/${pid}`;
  const atMs = performance.now();
  const [status, ids, cgroup, runDelayMs] = await Promise.all([
    readText(`${path}/status`),
    readdir(`${path}/task`).catch(() => []),
    findCgroup(path),
    readRunDelayMs(pid),
  ]);
  if (status === undefined) return undefined;
  const cpuMs = { main: 0, v8: 0, pool: 0, other: 0 };
  const stats = await Promise.all(ids.slice(0, maxThreads).map((id) => readText(`${path}/task/${id}/stat`)));
  stats.forEach((stat, index) => {
    if (stat === undefined) return;
    const group = Number(ids[index]) === pid ? 'main' : groupOf(/\((.*)\)/s.exec(stat)?.[1] ?? '');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    cpuMs[group] += (Number(fields[11]) + Number(fields[12])) * tickMs;
  });
  return {
    atMs,
    rssBytes: Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1] ?? 0) * 1024,
    cpuMs,
    runDelayMs,
    cgroup: await cgroup?.read(),
  };
}

export function usageRates(before: ProcessUsage, after: ProcessUsage): UsageRates {
  const elapsedMs = Math.max(1, after.atMs - before.atMs);
  // A thread that ended took its time with it.
  const cores = (group: ThreadGroup): number => Math.max(0, (after.cpuMs[group] - before.cpuMs[group]) / elapsedMs);
  const delayedRatio = ratioOf(before.runDelayMs, after.runDelayMs, elapsedMs);
  const throttledRatio = ratioOf(before.cgroup?.throttledMs, after.cgroup?.throttledMs, elapsedMs);
  return {
    rssBytes: after.rssBytes,
    cores: { main: cores('main'), v8: cores('v8'), pool: cores('pool'), other: cores('other') },
    delayedRatio,
    // The kernel adds up what each processor was kept from: of two threads it may be more than the time that went by.
    throttledRatio: throttledRatio && Math.min(throttledRatio, delayedRatio ?? 1),
    cpuLimitCores: after.cgroup?.cpuLimitCores ?? null,
    memoryLimitBytes: after.cgroup?.memoryMaxBytes ?? null,
    cgroupMemoryBytes: after.cgroup?.memoryCurrentBytes ?? null,
  };
}

function ratioOf(fromMs: number | null | undefined, toMs: number | null | undefined, elapsedMs: number): number | null {
  return typeof fromMs !== 'number' || typeof toMs !== 'number' ? null : Math.min(1, (toMs - fromMs) / elapsedMs);
}

function groupOf(threadName: string): ThreadGroup {
  if (threadName.includes('V8Worker')) return 'v8';
  return threadName.includes('libuv-worker') ? 'pool' : 'other';
}
