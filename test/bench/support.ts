import { spawn } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';

/** What one question's script answers: rows of a table, and the sentence that says how fair they are. */
export interface BenchTable {
  readonly title: string;
  /** What was held equal, how often it was repeated, what the numbers are not. */
  readonly note: string;
  readonly rows: readonly Readonly<Record<string, string | number>>[];
}

/** Every `test/bench/<name>.bench.ts` exports this as `bench`. Throws when it cannot measure; never prints. */
export type Bench = (options: { quick: boolean; signal: AbortSignal }) => Promise<readonly BenchTable[]>;

export interface Spread {
  readonly median: number;
  readonly min: number;
  readonly max: number;
  readonly count: number;
}

export function spreadOf(values: readonly number[]): Spread {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const [low, high] = [sorted[sorted.length % 2 === 1 ? middle : middle - 1], sorted[middle]];
  if (low === undefined || high === undefined) throw new Error('no values to take the median of');
  return { median: (low + high) / 2, min: sorted[0] ?? low, max: sorted.at(-1) ?? high, count: sorted.length };
}

/** `1.04 (1.01-1.09, n=7)` */
export function formatSpread({ median, min, max, count }: Spread, digits = 2): string {
  return `${median.toFixed(digits)} (${min.toFixed(digits)}-${max.toFixed(digits)}, n=${count})`;
}

/**
 * Ratio b/a of one cost, pair by pair, A and B taking turns at going first, so that a machine that grows slower or
 * faster in between touches both alike. The first pair warms up and is not counted.
 */
export async function ratioOfPairs(options: {
  a: () => Promise<number>;
  b: () => Promise<number>;
  pairs: number;
  signal?: AbortSignal | undefined;
}): Promise<{ a: Spread; b: Spread; ratio: Spread }> {
  const { a, b, pairs, signal } = options;
  const costs: { a: number; b: number }[] = [];
  for (let pair = 0; pair <= pairs; pair++) {
    signal?.throwIfAborted();
    const firstA = pair % 2 === 0 ? await a() : undefined;
    const costB = await b();
    const cost = { a: firstA ?? (await a()), b: costB };
    if (pair > 0) costs.push(cost);
  }
  return {
    a: spreadOf(costs.map((cost) => cost.a)),
    b: spreadOf(costs.map((cost) => cost.b)),
    ratio: spreadOf(costs.map((cost) => cost.b / cost.a)),
  };
}

export interface ProcessReading {
  /** User and system time since its start. */
  readonly cpuMs: number;
  readonly rssBytes: number;
  /** The highest since its start, as the kernel keeps it: short peaks are in it. */
  readonly peakRssBytes: number;
}

/** From `/proc`: works on any process of ours, also on one that is stopped or blocked. Rejects when it has ended. */
export async function readProcess(pid: number): Promise<ProcessReading> {
  const [stat, status] = await Promise.all([
    readFile(`/proc/${pid}/stat`, 'utf8'),
    readFile(`/proc/${pid}/status`, 'utf8'),
  ]);
  // The name in parentheses may hold spaces; utime and stime are fields 14 and 15, in hundredths of a second.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const field = (name: string): number => {
    const sizeKb = new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(status)?.[1];
    // A process that ended and that nobody waited for yet still has its files, without memory.
    if (sizeKb === undefined) throw new Error(`process ${pid} has ended: no ${name} in its status`);
    return Number(sizeKb) * 1024;
  };
  return {
    cpuMs: (Number(fields[11]) + Number(fields[12])) * 10,
    rssBytes: field('VmRSS'),
    peakRssBytes: field('VmHWM'),
  };
}

/** Peak RSS of a process while `work` runs; the kernel's own peak is set back first (needs the same user). */
export async function peakRssDuring<T>(
  pid: number,
  work: () => Promise<T>,
): Promise<{ result: T; startBytes: number; peakBytes: number }> {
  await writeFile(`/proc/${pid}/clear_refs`, '5');
  const { rssBytes } = await readProcess(pid);
  const result = await work();
  const { peakRssBytes } = await readProcess(pid);
  return { result, startBytes: rssBytes, peakBytes: peakRssBytes };
}

/** Samples RSS every `everyMs` until disposed: for the course of it, where the peak alone says too little. */
export function sampleRss(pid: number, everyMs = 100): AsyncDisposable & { readonly samplesBytes: readonly number[] } {
  const samplesBytes: number[] = [];
  const stop = new AbortController();
  const sampling = (async () => {
    while (!stop.signal.aborted) {
      try {
        samplesBytes.push((await readProcess(pid)).rssBytes);
        await delay(everyMs, undefined, { signal: stop.signal });
      } catch {
        // Stopped, or the process is gone: both are the end of the series.
        return;
      }
    }
  })();
  return {
    samplesBytes,
    async [Symbol.asyncDispose]() {
      stop.abort();
      await sampling;
    },
  };
}

export interface ChildRun {
  readonly wallMs: number;
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a program to its end. Its output is bounded at 1 MB per stream. */
export async function runChild(command: string, args: readonly string[], signal?: AbortSignal): Promise<ChildRun> {
  const startMs = performance.now();
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'], signal, killSignal: 'SIGKILL' });
  const output = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const) {
    child[name].setEncoding('utf8').on('data', (text: string) => (output[name] = (output[name] + text).slice(-1e6)));
  }
  return await new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => resolve({ wallMs: performance.now() - startMs, code, ...output }));
  });
}

export function formatMiB(bytes: number): string {
  return `${(bytes / 2 ** 20).toFixed(0)} MiB`;
}
