import { SidescopeError } from '../../protocol/error.ts';
import type { Kubectl, RunningKubectl } from './kubectl.ts';

export interface ForwardOptions {
  /** `pod/NAME`. */
  readonly pod: string;
  readonly remotePort: number;
  /** 0 lets kubectl pick a free one. */
  readonly localPort: number;
  /** Goes on after Ctrl-C on the terminal, until it is disposed. */
  readonly isOwnGroup?: boolean;
  readonly signal: AbortSignal;
}

const readyDeadlineMs = 30_000;

/** One `kubectl port-forward`, listening on this machine's loopback only. */
export class PortForward implements AsyncDisposable {
  readonly localPort: number;
  /** Resolves when it is gone, for whatever reason. */
  readonly ended: Promise<void>;
  isGone = false;
  readonly #running: RunningKubectl;

  private constructor(running: RunningKubectl, localPort: number) {
    this.#running = running;
    this.localPort = localPort;
    this.ended = running.ended.then(() => {
      this.isGone = true;
    });
  }

  /** Resolves when it listens. Rejects with `kubectl-failed`, or with the signal's reason. */
  static async open(kubectl: Kubectl, options: ForwardOptions): Promise<PortForward> {
    const { pod, remotePort, localPort, isOwnGroup = false, signal } = options;
    signal.throwIfAborted();
    const ports = `${localPort === 0 ? '' : localPort}:${remotePort}`;
    const running = kubectl.start(['port-forward', '--address=127.0.0.1', pod, ports], { isOwnGroup });
    const doing = `kubectl port-forward ${pod} ${ports}`;
    try {
      return new PortForward(running, await listening(running, { doing, kubectl, signal }));
    } catch (error) {
      await running.stop();
      throw error;
    }
  }

  /** Why it ended, as kubectl said. */
  get lastWords(): string {
    return this.#running.stderr().trim().split('\n').at(-1) ?? '';
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#running.stop();
  }
}

interface Wait {
  readonly doing: string;
  readonly kubectl: Kubectl;
  readonly signal: AbortSignal;
}

async function listening(running: RunningKubectl, { doing, kubectl, signal }: Wait): Promise<number> {
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  const look = (): void => {
    const port = /^Forwarding from 127\.0\.0\.1:(\d+) ->/m.exec(running.stdout())?.[1];
    if (port !== undefined) resolve(Number(port));
  };
  running.child.stdout?.on('data', look);
  running.ended.then(() => reject(kubectl.failure(doing, running.stderr())), reject);
  const timer = setTimeout(() => {
    reject(new SidescopeError('kubectl-failed', `${doing}: not ready in ${readyDeadlineMs / 1000} s`));
  }, readyDeadlineMs);
  const onAbort = (): void => reject(signal.reason as Error);
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    return await promise;
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', onAbort);
    running.child.stdout?.off('data', look);
  }
}
