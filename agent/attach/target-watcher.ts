import { setTimeout as delay } from 'node:timers/promises';
import { isSidescopeError, SidescopeError } from '../../protocol/error.ts';
import type { IdentityReading } from '../../protocol/inspector/readings.ts';
import type { CaptureRef, Target, TargetIdentity, TargetState } from '../../protocol/rest/target.ts';
import { formatAddress } from './address.ts';
import { Attachment } from './attachment.ts';
import { backoffMs } from './backoff.ts';
import { closeUnattended, leaveAndClose } from './close-inspector.ts';
import type { ClosingResult } from './close-inspector.ts';
import { discoverInspector } from './discovery.ts';
import type { OpenInspector } from './open-inspector.ts';
import { checkIdentity } from './target-source.ts';
import type { FoundTarget, TargetSource } from './target-source.ts';
import { wrapperAdvice, wrapperOf } from './wrapper-process.ts';

/** Of an inspector that is opened by a signal: as long as we are attached, or for each capture anew. */
export type InspectorLifetime = 'always' | 'capture';

const discoveryTimeoutMs = 5_000;
/** Between two looks whether a process that stands by is still there, and whether somebody has opened its inspector. */
const standbyLookMs = 5_000;
/** Captures that follow one another share one opening. */
const lingerMs = 500;
const maxPrevious = 10;

export interface WatcherEvents {
  onChange(view: Target): void;
  onAttached(view: Target): void;
  onDetached(view: Target, reason: SidescopeError): void;
  onAttemptFailed(view: Target, failure: SidescopeError): void;
}

export interface WatcherOptions {
  readonly events: WatcherEvents;
  readonly random?: () => number;
  readonly lifetime?: InspectorLifetime;
}

/** Keeps one target attached for as long as the agent runs: waits for it, attaches, notices its end, starts over. */
export class TargetWatcher implements AsyncDisposable {
  readonly id: string;
  readonly #source: TargetSource;
  readonly #events: WatcherEvents;
  readonly #stopped = new AbortController();
  readonly #random: () => number;
  #state: TargetState = { state: 'connecting', attempts: 0, nextAttemptAt: null, lastFailure: null };
  #identity: TargetIdentity | null = null;
  #detectedAgents: string[] = [];
  #warnings: string[] = [];
  #isExposed = false;
  #previous: Target['previous'] = [];
  #captures: CaptureRef[] = [];
  #attachment: Attachment | undefined;
  /** An inspector that we opened, until it is closed or its process has ended. */
  #opened: { readonly inspector: OpenInspector; readonly sinceMs: number } | undefined;
  #openMs = 0;
  readonly #lifetime: InspectorLifetime;
  #isStandingBy = false;
  #holds = 0;
  #lingering = new AbortController();
  #lookAgain = Promise.withResolvers<void>();
  /** Opening and closing for captures, one after the other. */
  #turning: Promise<unknown> = Promise.resolve();
  #running: Promise<void> = Promise.resolve();

  constructor(source: TargetSource, options: WatcherOptions) {
    this.id = source.id;
    this.#source = source;
    this.#events = options.events;
    this.#random = options.random ?? Math.random;
    this.#lifetime = options.lifetime ?? 'always';
  }

  start(): void {
    this.#running = this.#run(this.#stopped.signal);
  }

  get view(): Target {
    const address = this.#source.label;
    return {
      id: this.id,
      address,
      name: nameOf(this.#identity) ?? address,
      state: this.#state,
      identity: this.#identity,
      previous: this.#previous,
      threads: this.#attachment?.threads().map(({ thread }) => thread) ?? [],
      detectedAgents: this.#detectedAgents,
      warnings: this.#warnings,
    };
  }

  /** Throws `target-not-attached`, with what the agent knows about why. */
  get attachment(): Attachment {
    const attachment = this.#attachment;
    if (attachment === undefined || this.#state.state !== 'attached') {
      throw new SidescopeError('target-not-attached', `target ${this.id} is ${describe(this.#state)}`);
    }
    return attachment;
  }

  get attachedIdentity(): TargetIdentity {
    if (this.#identity === null)
      throw new SidescopeError('target-not-attached', `target ${this.id} was never attached`);
    return this.#identity;
  }

  /** Whether it is attached for captures only: nothing is to be read from it all the time. */
  get isOnDemand(): boolean {
    return this.#isStandingBy;
  }

  /**
   * For a capture: attached until it is disposed. A target that stands by is opened by a signal for that, and closed again behind the last of several. Rejects with
   * `target-not-attached`, and with what keeps an inspector from being opened.
   */
  async hold(): Promise<Disposable> {
    if (!this.#isStandingBy) {
      // Throws with the reason.
      void this.attachment;
      return { [Symbol.dispose]: () => undefined };
    }
    this.#holds++;
    this.#lingering.abort();
    let isReleased = false;
    const release = (): void => {
      if (isReleased) return;
      isReleased = true;
      this.#holds--;
      // Nobody waits for it but our own stop, and the next hold.
      void this.#turn(() => this.#closeBehind());
    };
    try {
      await this.#turn(() => this.#openFor());
    } catch (error) {
      release();
      throw error;
    }
    return { [Symbol.dispose]: release };
  }

  /** Shows a capture in the target's state until disposed. */
  showCapture(capture: CaptureRef): Disposable {
    this.#captures.push(capture);
    this.#showCaptures();
    return {
      [Symbol.dispose]: () => {
        this.#captures = this.#captures.filter((each) => each !== capture);
        this.#showCaptures();
      },
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop(new SidescopeError('shutting-down', 'the agent is stopping'));
  }

  /** Leaves it clean and watches it no longer; `view` stays, with the reason. */
  async stop(reason: SidescopeError): Promise<void> {
    this.#stopped.abort(reason);
    await this.#turning;
    await this.#leave();
    await this.#running;
    this.#change({ state: 'detached', since: now(), reason: { code: reason.code, message: reason.message } });
  }

  /** Its inspector listened beyond loopback when it was attached last. */
  get isExposed(): boolean {
    return this.#isExposed;
  }

  /** How long inspectors that we opened in this target have been open in all. */
  get inspectorOpenMs(): number {
    return this.#openMs + (this.#opened === undefined ? 0 : performance.now() - this.#opened.sinceMs);
  }

  /** Closes an inspector that we opened, where that is safe. */
  async #leave(): Promise<void> {
    const inspector = this.#opened?.inspector;
    const attachment = this.#attachment;
    let closing: ClosingResult | undefined;
    if (inspector === undefined) await attachment?.[Symbol.asyncDispose]();
    else if (attachment === undefined || attachment.ended.aborted) closing = await closeUnattended(inspector);
    else closing = await leaveAndClose(attachment, inspector);
    // Somebody else's client keeps it open: it is still ours to close.
    if (closing === 'foreign-client' && !this.#stopped.signal.aborted) return;
    this.#source.onClosed();
    this.#noteClosed();
  }

  async #turn(work: () => Promise<void>): Promise<void> {
    const turned = this.#turning.then(work);
    // Each one tells its own caller.
    this.#turning = turned.catch(() => undefined);
    await turned;
  }

  async #openFor(): Promise<void> {
    this.#stopped.signal.throwIfAborted();
    if (this.#attachment !== undefined) return;
    if (!this.#isStandingBy)
      throw new SidescopeError('target-not-attached', `target ${this.id} is ${describe(this.#state)}`);
    const { promise } = await this.#attach(this.#stopped.signal);
    void promise.then((reason) => this.#onHeldEnded(reason));
  }

  /** When the last one is done, and no other begins in a moment. */
  async #closeBehind(): Promise<void> {
    const { signal } = this.#stopped;
    if (this.#holds > 0 || this.#attachment === undefined) return;
    // The only rejections are our own stop, which closes it, and the next hold.
    this.#lingering = new AbortController();
    const interrupted = AbortSignal.any([signal, this.#lingering.signal]);
    await delay(lingerMs, undefined, { signal: interrupted, ref: false }).catch(() => undefined);
    if (this.#holds > 0 || signal.aborted) return;
    await this.#leave();
    this.#attachment = undefined;
    if (this.#isStandingBy) this.#change({ state: 'standby', since: now() });
  }

  /** The target is gone, or the connection: `#standBy` finds out which. */
  #onHeldEnded(reason: SidescopeError): void {
    if (reason.code === 'shutting-down') return;
    this.#attachment = undefined;
    this.#change({ state: 'detached', since: now(), reason: { code: reason.code, message: reason.message } });
    this.#lookAgain.resolve();
  }

  /** Until the process has ended, or somebody else has opened its inspector. Rejects with why it cannot be a target. */
  async #standBy(isOpen: (signal: AbortSignal) => Promise<boolean>, signal: AbortSignal): Promise<void> {
    try {
      for (;;) {
        if (await isOpen(signal)) return;
        this.#isStandingBy = true;
        if (this.#attachment === undefined && this.#state.state !== 'standby')
          this.#change({ state: 'standby', since: now() });
        const waiting = new AbortController();
        this.#lookAgain = Promise.withResolvers();
        const looked = this.#lookAgain.promise;
        await Promise.race([
          looked,
          delay(standbyLookMs, undefined, { signal: AbortSignal.any([signal, waiting.signal]), ref: false }).catch(
            // Our own stop, or the end of the connection.
            () => undefined,
          ),
        ]);
        waiting.abort();
        signal.throwIfAborted();
      }
    } finally {
      this.#isStandingBy = false;
    }
  }

  #noteClosed(): void {
    this.#openMs = this.inspectorOpenMs;
    this.#opened = undefined;
  }

  async #run(signal: AbortSignal): Promise<void> {
    let attempts = 0;
    while (!signal.aborted) {
      let lastFailure: { code: string; message: string } | null = null;
      try {
        attempts++;
        const { isOpen } = this.#source;
        if (this.#lifetime === 'capture' && isOpen !== undefined) await this.#standBy(isOpen, signal);
        const ended = await this.#attach(signal);
        this.#events.onAttached(this.view);
        const lostReason = await ended.promise;
        if (signal.aborted) return;
        attempts = 0;
        this.#detach(lostReason);
      } catch (error) {
        if (signal.aborted) return;
        const failure = toFailure(error);
        if (this.#state.state === 'standby') this.#detach(failure);
        lastFailure = { code: failure.code, message: failure.message };
        this.#warnings = isSidescopeError(error, 'wrapper-process') ? [failure.message] : [];
        this.#events.onAttemptFailed(this.view, failure);
      }
      const waitMs = backoffMs(attempts + 1, this.#random);
      const nextAttemptAt = new Date(Date.now() + waitMs).toISOString();
      if (lastFailure !== null) this.#change({ state: 'connecting', attempts, nextAttemptAt, lastFailure });
      // The only rejection is our own stop, which ends the loop.
      await delay(waitMs, undefined, { signal, ref: false }).catch(() => undefined);
    }
  }

  /** What it resolves with, resolves with the reason when the attachment has ended. */
  async #attach(signal: AbortSignal): Promise<{ readonly promise: Promise<SidescopeError> }> {
    const target = await this.#findTarget(signal);
    const address = formatAddress(target.address);
    const found = await discoverInspector(target.address, { timeoutMs: discoveryTimeoutMs, signal });
    const wrapper = wrapperOf(found.scriptUrl);
    // Not even a socket is opened there: npm would print "Debugger attached." at every attempt.
    if (wrapper !== undefined) throw new SidescopeError('wrapper-process', wrapperAdvice(wrapper, address));
    const { promise: ended, resolve } = Promise.withResolvers<SidescopeError>();
    this.#attachment = await Attachment.open(found.webSocketUrl, {
      scriptUrl: found.scriptUrl,
      signal,
      listener: {
        onThreads: () => this.#announce(),
        onExiting: () => this.#change({ state: 'waiting-for-exit', since: now(), captures: [...this.#captures] }),
        onEnded: resolve,
      },
    });
    const reading = this.#attachment.identity;
    try {
      checkIdentity(target, reading.pid);
    } catch (error) {
      await this.#attachment[Symbol.asyncDispose]();
      this.#attachment = undefined;
      throw error;
    }
    const identity = toIdentity(reading, target.container);
    this.#identity = identity;
    // A connection that was cut while the process lived on: that was no earlier run.
    this.#previous = this.#previous.filter((run) => run.identity.instanceId !== identity.instanceId);
    this.#detectedAgents = [...reading.agents];
    this.#warnings = [...target.warnings];
    this.#isExposed = target.isExposed;
    this.#change({ state: 'attached', since: now(), captures: [...this.#captures] });
    return { promise: ended };
  }

  async #findTarget(signal: AbortSignal): Promise<FoundTarget> {
    try {
      const target = await this.#source.find(signal);
      if (target.opened?.isOurs === true) this.#opened ??= { inspector: target.opened, sinceMs: performance.now() };
      return target;
    } catch (error) {
      // Its inspector ended with it.
      if (isSidescopeError(error, 'no-such-process')) this.#noteClosed();
      throw error;
    }
  }

  #detach(reason: SidescopeError): void {
    this.#attachment = undefined;
    const ended = { code: reason.code, message: reason.message };
    if (this.#identity !== null) {
      const run = { identity: this.#identity, endedAt: now(), reason: ended };
      this.#previous = [run, ...this.#previous].slice(0, maxPrevious);
    }
    this.#change({ state: 'detached', since: now(), reason: ended });
    this.#events.onDetached(this.view, reason);
  }

  #showCaptures(): void {
    const state = this.#state;
    if (state.state === 'attached' || state.state === 'waiting-for-exit')
      this.#change({ ...state, captures: [...this.#captures] });
  }

  #change(state: TargetState): void {
    this.#state = state;
    this.#announce();
  }

  #announce(): void {
    this.#events.onChange(this.view);
  }
}

const now = (): string => new Date().toISOString();

function toIdentity(reading: IdentityReading, container: string | null): TargetIdentity {
  const { pid, ppid, nodeVersion, v8Version, arch, platform, hostname, title, mainScript, appName, appVersion } =
    reading;
  return {
    instanceId: `${pid}-${Math.round(reading.timeOriginMs)}`,
    pid,
    ppid,
    startedAt: new Date(reading.timeOriginMs).toISOString(),
    nodeVersion,
    v8Version,
    arch,
    platform,
    hostname,
    ...(container !== null && { container }),
    title,
    mainScript,
    appName,
    appVersion,
  };
}

function nameOf(identity: TargetIdentity | null): string | undefined {
  return identity?.appName ?? identity?.mainScript?.replace(/^.*[\\/]/, '');
}

function toFailure(error: unknown): SidescopeError {
  return error instanceof SidescopeError
    ? error
    : new SidescopeError('internal', `attaching failed: ${error instanceof Error ? error.message : String(error)}`, {
        cause: error,
      });
}

function describe(state: TargetState): string {
  switch (state.state) {
    case 'attached':
      return 'attached';
    case 'standby':
      return 'standing by, its inspector closed';
    case 'waiting-for-exit':
      return 'about to exit';
    case 'detached':
      return `detached: ${state.reason.message}`;
    case 'connecting':
      return `not reached yet (${state.attempts} attempts): ${state.lastFailure?.message ?? 'connecting'}`;
  }
}
