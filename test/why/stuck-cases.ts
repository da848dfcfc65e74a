import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { readChildren } from '../../agent/attach/main-thread.ts';
import type { WhyReport } from '../../agent/cli/why/report.ts';
import { limitCpu } from '../support/limited-cpu.ts';
import { startTarget } from '../support/target.ts';
import type { RunningTarget } from '../support/target.ts';
import { waitFor } from '../support/wait-for.ts';

/** A way in which a process that was never prepared is stuck, and what `sidescope why` has to say of it. */
export interface StuckCase {
  readonly name: string;
  readonly deed: string;
  readonly message?: Readonly<Record<string, number>>;
  readonly cpuCores?: number;
  /** Some take a while to begin. */
  readonly begins?: 'inside' | 'with a child';
  readonly right: {
    readonly verdict: WhyReport['verdict'] | readonly WhyReport['verdict'][];
    readonly thread?: string;
    /** Undefined where no stack is to be had. */
    readonly functionName?: string;
    /** Of the program's line that is named. */
    readonly line?: string;
    readonly text: RegExp;
    readonly inspector: readonly WhyReport['inspector'][];
  };
}

const program = 'never-prepared';
/** When the answer is due, the call that it is in may not have returned, or the machine has other things to do. */
const closed = ['closed', 'no-answer'] as const;

export const loop: StuckCase = {
  name: 'a synchronous loop',
  deed: 'spin',
  right: {
    verdict: 'blocked',
    functionName: 'spin',
    line: 'for (;;) x =',
    text: /has not turned.*: synchronous JavaScript runs without a pause/,
    inspector: closed,
  },
};

export const pattern: StuckCase = {
  name: 'a catastrophic regular expression',
  deed: 'match',
  right: {
    verdict: 'blocked',
    functionName: 'match',
    line: 'return /^(a+)+',
    text: /a regular expression does not come to an end/,
    inspector: closed,
  },
};

export const jsonParse: StuckCase = {
  name: 'JSON.parse of 4 MB, again and again',
  deed: 'parseAll',
  begins: 'inside',
  message: { rows: 100_000 },
  right: {
    // On a loaded machine one call may be the one that is not answered.
    verdict: ['blocked', 'native-call'],
    functionName: 'parseAll',
    line: 'return JSON.parse',
    text: /has not turned.*without a pause|has been in a native call/,
    inspector: closed,
  },
};

export const crypto: StuckCase = {
  name: 'crypto.pbkdf2Sync, again and again',
  deed: 'hashAll',
  begins: 'inside',
  message: { rounds: 200_000 },
  right: {
    verdict: ['blocked', 'native-call'],
    functionName: 'hashAll',
    line: 'return pbkdf2Sync',
    text: /native work \(pbkdf2Sync\) without a pause|has been in a native call/,
    inspector: closed,
  },
};

export const zlib: StuckCase = {
  name: 'zlib.gzipSync, again and again',
  deed: 'zipAll',
  begins: 'inside',
  right: {
    verdict: 'blocked',
    functionName: 'zipAll',
    line: 'return gzipSync',
    text: /native work .*without a pause/,
    inspector: closed,
  },
};

export const longCrypto: StuckCase = {
  name: 'one crypto.pbkdf2Sync that takes longer than anybody waits',
  deed: 'hashOnce',
  right: { verdict: 'no-inspector', text: /the main thread computes in native code/, inspector: ['opens-later'] },
};

export const childProcess: StuckCase = {
  name: 'execSync',
  deed: 'waitForChild',
  begins: 'with a child',
  message: { seconds: 60 },
  right: {
    verdict: 'no-inspector',
    text: /waits for its child process \d+ \(.*sleep 60\) in execSync/,
    inspector: ['never-opened'],
  },
};

export const atomicsWait: StuckCase = {
  name: 'Atomics.wait',
  deed: 'waitForLock',
  right: {
    verdict: 'blocked',
    functionName: 'waitForLock',
    line: 'Atomics.wait(new',
    text: /waits in Atomics\.wait/,
    inspector: closed,
  },
};

export const worker: StuckCase = {
  name: 'a blocked worker',
  deed: 'inWorker',
  begins: 'inside',
  right: {
    verdict: 'worker-busy',
    thread: 'worker-1',
    functionName: 'spin',
    line: 'for (;;) x =',
    text: /worker-1 computes without a pause/,
    inspector: closed,
  },
};

/** Needs `canLimitCpu()`. */
export const throttled: StuckCase = {
  name: 'a cgroup with 0.1 cores',
  deed: 'spin',
  cpuCores: 0.1,
  right: {
    verdict: 'throttled',
    functionName: 'spin',
    line: 'for (;;) x =',
    text: /the CPU limit of 0\.1 cores keeps it waiting (?:[2-9]\d|100) % of the time/,
    inspector: closed,
  },
};

/** Returns when it is stuck. Its disposal leaves nothing behind. */
export async function startStuck({ deed, message, cpuCores, begins }: StuckCase, node: number): Promise<RunningTarget> {
  await using stack = new AsyncDisposableStack();
  // Any free port, so that targets that run at the same time do not meet at 9229.
  const target = await startTarget(program, { node, execArgv: ['--debug-port=0'] });
  const endTarget = target[Symbol.asyncDispose].bind(target);
  const limit = cpuCores === undefined ? undefined : limitCpu(target.pid, cpuCores);
  stack.defer(async () => {
    for (const shell of await readChildren(target.pid)) {
      for (const { pid } of [...(await readChildren(shell.pid)), shell]) process.kill(pid, 'SIGKILL');
    }
    await endTarget();
    await limit?.[Symbol.asyncDispose]();
  });
  await target.send({ deed, ...message });
  await target.waitForOutput(/^stuck$/m);
  if (begins === 'inside') await target.waitForOutput(/^inside$/m);
  if (begins === 'with a child')
    await waitFor(async () => (await readChildren(target.pid)).some(({ command }) => command.includes('sleep')), {
      message: 'its child process',
    });
  const started = stack.move();
  return Object.assign(target, { [Symbol.asyncDispose]: () => started.disposeAsync() });
}

/** In words, each thing that is not as it should be. */
export function mistakesIn(report: WhyReport, { right }: StuckCase): string[] {
  const place = report.hotspot?.place;
  const line = right.line === undefined ? undefined : lineOf(right.line);
  const mistakes = [
    [[right.verdict].flat().includes(report.verdict), `verdict ${report.verdict}: ${report.text}`],
    [report.thread === (right.thread ?? 'main'), `thread ${report.thread}`],
    [place?.functionName === right.functionName, `function ${place?.functionName}`],
    [place?.line === line, `line ${place?.line} instead of ${line}`],
    [right.text.test(report.text), report.text],
    [right.inspector.includes(report.inspector), `inspector ${report.inspector}`],
  ] as const;
  return mistakes.flatMap(([isRight, text]) => (isRight ? [] : [text]));
}

/** The 1-based line that holds the text. */
function lineOf(text: string): number {
  const lines = readFileSync(join(import.meta.dirname, '..', 'targets', `${program}.cjs`), 'utf8').split('\n');
  return lines.findIndex((line) => line.includes(text)) + 1;
}
