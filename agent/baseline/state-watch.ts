export type StateLog = Record<'info' | 'warn' | 'error', (facts: object, message: string) => void>;

/** For everything that one call does, however many files it reads. */
const attemptMs = 60_000;

/** Calls to a storage that may fail, or not answer: none rejects, and what is wrong is told once, and again when it is right. */
export class StateWatch {
  readonly #location: string;
  readonly #log: StateLog;
  readonly #stopping = new AbortController();
  #failing: string | undefined;
  #lost: string | undefined;
  /** One at a time: what is joined with what is there must be there. */
  #writing: Promise<unknown> = Promise.resolve();

  constructor({ location, log }: { location: string; log: StateLog }) {
    this.#location = location;
    this.#log = log;
  }

  get problem(): string | undefined {
    return this.#failing ?? this.#lost;
  }

  /** Undefined when it failed. */
  async attempt<T>(what: string, work: (signal: AbortSignal) => Promise<T>): Promise<T | undefined> {
    const timeout = AbortSignal.timeout(attemptMs);
    try {
      const result = await work(AbortSignal.any([this.#stopping.signal, timeout]));
      if (this.#failing !== undefined)
        this.#log.info({ location: this.#location }, 'the storage of baselines works again');
      this.#failing = undefined;
      return result;
    } catch (error) {
      const reason = timeout.aborted
        ? `no end after ${attemptMs / 1000} s`
        : error instanceof Error
          ? error.message
          : String(error);
      if (this.#failing === undefined && !this.#stopping.signal.aborted)
        this.#log.error(
          { location: this.#location, reason },
          `${what} failed: what is normal is known to this agent only`,
        );
      this.#failing = `${what} failed: ${reason}`.slice(0, 500);
      return undefined;
    }
  }

  /** The same, after those before it. */
  async inTurn<T>(what: string, work: (signal: AbortSignal) => Promise<T>): Promise<T | undefined> {
    const turn = this.#writing.then(() => this.attempt(what, work));
    this.#writing = turn;
    return await turn;
  }

  /** Something of what was kept cannot be read: true until the agent ends. */
  lost(what: string): void {
    this.#lost = what;
    this.#log.error({ location: this.#location }, `a baseline is lost: ${what}`);
  }

  async settled(): Promise<void> {
    await this.#writing;
  }

  stop(graceMs: number): void {
    const giveUp = () => this.#stopping.abort(new Error('the agent is stopping'));
    setTimeout(giveUp, graceMs).unref();
  }
}
