import { readdirSync, readFileSync } from 'node:fs';
import fs from 'node:fs/promises';
import os from 'node:os';
import type { TargetIdentity } from '../../protocol/rest/target.ts';

/** Linux counts process time in hundredths of a second for user space, whatever the kernel's own tick is. */
const tickMs = 10;
/** The boot time in /proc/stat has whole seconds, and a start is two of them away at most. */
const startToleranceMs = 2_500;

export interface ProcessReading {
  /** `T` when it is stopped by a signal. */
  readonly state: string;
  readonly rssBytes: number;
  readonly userMs: number;
  readonly systemMs: number;
  /** Of the main thread. */
  readonly mainMs: number;
}

/** Of a thread, since it began. */
export interface ThreadSchedule {
  readonly ranMs: number;
  /** Ready to run, and no CPU was given to it: to others, or because its cgroup had used up its limit. */
  readonly waitedMs: number;
}

/** What the kernel says of the target, where it is in our PID namespace: also while it is stopped or in a native call. */
export class ProcessFiles {
  readonly directory: string;
  readonly #pid: number;
  readonly #startTicks: number;
  #inspectorThread: string | undefined;

  /** Undefined when that pid is not there or is somebody else: another container's, or a recycled one. */
  static async find(
    { pid, hostname, startedAt }: Pick<TargetIdentity, 'pid' | 'hostname' | 'startedAt'>,
    { root = '/proc' }: { root?: string } = {},
  ): Promise<ProcessFiles | undefined> {
    if (hostname !== os.hostname()) return undefined;
    const [process, machine] = await Promise.all([readText(`${root}/${pid}/stat`), readText(`${root}/stat`)]);
    const bootSeconds = Number(/^btime (\d+)$/m.exec(machine ?? '')?.[1]);
    const startTicks = parseStat(process ?? '')?.startTicks;
    if (startTicks === undefined) return undefined;
    const startMs = bootSeconds * 1000 + startTicks * tickMs;
    // Written so that NaN is no match either.
    if (!(Math.abs(startMs - Date.parse(startedAt)) <= startToleranceMs)) return undefined;
    return new ProcessFiles(`${root}/${pid}`, { pid, startTicks });
  }

  private constructor(directory: string, { pid, startTicks }: { pid: number; startTicks: number }) {
    this.directory = directory;
    this.#pid = pid;
    this.#startTicks = startTicks;
  }

  /** Of the main thread. */
  schedule(): ThreadSchedule | undefined {
    return readSchedule(`${this.directory}/task/${this.#pid}`);
  }

  /** Of the thread through which all questions and answers pass; undefined before Node 24, where it has no name. */
  inspectorSchedule(): ThreadSchedule | undefined {
    this.#inspectorThread ??= findThread(this.directory, 'InspectorIo');
    return this.#inspectorThread === undefined
      ? undefined
      : readSchedule(`${this.directory}/task/${this.#inspectorThread}`);
  }

  async read(): Promise<ProcessReading | undefined> {
    const [process, main, status] = await Promise.all([
      readText(`${this.directory}/stat`),
      readText(`${this.directory}/task/${this.#pid}/stat`),
      readText(`${this.directory}/status`),
    ]);
    const whole = parseStat(process ?? '');
    const thread = parseStat(main ?? '');
    if (whole === undefined || thread === undefined || whole.startTicks !== this.#startTicks) return undefined;
    return {
      state: whole.state,
      rssBytes: Number(/^VmRSS:\s+(\d+) kB$/m.exec(status ?? '')?.[1] ?? 0) * 1024,
      userMs: whole.userMs,
      systemMs: whole.systemMs,
      mainMs: thread.userMs + thread.systemMs,
    };
  }
}

/**
 * Undefined where the kernel does not show it, or does not count. Read at once, in some 20 µs: while CPUs are short, an answer that waits for a thread of the pool is of
 * another time than the one who asked believes.
 */
export function readSchedule(directory: string): ThreadSchedule | undefined {
  try {
    // "ran waited turns", in nanoseconds: Documentation/scheduler/sched-stats.rst
    const [ran, waited] = readFileSync(`${directory}/schedstat`, 'utf8').trim().split(' ').map(Number);
    if (ran === undefined || waited === undefined || Number.isNaN(ran + waited)) return undefined;
    return { ranMs: ran / 1e6, waitedMs: waited / 1e6 };
  } catch {
    // Gone, or not ours to read.
    return undefined;
  }
}

/** Among the first ones: Node makes its own before a program can. */
function findThread(directory: string, name: string): string | undefined {
  try {
    const ids = readdirSync(`${directory}/task`).slice(0, 16);
    return ids.find((id) => readFileSync(`${directory}/task/${id}/comm`, 'utf8').trim() === name);
  } catch {
    // Gone, or not ours to read.
    return undefined;
  }
}

function parseStat(text: string): { state: string; userMs: number; systemMs: number; startTicks: number } | undefined {
  // The name in parentheses may hold spaces and parentheses; what follows are the fields from the third on.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  const [state = ''] = fields;
  const [user, system, startTicks] = [fields[11], fields[12], fields[19]].map(Number);
  if (user === undefined || system === undefined || startTicks === undefined || Number.isNaN(startTicks))
    return undefined;
  return { state, userMs: user * tickMs, systemMs: system * tickMs, startTicks };
}

/** Undefined for whatever reason: the process ended, or its files are not ours to read. */
export async function readText(path: string): Promise<string | undefined> {
  try {
    return await fs.readFile(path, 'utf8');
  } catch {
    return undefined;
  }
}
