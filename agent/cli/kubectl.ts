import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { SidescopeError } from '../../protocol/error.ts';

export interface KubectlOptions {
  /** A path, or a name that is found on PATH. */
  readonly path: string;
  readonly context?: string | undefined;
  readonly namespace?: string | undefined;
}

/** A login that opens a browser takes its time. */
const deadlineMs = 60_000;
const usualOutputBytes = 1024 * 1024;
/** From asking it to end to ending it. */
const stopGraceMs = 2_000;
/** Behind its end: a login that it has started, and that is still there, holds its outputs. */
const outputGraceMs = 200;

interface Run {
  /** What a message says was tried. */
  readonly doing: string;
  readonly signal: AbortSignal;
  /** More is a failure. */
  readonly maxOutputBytes?: number;
}

interface Start {
  /** Of more, the last are kept. */
  readonly maxOutputBytes?: number;
  /** Not reached by the terminal's Ctrl-C: who started it ends it. */
  readonly isOwnGroup?: boolean;
}

/** The user's own kubectl, with the user's own rights. Every failure is a `kubectl-failed` that says what to do. */
export class Kubectl {
  readonly #path: string;
  readonly #scope: readonly string[];

  constructor({ path, context, namespace }: KubectlOptions) {
    this.#path = path;
    this.#scope = [
      ...(context === undefined ? [] : [`--context=${context}`]),
      ...(namespace === undefined ? [] : [`--namespace=${namespace}`]),
    ];
  }

  /** Runs to its end, and resolves with what it printed. */
  async run(args: readonly string[], { doing, signal, maxOutputBytes = usualOutputBytes }: Run): Promise<string> {
    const deadline = AbortSignal.timeout(deadlineMs);
    const running = this.start(args, { maxOutputBytes });
    const stop = (): void => void running.stop();
    const either = AbortSignal.any([signal, deadline]);
    either.addEventListener('abort', stop, { once: true });
    try {
      if (either.aborted) stop();
      const code = await running.ended;
      signal.throwIfAborted();
      const printed = running.stdout();
      if (code === 0 && printed.length < maxOutputBytes) return printed;
      if (code === 0) throw new SidescopeError('kubectl-failed', `${doing}: it printed ${maxOutputBytes} B or more`);
      const reason = deadline.aborted
        ? `no end in ${deadlineMs / 1000} s. Does it wait for a login?`
        : running.stderr();
      throw this.failure(doing, reason);
    } finally {
      either.removeEventListener('abort', stop);
    }
  }

  /**
   * `kubectl exec` of what may be done twice, and prints something. kubectl 1.32 reads before it is ready to take what it reads: on a busy machine it loses all of it
   * and ends with 0, or loses the connection's end and says so.
   */
  async exec(words: readonly string[], run: Run): Promise<string> {
    const args = ['exec', ...words];
    try {
      const printed = await this.run(args, run);
      if (printed !== '') return printed;
    } catch (error) {
      if (!(error instanceof SidescopeError) || !error.message.includes('closed all streams')) throw error;
    }
    return this.run(args, run);
  }

  /** Starts it and returns at once; `ended` resolves with its exit code, -1 for a signal, and rejects when it cannot be started. */
  start(
    args: readonly string[],
    { maxOutputBytes = usualOutputBytes, isOwnGroup = false }: Start = {},
  ): RunningKubectl {
    // No standard input: a question would wait for an answer that nobody sees asked.
    const child = spawn(this.#path, [...this.#scope, ...args], {
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: isOwnGroup,
    });
    const output = { stdout: '', stderr: '' };
    for (const name of ['stdout', 'stderr'] as const) {
      child[name].setEncoding('utf8').on('data', (text: string) => {
        const all = output[name] + text;
        output[name] = all.length > maxOutputBytes ? all.slice(-maxOutputBytes) : all;
      });
    }
    if (isOwnGroup) endWithUs(child);
    const ended = new Promise<number>((resolve, reject) => {
      child.once('error', (error) => reject(this.#notStarted(error)));
      child.once('close', (code) => resolve(code ?? -1));
    });
    // Whoever only watches its output learns from the end of that.
    ended.catch(() => undefined);
    const stop = (): Promise<void> => endChild(child, ended);
    return { child, ended, stop, stdout: () => output.stdout, stderr: () => output.stderr };
  }

  failure(doing: string, stderr: string): SidescopeError {
    const said = lastLines(stderr) || 'it said nothing';
    const { advice = '', isFinal = false } = explanations.find(({ pattern }) => pattern.test(stderr)) ?? {};
    const message = `${doing}: ${said}${advice === '' ? '' : `\n${advice}`}`;
    return new SidescopeError('kubectl-failed', message, { details: { isFinal } });
  }

  #notStarted(error: Error): SidescopeError {
    const missing = 'code' in error && error.code === 'ENOENT';
    const reason = missing ? `there is no ${this.#path} on PATH` : `${this.#path}: ${error.message}`;
    return new SidescopeError('kubectl-failed', `kubectl cannot be run: ${reason}. --kubectl names it.`, {
      cause: error,
    });
  }
}

async function endChild(child: ChildProcess, ended: Promise<unknown>): Promise<void> {
  const leave = (): void => {
    child.stdout?.destroy();
    child.stderr?.destroy();
  };
  const timers = [setTimeout(() => child.kill('SIGKILL'), stopGraceMs)];
  const onExit = (): void => void timers.push(setTimeout(leave, outputGraceMs));
  if (child.exitCode === null && child.signalCode === null) child.once('exit', onExit);
  else onExit();
  child.kill();
  // That it could not be started has been told to who asked for it.
  await ended.catch(() => undefined);
  for (const timer of timers) clearTimeout(timer);
}

const ownGroups = new Set<ChildProcess>();

/** A second Ctrl-C ends this process at once: what the terminal does not reach must not stay behind. */
function endWithUs(child: ChildProcess): void {
  if (ownGroups.size === 0) process.on('exit', killOwnGroups);
  ownGroups.add(child);
  child.once('close', () => {
    ownGroups.delete(child);
    if (ownGroups.size === 0) process.off('exit', killOwnGroups);
  });
}

function killOwnGroups(): void {
  for (const child of ownGroups) child.kill();
}

export interface RunningKubectl {
  readonly child: ChildProcess;
  readonly ended: Promise<number>;
  /** Ends it, and resolves when it has ended; not what it has started. */
  stop(): Promise<void>;
  stdout(): string;
  stderr(): string;
}

interface Explanation {
  readonly pattern: RegExp;
  readonly advice: string;
  /** No later attempt can go better. */
  readonly isFinal?: true;
}

/** What kubectl, the API server and the container runtime say, and what that means here. The first that fits. */
const explanations: readonly Explanation[] = [
  {
    pattern: /pods "[^"]*" not found/,
    isFinal: true,
    advice: 'Is it the right namespace (-n) and cluster (--context)? `kubectl get pods` lists what there is.',
  },
  {
    pattern: /namespaces? "[^"]*" not found/,
    isFinal: true,
    advice: '`kubectl get namespaces` lists what there is.',
  },
  {
    pattern: /container not found|container \S+ is not valid for pod|container "[^"]*" (is )?not (found|running)/,
    advice:
      "The agent's container is called sidescope unless -c says otherwise. `kubectl get pod NAME -o yaml` shows the containers and what they wait for.",
  },
  {
    pattern: /pods\/(exec|portforward)|is forbidden|Forbidden/,
    isFinal: true,
    advice: 'Your role needs `create` on `pods/exec` and `pods/portforward` in this namespace.',
  },
  {
    pattern: /exec: "[^"]*".*(no such file|not found)|executable file .*not found/i,
    advice: "That image has no such command: --exec names it, such as --exec 'node dist/agent/main.mjs'.",
  },
  {
    pattern: /context "[^"]*" does not exist|context was not found/,
    advice: '`kubectl config get-contexts` lists what there is.',
  },
  {
    pattern: /Unauthorized|must be logged in|provide credentials|token (has|is) expired/i,
    advice: 'Your login to the cluster has ended: log in anew, then try again.',
  },
  {
    pattern: /connection refused|no such host|i\/o timeout|was refused|dial tcp|TLS handshake timeout/,
    advice: 'The cluster, or the port in the pod, cannot be reached. Does `kubectl get pods` answer?',
  },
  { pattern: /address already in use|unable to listen on/i, advice: 'That local port is taken: --port names another.' },
  { pattern: /pod is not running|current phase is/i, advice: '`kubectl describe pod NAME` says why it does not run.' },
];

const noise = /^(command terminated|[IWEF]\d{4} )/;

/** The rest is progress and repetition, such as the client library's own log; control characters of a remote program must not reach the terminal. */
function lastLines(stderr: string): string {
  const lines = stderr.split('\n').filter((line) => line.trim() !== '' && !noise.test(line));
  return lines
    .slice(-3)
    .join('\n')
    .replace(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f]/g, '?');
}
