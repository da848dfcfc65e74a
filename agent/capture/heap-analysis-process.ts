import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { SidescopeError } from '../../protocol/error.ts';
import type { HeapClass } from '../../protocol/heap-snapshot/classes.ts';
import type { HeapDiff } from '../../protocol/heap-snapshot/diff.ts';
import type { HeapSummary } from '../../protocol/heap-snapshot/summary.ts';
import type { Operation } from '../../protocol/rest/operation.ts';
import type { ChildFailure } from './child-failure.ts';
import { childSilenceMs, SilenceWatch } from './silence-watch.ts';

export interface AnalysisFile {
  readonly path: string;
  /** Plain. */
  readonly sizeBytes: number;
}

export interface AnalysisRequest {
  readonly snapshot: AnalysisFile;
  /** None, one or two earlier ones, the earliest first. */
  readonly against?: readonly AnalysisFile[] | undefined;
  readonly memoryLimitBytes: number;
}

export interface AnalysisResult {
  readonly summary: Omit<HeapSummary, 'classes'>;
  readonly classes: readonly HeapClass[];
  readonly diff?: HeapDiff | undefined;
}

export interface AnalysisLine {
  readonly progress?: Operation['progress'];
  readonly failure?: ChildFailure;
  readonly result?: AnalysisResult;
}

/**
 * One analysis in a process of its own, which ends with it. Rejects with `unreadable-profile`, `damaged-profile`, `analysis-limit` (memory, also when
 * V8 or the kernel ends the process, or it says nothing for `silenceMs`, by default ten minutes), or `signal.reason`; then the process is gone.
 */
export async function analyseInProcess(
  request: AnalysisRequest,
  options: { onProgress: (progress: Operation['progress']) => void; signal: AbortSignal; silenceMs?: number },
): Promise<AnalysisResult> {
  const { onProgress, signal, silenceMs = childSilenceMs } = options;
  signal.throwIfAborted();
  // The columns lie outside of V8's heap; what is in it are names, paths and the answer.
  const heapMb = Math.max(96, Math.floor(request.memoryLimitBytes / 2 / 2 ** 20));
  const child = spawn(process.execPath, ['--disable-sigusr1', `--max-old-space-size=${heapMb}`, childPath()], {
    // Nothing of the agent's: it needs no secrets.
    env: {},
    stdio: ['pipe', 'pipe', 'ignore'],
  });
  const closed = once(child, 'close') as Promise<[number | null, NodeJS.Signals | null]>;
  const kill = (): void => void child.kill('SIGKILL');
  signal.addEventListener('abort', kill, { once: true });
  using silence = new SilenceWatch(silenceMs, kill);
  try {
    // It may have ended already: how is told below.
    child.stdin.on('error', () => undefined);
    child.stdin.end(JSON.stringify(request));
    let last: AnalysisLine = {};
    for await (const line of createInterface({ input: child.stdout })) {
      silence.wait();
      last = parseLine(line);
      if (last.progress !== undefined) onProgress(last.progress);
    }
    const [code, killedBy] = await closed;
    signal.throwIfAborted();
    if (last.failure !== undefined) throw new SidescopeError(last.failure.code, last.failure.message);
    if (last.result !== undefined) return last.result;
    const how = silence.isOver ? `it said nothing for ${silenceMs} ms` : (killedBy ?? `exit code ${code}`);
    throw new SidescopeError(
      'analysis-limit',
      `the process that analysed it ended (${how}), most often for its memory: it had ${request.memoryLimitBytes} bytes`,
    );
  } finally {
    signal.removeEventListener('abort', kill);
    kill();
    await closed;
  }
}

/** Our own child wrote it; a line that was cut off by its end is none. */
function parseLine(line: string): AnalysisLine {
  try {
    return JSON.parse(line) as AnalysisLine;
  } catch {
    // What ended the process is told by how it ended.
    return {};
  }
}

/** Beside this file, in the sources and in the bundle alike. */
function childPath(): string {
  const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'mjs';
  return fileURLToPath(new URL(`./heap-analysis-child.${extension}`, import.meta.url));
}
