import { isSidescopeError, SidescopeError } from '../../protocol/error.ts';
import type { Feature } from '../../protocol/rest/info.ts';
import type { Log } from '../telemetry/log.ts';
import type { Listener } from './listener.ts';

const firstPauseMs = 500;
const longestPauseMs = 30_000;

/**
 * A listener that outlives a taken port: it is `failed` then, and takes the port up when it is free. Any other refusal
 * (not this machine's address, a privileged port) stays.
 */
export class LastingListener implements AsyncDisposable {
  readonly #name: 'admin' | 'ops';
  readonly #listen: () => Promise<Listener>;
  readonly #log: Log;
  #listener: Listener | undefined;
  #problem: SidescopeError | undefined;
  #timer: NodeJS.Timeout | undefined;
  #attempt: Promise<void> = Promise.resolve();
  #pauseMs = firstPauseMs;
  #isClosed = false;

  private constructor(name: 'admin' | 'ops', { listen, log }: { listen: () => Promise<Listener>; log: Log }) {
    this.#name = name;
    this.#listen = listen;
    this.#log = log;
  }

  /** Resolves after the first attempt, whatever came of it. */
  static async open(
    name: 'admin' | 'ops',
    options: { listen: () => Promise<Listener>; log: Log },
  ): Promise<LastingListener> {
    const lasting = new LastingListener(name, options);
    await lasting.#try();
    return lasting;
  }

  get listener(): Listener | undefined {
    return this.#listener;
  }

  feature(): Feature {
    const name = this.#name;
    if (this.#problem === undefined) return { name, state: 'on', reason: this.#listener?.url ?? null, remedy: null };
    const again = this.#mayBecomeFree() ? '; it is taken up when it becomes free' : '';
    const remedy = `Set --${name}-address to a free address; port 0 picks one.`;
    return { name, state: 'failed', reason: `${this.#problem.message}${again}`, remedy };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    await this.#attempt;
    await this.#listener?.[Symbol.asyncDispose]();
  }

  async #try(): Promise<void> {
    try {
      this.#listener = await this.#listen();
      if (this.#problem !== undefined)
        this.#log.info({ listener: this.#name, url: this.#listener.url }, 'the port became free: listening');
      this.#problem = undefined;
    } catch (error) {
      if (!(error instanceof SidescopeError)) throw error;
      if (this.#problem === undefined) this.#log.error({ code: error.code, listener: this.#name }, error.message);
      this.#problem = error;
      if (this.#mayBecomeFree() && !this.#isClosed) this.#tryLater();
    }
  }

  #tryLater(): void {
    this.#timer = setTimeout(() => {
      this.#attempt = this.#try();
    }, this.#pauseMs).unref();
    this.#pauseMs = Math.min(longestPauseMs, this.#pauseMs * 2);
  }

  #mayBecomeFree(): boolean {
    return isSidescopeError(this.#problem, 'address-in-use');
  }
}
