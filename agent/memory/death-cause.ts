import type { Death } from '../../protocol/rest/deaths.ts';
import type { ExitEvidence } from './exit-watch.ts';
import type { LimitUse } from './nearer-limit.ts';
import type { ExitStatus } from './process-end.ts';
import { megabytes } from './megabytes.ts';

export interface DeathFacts {
  readonly exit: ExitEvidence;
  /** At the last reading, and how long before the end that was. */
  readonly uses: readonly LimitUse[];
  readonly lastReadingAgoMs: number | null;
  /** Share of the heap limit at the end, if it went on as in the last two readings; null without them. */
  readonly heapShareAtEnd: number | null;
}

export type DeathVerdict = Pick<
  Death,
  'cause' | 'confidence' | 'summary' | 'evidence' | 'unknown' | 'exitCode' | 'signal' | 'error'
>;

/** V8 gives up when collections free next to nothing: seen at 0.9 and more of the limit, and lower when one big allocation fails. */
const nearShare = 0.8;
/** With an abort that is known, this much is enough. */
const nearShareAtAbort = 0.5;

/** Why a process ended, as far as that follows from outside. Says what it was concluded from, and what cannot be known. */
export function judgeDeath(facts: DeathFacts): DeathVerdict {
  const { exit } = facts;
  const unknown: string[] = [];
  if (exit.blindness !== null) unknown.push(`whether an exception ended it: ${exit.blindness}`);
  const verdict = exit.sign.kind === 'cut' ? judgeCut(facts) : judgeExit(exit);
  return { exitCode: null, signal: null, error: null, ...verdict, unknown: [...unknown, ...verdict.unknown] };
}

type Conclusion = Pick<DeathVerdict, 'cause' | 'confidence' | 'summary' | 'evidence' | 'unknown'> &
  Partial<Pick<DeathVerdict, 'exitCode' | 'signal' | 'error'>>;

/** The target told of its exit before it ended. */
function judgeExit({ sign, end }: ExitEvidence): Conclusion {
  const status = end.state === 'gone' ? end.status : undefined;
  const kernel = kernelWords(status);
  const told = 'it told the inspector that it was about to exit';
  if (sign.kind === 'exit' && sign.error !== null) {
    const { error, exitCode } = sign;
    const what = error.origin === 'unhandledRejection' ? 'an unhandled rejection' : 'an uncaught exception';
    return {
      cause: 'uncaught-exception',
      confidence: 'certain',
      summary: `ended by ${what}: ${error.name}${frameWords(error.stack)}${codeWords(exitCode)}`,
      evidence: [told, `${what} was raised in the turn that it ended in`, ...kernel],
      unknown: [],
      exitCode,
      error,
    };
  }
  if (sign.kind === 'exit') {
    const exitCode = exitCodeOf(status) ?? sign.exitCode;
    return {
      cause: 'exit',
      confidence: 'certain',
      summary: `exited by itself${codeWords(exitCode)}`,
      evidence: [told, `process.exitCode was ${sign.exitCode ?? 'not set'} then`, ...kernel],
      unknown: [],
      exitCode,
    };
  }
  if (status !== undefined && 'signal' in status) {
    return {
      cause: 'killed',
      confidence: 'certain',
      summary: `ended by ${status.signal}, which it sent to itself`,
      evidence: [told, ...kernel],
      unknown: [],
      signal: status.signal,
    };
  }
  const exitCode = exitCodeOf(status);
  const asked = {
    natural: 'nothing could be evaluated in it any more, as when a process has run out of work',
    'no-code': 'no exit code was set: it sent a signal to itself, or called process.reallyExit',
    silent: 'it did not answer in its exit',
  } as const;
  const isWayKnown = sign.kind === 'natural' || exitCode !== null;
  return {
    cause: isWayKnown ? 'exit' : 'unknown',
    confidence: exitCode !== null ? 'certain' : 'likely',
    summary: isWayKnown
      ? `${sign.kind === 'natural' ? 'ran out of work and exited' : 'exited by itself'}${codeWords(exitCode)}`
      : 'ended itself; whether by a signal or by an exit code is not known',
    evidence: [told, ...(sign.kind in asked ? [asked[sign.kind as keyof typeof asked]] : []), ...kernel],
    unknown: exitCode === null ? [`its exit code: ${whyNoStatus(end)}`] : [],
    exitCode,
  };
}

/** The connection ended without a word. */
function judgeCut(facts: DeathFacts): Conclusion {
  const { end, newOomKills } = facts.exit;
  const status = end.state === 'gone' ? end.status : undefined;
  const cut = 'the inspector connection was cut without the exit event';
  const gone = end.state === 'gone' ? ['the process is gone from /proc'] : [];
  const evidence = [cut, ...gone, ...kernelWords(status), ...memoryWords(facts)];
  const signal = status !== undefined && 'signal' in status ? status.signal : null;
  const exitCode = exitCodeOf(status);
  const unknown = status === undefined ? [`its exit code or signal: ${whyNoStatus(end)}`] : [];
  if (exitCode !== null) {
    return {
      cause: 'exit',
      confidence: 'certain',
      summary: `exited${codeWords(exitCode)}`,
      evidence,
      unknown,
      exitCode,
    };
  }
  const isKill = signal === 'SIGKILL' || signal === null;
  if (isKill && newOomKills !== null && newOomKills > 0) {
    return {
      cause: 'container-memory-limit',
      confidence: signal === null ? 'likely' : 'certain',
      summary: "killed by the kernel: its container's memory limit was reached",
      evidence: [...evidence, `the OOM kills of its cgroup rose by ${newOomKills}`],
      unknown,
      signal: signal ?? 'SIGKILL',
    };
  }
  const heap = heapShare(facts);
  const isAbort = signal === 'SIGABRT' || signal === 'SIGTRAP' || signal === 'SIGILL';
  if (heap !== null && (isAbort ? heap >= nearShareAtAbort : signal === null && heap >= nearShare)) {
    const share = `${Math.round(heap * 100)} %`;
    return {
      cause: 'v8-out-of-memory',
      confidence: isAbort && heap >= nearShare ? 'certain' : 'likely',
      summary: `V8 ran out of memory: the heap was at ${share} of its limit`,
      evidence,
      unknown: isAbort ? [] : [...unknown, 'V8 says it on stderr only, which is not ours to read'],
      signal,
    };
  }
  if (signal !== null && !['SIGKILL', 'SIGTERM', 'SIGINT', 'SIGHUP', 'SIGQUIT'].includes(signal)) {
    const why = signal === 'SIGABRT' ? 'process.abort, a failed check in native code, or V8' : 'native code';
    return {
      cause: 'crashed',
      confidence: 'certain',
      summary: `ended by ${signal}`,
      evidence,
      unknown: [`by whom: ${why}`],
      signal,
    };
  }
  if (signal !== null) {
    return {
      cause: 'killed',
      confidence: 'certain',
      summary: `killed by ${signal}`,
      evidence,
      unknown: ['who sent it'],
      signal,
    };
  }
  const container = facts.uses.find(({ pool }) => pool === 'container');
  if (container !== undefined && container.share >= 0.9 && newOomKills === null) {
    return {
      cause: 'container-memory-limit',
      confidence: 'guess',
      summary: `gone without a word, at ${Math.round(container.share * 100)} % of its container's memory limit`,
      evidence,
      unknown: [...unknown, "whether the kernel killed it: its cgroup's counters cannot be read"],
    };
  }
  return {
    cause: 'killed',
    confidence: 'guess',
    summary: 'gone without a word: killed by a signal, or crashed',
    evidence,
    unknown: [...unknown, 'from outside SIGKILL, SIGTERM without a handler, a crash and a cut network look the same'],
  };
}

function heapShare({ uses, heapShareAtEnd }: DeathFacts): number | null {
  const last = uses.find(({ pool }) => pool === 'heap')?.share ?? null;
  if (last === null && heapShareAtEnd === null) return null;
  return Math.min(1, Math.max(last ?? 0, heapShareAtEnd ?? 0));
}

function memoryWords({ uses, lastReadingAgoMs, heapShareAtEnd, exit }: DeathFacts): string[] {
  const ago = lastReadingAgoMs === null ? '' : `, ${(lastReadingAgoMs / 1000).toFixed(1)} s before its end`;
  const words = uses.map(
    ({ pool, share, usedBytes, limitBytes }) =>
      `${pool} at ${Math.round(share * 100)} % of its limit (${megabytes(usedBytes)} of ${megabytes(limitBytes)} MB)${ago}`,
  );
  const heap = uses.find(({ pool }) => pool === 'heap');
  if (heap !== undefined && heapShareAtEnd !== null && heapShareAtEnd > heap.share + 0.05)
    words.push(
      `at the pace of the last readings the heap was at ${Math.round(Math.min(1, heapShareAtEnd) * 100)} % at the end`,
    );
  if (exit.newOomKills === 0) words.push('no OOM kill was counted in its cgroup');
  return words;
}

function kernelWords(status: ExitStatus | undefined): string[] {
  if (status === undefined) return [];
  return ['signal' in status ? `the kernel shows ${status.signal}` : `the kernel shows exit code ${status.exitCode}`];
}

function whyNoStatus(end: ExitEvidence['end']): string {
  switch (end.state) {
    case 'hidden':
      return 'the process is not in our PID namespace (`shareProcessNamespace` would show it)';
    case 'gone':
      return 'its parent had read it before we could, or it is of another user';
    case 'alive':
      return 'the process is still there';
  }
}

function exitCodeOf(status: ExitStatus | undefined): number | null {
  return status !== undefined && 'exitCode' in status ? status.exitCode : null;
}

function codeWords(exitCode: number | null): string {
  return exitCode === null ? '' : ` with code ${exitCode}`;
}

/** Where it was thrown: the first frame of the stack. */
function frameWords(stack: string): string {
  const frame = /^ {4}at (.*)$/m.exec(stack)?.[1];
  return frame === undefined ? '' : ` at ${frame.slice(0, 200)}`;
}
