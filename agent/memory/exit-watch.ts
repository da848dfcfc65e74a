import { setTimeout as delay } from 'node:timers/promises';
import { isSidescopeError, SidescopeError } from '../../protocol/error.ts';
import { decodeExit, type LastError } from '../../protocol/inspector/exit-readings.ts';
import { exitExpression, exitWatchExpression, exitWatchFunctions } from '../../protocol/inspector/expressions.ts';
import type { TargetIdentity } from '../../protocol/rest/target.ts';
import type { Attachment } from '../attach/attachment.ts';
import { ProcessEndWatch, type ProcessEnd } from './process-end.ts';

/**
 * How the process ended, as its connection showed it. Measured on 18, 20, 22, 24 and 26:
 * - `process.exit`, an uncaught exception, an unhandled rejection: the exit event, and everything answers in it, 3-15 ms;
 * - running out of work: the exit event, but nothing can be evaluated in it any more ("Uncaught"): the code stays unknown;
 * - `process.kill(process.pid, ...)` and `process.reallyExit`: the exit event, with no code set;
 * - a signal from outside, V8 out of memory, `process.abort`: the connection is cut (1006) without an event.
 */
export type ExitSign =
  | { readonly kind: 'exit'; readonly exitCode: number | null; readonly error: LastError | null }
  | { readonly kind: 'natural' }
  /** A signal that it sent to itself, or `process.reallyExit`. */
  | { readonly kind: 'no-code' }
  /** The exit event came, and no answer in time. */
  | { readonly kind: 'silent' }
  | { readonly kind: 'cut' };

export interface ExitEvidence {
  readonly sign: ExitSign;
  readonly end: ProcessEnd;
  readonly newOomKills: number | null;
  /** Why an exception could not have been seen; null when it could. */
  readonly blindness: string | null;
}

/** Far below the 500 ms that an exit may be held. */
const askTimeoutMs = 250;
const startingMs = 100;
const startTimeoutMs = 10_000;
const leaveTimeoutMs = 500;

/** Collects, for one attachment, what can be known of its process's end. Costs the target one question in its exit, and no timer. */
export class ExitWatch implements AsyncDisposable {
  readonly #attachment: Attachment;
  readonly #stopped = new AbortController();
  readonly #resources = new DisposableStack();
  readonly #kernel: Promise<ProcessEndWatch>;
  readonly #end: Promise<ProcessEnd>;
  readonly #started: Promise<void>;
  #objectId: string | undefined;
  #blindness: string | null = 'the watch for exceptions had not begun';
  #sign: ExitSign | undefined;

  constructor({ attachment, identity }: { attachment: Attachment; identity: TargetIdentity }) {
    this.#attachment = attachment;
    this.#resources.use(attachment.onExit(() => this.#ask()));
    this.#kernel = ProcessEndWatch.start(identity);
    this.#started = this.#start();
    this.#end = this.#readEnd();
  }

  /** To be called when the attachment has ended. */
  async evidence({ oomKills }: { oomKills: number | null }): Promise<ExitEvidence> {
    const [kernel, end] = [await this.#kernel, await this.#end];
    const sign = this.#sign ?? { kind: this.#attachment.isExiting ? 'silent' : 'cut' };
    return { sign, end, newOomKills: await kernel.newOomKills(oomKills), blindness: this.#blindness };
  }

  /** Before the target is left: takes our listener out of it. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#resources.dispose();
    // One that is being made in the target is waited for: nobody else could take it out again.
    await Promise.race([this.#started, delay(leaveTimeoutMs, undefined, { ref: false })]);
    this.#stopped.abort(new SidescopeError('shutting-down', 'the agent leaves the target'));
    await Promise.all([this.#started, this.#kernel]);
    const { ended, isExiting, main } = this.#attachment;
    if (this.#objectId === undefined || ended.aborted || isExiting) return;
    // Closing the connection, which comes next, frees it as well, with the next collection.
    await main.callOn(this.#objectId, exitWatchFunctions.stop, { timeoutMs: leaveTimeoutMs }).catch(() => undefined);
  }

  async #start(): Promise<void> {
    const options = { timeoutMs: startTimeoutMs, signal: this.#stopped.signal };
    try {
      this.#objectId = await this.#attachment.main.evaluateToObject(exitWatchExpression, options);
      this.#blindness = null;
    } catch (error) {
      if (!(error instanceof SidescopeError)) throw error;
      this.#blindness = `the target could not be watched for exceptions: ${error.message}`;
    }
  }

  /** One question: the answer to a second one would wait 40 ms for our acknowledgement of the first. */
  async #ask(): Promise<void> {
    const { main } = this.#attachment;
    const options = { timeoutMs: askTimeoutMs };
    // Made as one of the last things before the exit, the watch is announced in this moment.
    await Promise.race([this.#started, delay(startingMs, undefined, { ref: false })]);
    try {
      const answer =
        this.#objectId === undefined
          ? await main.evaluate(exitExpression, options)
          : await main.callOn(this.#objectId, exitWatchFunctions.ending, options);
      const { exitCode, isExiting, error } = decodeExit(answer);
      const isCoded = isExiting || exitCode !== null || error !== null;
      this.#sign = isCoded ? { kind: 'exit', exitCode, error } : { kind: 'no-code' };
    } catch (error) {
      const isRefused = isSidescopeError(error, 'inspector-bad-answer') || isSidescopeError(error, 'inspector-refused');
      this.#sign = { kind: isRefused ? 'natural' : 'silent' };
    }
  }

  async #readEnd(): Promise<ProcessEnd> {
    const { ended } = this.#attachment;
    const { promise, resolve } = Promise.withResolvers<undefined>();
    ended.addEventListener('abort', () => resolve(undefined), { once: true });
    this.#stopped.signal.addEventListener('abort', () => resolve(undefined), { once: true });
    if (!ended.aborted) await promise;
    return (await this.#kernel).read(this.#stopped.signal);
  }
}
