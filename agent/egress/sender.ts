import { isSidescopeError } from '../../protocol/error.ts';
import { pauseAfter } from '../requests/retry.ts';
import type { OutboxRow, OutboxTable } from '../store/outbox-table.ts';
import type { Destination } from './destination.ts';
import type { Parcel } from './parcel.ts';
import { asSendError, type FailureReason, type SendError } from './send-error.ts';

/** Rows are small, but somebody has to look through them. */
const itemsMax = 1_000;
/** Looked at for one that is due. */
const lookAhead = 200;
/** Between two looks at the table, whatever seems to be due. */
const leastPauseMs = 50;
const destinationPauses = { firstMs: 1_000, longestMs: 5 * 60_000 };
/** What could not be read or redacted may be, when there is more memory. */
const itemPauses = { firstMs: 5_000, longestMs: 10 * 60_000 };
const itemAttemptsMax = 10;
/** Failures of one item from which on they may be its own fault: a proxy cuts what is too large for it, a bug answers 500 to this one. Others go first then. */
const doubtfulFailures = 3;
const isBeyondDoubt: ReadonlySet<FailureReason> = new Set(['unreachable', 'throttled']);
/** The table itself could not be read or written. */
const faultPauseMs = 30_000;

export type DropReason = 'queue-full' | 'refused' | 'gave-up' | 'gone' | 'not-queued';

export interface Shipment {
  readonly destination: string;
  readonly bytes: number;
  readonly durationMs: number;
}

export interface SenderStats {
  readonly sent: number;
  readonly sentBytes: number;
  readonly failed: Readonly<Partial<Record<FailureReason, number>>>;
  readonly dropped: Readonly<Partial<Record<DropReason, number>>>;
  readonly lastSentAtMs: number | null;
  readonly lastError: { readonly atMs: number; readonly message: string; readonly reason: FailureReason } | null;
  readonly isSending: boolean;
  /** When a destination that failed is asked again. */
  readonly resumeInMs: number | null;
}

export interface SenderLog {
  info(facts: object, message: string): void;
  warn(facts: object, message: string): void;
  error(facts: object, message: string): void;
}

export interface SenderOptions {
  readonly name: string;
  readonly destination: Destination;
  readonly outbox: OutboxTable;
  readonly queueBytesMax: number;
  /** Undefined when it is gone. */
  open(row: OutboxRow): Parcel | undefined;
  /** From queueing on: labels, and the spans of a CPU profile, come after it. */
  readonly settleMs: number;
  readonly onSent: (shipment: Shipment) => void;
  readonly log: SenderLog;
  readonly random?: (() => number) | undefined;
  readonly pauses?: typeof destinationPauses | undefined;
}

/**
 * One destination: the oldest first, one at a time. What fails for the destination's sake makes all of them wait, what fails for its own steps back alone; so does what
 * failed three times, as nobody can know whose fault that is.
 */
export class Sender {
  readonly #options: SenderOptions;
  readonly #stop = new AbortController();
  /** By row, on the monotonic clock: when it is first or next to be tried. */
  readonly #due = new Map<number, number>();
  /** By row: how often it failed in a way that may be its own fault. */
  readonly #doubts = new Map<number, number>();
  /** Sent or dropped, and the table did not take it: they are not sent twice by this agent. */
  readonly #done = new Set<number>();
  readonly #failed: Partial<Record<FailureReason, number>> = {};
  readonly #dropped: Partial<Record<DropReason, number>> = {};
  #running: Promise<void> | undefined;
  #timer: NodeJS.Timeout | undefined;
  #current: number | undefined;
  #failures = 0;
  #resumeAtMs = 0;
  #isClosing = false;
  #isFaulty = false;
  #sent = 0;
  #sentBytes = 0;
  #lastSentAtMs: number | null = null;
  #lastError: SenderStats['lastError'] = null;

  constructor(options: SenderOptions) {
    this.#options = options;
  }

  /** Begins with what an earlier agent has left. */
  start(): void {
    this.#kick();
  }

  /** Never throws, never waits: whoever stored the profile has nothing to do with where it goes. */
  accept(item: Pick<OutboxRow, 'kind' | 'item' | 'bytes' | 'facts'>): void {
    const { name, outbox, settleMs, log } = this.#options;
    try {
      if (!outbox.add({ ...item, destination: name, queuedMs: Date.now() })) return;
      const [row] = outbox.ofItem(item.kind, item.item).filter(({ destination }) => destination === name);
      if (row !== undefined) this.#due.set(row.id, performance.now() + settleMs);
      this.#dropOldest();
      this.#isFaulty = false;
    } catch (error) {
      if (!isSidescopeError(error)) throw error;
      this.#countDrop('not-queued');
      if (!this.#isFaulty)
        log.error({ destination: name, code: error.code }, `profiles are not queued: ${error.message}`);
      this.#isFaulty = true;
    }
    this.#kick();
  }

  /** It was removed while it waited. */
  noteGone(row: OutboxRow): void {
    this.#forget(row.id);
    this.#countDrop('gone');
  }

  stats(): SenderStats {
    const waitMs = this.#resumeAtMs - performance.now();
    return {
      sent: this.#sent,
      sentBytes: this.#sentBytes,
      failed: { ...this.#failed },
      dropped: { ...this.#dropped },
      lastSentAtMs: this.#lastSentAtMs,
      lastError: this.#lastError,
      isSending: this.#current !== undefined,
      resumeInMs: waitMs > 0 ? waitMs : null,
    };
  }

  /** Sends what is queued once more, without waiting for anything, until `signal`; what is left stays for the next agent. */
  async close(signal: AbortSignal): Promise<void> {
    this.#isClosing = true;
    clearTimeout(this.#timer);
    const stop = (): void => this.#stop.abort(new Error('the agent is stopping'));
    if (signal.aborted) stop();
    signal.addEventListener('abort', stop, { once: true });
    await this.#running;
    this.#running = this.#run();
    await this.#running;
    signal.removeEventListener('abort', stop);
    stop();
    this.#options.destination[Symbol.dispose]();
  }

  #kick(): void {
    if (this.#isClosing || this.#running !== undefined) return;
    clearTimeout(this.#timer);
    this.#running = this.#run().finally(() => {
      this.#running = undefined;
      if (!this.#isClosing) this.#timer = setTimeout(() => this.#kick(), this.#nextInMs()).unref();
    });
  }

  async #run(): Promise<void> {
    try {
      for (let row = this.#next(); row !== undefined; row = this.#next()) await this.#sendRow(row);
      this.#isFaulty = false;
    } catch (error) {
      if (!isSidescopeError(error)) throw error;
      // The index: nothing can be said of any row.
      const { name, log, pauses = destinationPauses } = this.#options;
      this.#resumeAtMs = performance.now() + Math.min(faultPauseMs, pauses.longestMs);
      if (!this.#isFaulty && !this.#isClosing)
        log.error({ destination: name, code: error.code }, `the queue cannot be read: ${error.message}`);
      this.#isFaulty = true;
    }
  }

  #next(): OutboxRow | undefined {
    const nowMs = performance.now();
    if (this.#stop.signal.aborted || this.#resumeAtMs > nowMs) return undefined;
    const rows = this.#options.outbox
      .queued(this.#options.name, lookAhead + this.#done.size)
      .filter(({ id }) => !this.#done.has(id) && (this.#isClosing || (this.#due.get(id) ?? 0) <= nowMs));
    return rows.find(({ id }) => !this.#isDoubtful(id)) ?? rows[0];
  }

  #isDoubtful(id: number): boolean {
    return (this.#doubts.get(id) ?? 0) >= doubtfulFailures;
  }

  /** Until something may be due; at most a minute, so that a clock or a table that lies is found out. */
  #nextInMs(): number {
    const nowMs = performance.now();
    if (this.#resumeAtMs > nowMs) return Math.max(this.#resumeAtMs - nowMs, leastPauseMs);
    const dueMs = Math.min(...this.#due.values(), nowMs + 60_000);
    return Math.max(dueMs - nowMs, leastPauseMs);
  }

  async #sendRow(row: OutboxRow): Promise<void> {
    const { name, destination, outbox, onSent, log, pauses = destinationPauses } = this.#options;
    const startedMs = performance.now();
    this.#current = row.id;
    try {
      const parcel = this.#options.open(row);
      if (parcel === undefined) {
        this.#drop(row, 'gone');
        return;
      }
      const { signal } = this.#stop;
      const setNote = (note: string | null): void => outbox.setNote(row.id, note);
      const bytes = await destination.send(parcel, { signal, note: row.note, setNote });
      this.#sent += 1;
      this.#sentBytes += bytes;
      this.#lastSentAtMs = Date.now();
      if (this.#failures > 0) log.info({ destination: name }, 'profiles are sent again');
      this.#failures = 0;
      this.#lastError = null;
      this.#end(row, 'sent', null);
      onSent({ destination: name, bytes, durationMs: performance.now() - startedMs });
    } catch (error) {
      // It stays queued: the next agent sends it.
      if (this.#stop.signal.aborted) return;
      // Another destination, or a download, has the turn.
      if (isSidescopeError(error, 'too-many-analyses')) this.#stepBack(row, pauses.firstMs);
      else this.#fail(row, asSendError(error));
    } finally {
      this.#current = undefined;
    }
  }

  #fail(row: OutboxRow, { message, reason, next, retryAfterMs = 0 }: SendError): void {
    const { name, outbox, log, random = Math.random, pauses = destinationPauses } = this.#options;
    this.#failed[reason] = (this.#failed[reason] ?? 0) + 1;
    const isNews = this.#lastError === null;
    this.#lastError = { atMs: Date.now(), message, reason };
    if (isNews) log.warn({ destination: name, item: row.item, reason }, `a profile was not sent: ${message}`);
    outbox.noteFailure(row.id, message.slice(0, 500));
    if (next === 'never') {
      this.#drop(row, 'refused');
      return;
    }
    if (next === 'item-waits') {
      if (row.attempts + 1 >= itemAttemptsMax) this.#drop(row, 'gave-up');
      else this.#stepBack(row, pauseAfter(row.attempts + 1, itemPauses, random));
      return;
    }
    this.#failures += 1;
    // A little later than asked for: others were told the same.
    const askedMs = retryAfterMs * (1 + 0.1 * random());
    this.#resumeAtMs = performance.now() + Math.max(pauseAfter(this.#failures, pauses, random), askedMs);
    if (isBeyondDoubt.has(reason)) return;
    this.#doubts.set(row.id, (this.#doubts.get(row.id) ?? 0) + 1);
    // Behind the pause, so that what else waits is tried before it.
    if (this.#isDoubtful(row.id) && outbox.sums(name).items > 1)
      this.#due.set(row.id, this.#resumeAtMs + pauseAfter(row.attempts + 1, pauses, random));
  }

  #stepBack({ id }: OutboxRow, pauseMs: number): void {
    this.#due.set(id, performance.now() + pauseMs);
    if (this.#isClosing) this.#done.add(id);
  }

  #dropOldest(): void {
    const { name, outbox, queueBytesMax } = this.#options;
    for (;;) {
      const { items, bytes } = outbox.sums(name);
      if (items <= 1 || (items <= itemsMax && bytes <= queueBytesMax)) return;
      const oldest = outbox.queued(name, 2).find(({ id }) => id !== this.#current);
      if (oldest === undefined) return;
      this.#drop(oldest, 'queue-full');
    }
  }

  #drop(row: OutboxRow, reason: DropReason): void {
    const { name, log } = this.#options;
    this.#countDrop(reason);
    const facts = { destination: name, kind: row.kind, item: row.item, reason };
    // Windows come every half minute: that they are dropped is in the metrics.
    if (row.kind === 'profile') log.error(facts, 'a profile is not sent');
    this.#end(row, 'dropped', row.reason === null ? reason : `${reason}: ${row.reason}`);
  }

  #countDrop(reason: DropReason): void {
    this.#dropped[reason] = (this.#dropped[reason] ?? 0) + 1;
  }

  #end(row: OutboxRow, state: 'sent' | 'dropped', reason: string | null): void {
    const { id } = row;
    this.#forget(id);
    this.#done.add(id);
    this.#options.outbox.end(row, { state, reason, atMs: Date.now() });
    this.#done.delete(id);
  }

  #forget(id: number): void {
    this.#due.delete(id);
    this.#doubts.delete(id);
  }
}
