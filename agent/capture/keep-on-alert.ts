import { setTimeout as delay } from 'node:timers/promises';
import { SidescopeError } from '../../protocol/error.ts';
import type { AlertNotice } from '../alerts/alert-sink.ts';
import type { Alerts } from '../alerts/alerts.ts';
import type { CaptureLog } from './capture-job.ts';
import type { FlightRecorder } from './recorder.ts';

const defaults = { beforeMs: 60_000, afterMs: 15_000, restMs: 300_000 };

export interface KeepOnAlertOptions {
  readonly alerts: Pick<Alerts, 'on' | 'off' | 'attachProfile'>;
  readonly recorder: Pick<FlightRecorder, 'recording' | 'keep'>;
  readonly log: CaptureLog;
  /** How much before and behind the alert, and how long until the next one of the same target. */
  readonly times?: Partial<typeof defaults> | undefined;
}

/** When an episode opens, the recorder's windows before and around it become a profile, which then belongs to the alert. Of several at once, one profile is for all. */
export class KeepOnAlert implements AsyncDisposable {
  readonly #options: KeepOnAlertOptions;
  readonly #times: typeof defaults;
  readonly #stopped = new AbortController();
  /** Per target: episodes that wait for the profile that is being made. */
  readonly #waiting = new Map<string, Set<string>>();
  readonly #lastMs = new Map<string, number>();
  readonly #running = new Set<Promise<void>>();
  readonly #onChange = (notice: AlertNotice): void => this.#note(notice);

  constructor(options: KeepOnAlertOptions) {
    this.#options = options;
    this.#times = { ...defaults, ...options.times };
    options.alerts.on('change', this.#onChange);
  }

  /** What is waited for is kept at once, with what there is. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#options.alerts.off('change', this.#onChange);
    this.#stopped.abort();
    await Promise.all(this.#running);
  }

  #note({ change, alert }: AlertNotice): void {
    const { targetId, problem, id } = alert;
    if (!['opened', 'reopened', 'escalated'].includes(change)) return;
    // A rule that captures just that, and what was caught.
    if (problem === 'rule' && alert.facts['capture'] === 'recorder') return;
    const waiting = this.#waiting.get(targetId);
    if (waiting !== undefined) {
      waiting.add(id);
      return;
    }
    const isEnded = problem === 'target-death';
    if (!isEnded && this.#options.recorder.recording(targetId) === undefined) return;
    if (performance.now() - (this.#lastMs.get(targetId) ?? -Infinity) < this.#times.restMs) return;
    this.#waiting.set(targetId, new Set([id]));
    const running = this.#keep(targetId, { problem, afterMs: isEnded ? 0 : this.#times.afterMs });
    this.#running.add(running);
    void running.finally(() => this.#running.delete(running));
  }

  async #keep(targetId: string, { problem, afterMs }: { problem: string; afterMs: number }): Promise<void> {
    const { recorder, log } = this.#options;
    const { beforeMs } = this.#times;
    // The only rejection is our own stop.
    await delay(afterMs, undefined, { signal: this.#stopped.signal, ref: false }).catch(() => undefined);
    const ids = this.#waiting.get(targetId) ?? new Set();
    try {
      const trigger = { kind: 'alert', by: problem } as const;
      const profile = await recorder.keep({ targetId, beforeMs: beforeMs + afterMs, trigger });
      if (profile === undefined) return;
      this.#lastMs.set(targetId, performance.now());
      for (const id of ids) this.#options.alerts.attachProfile(id, profile.id);
    } catch (error) {
      if (!(error instanceof SidescopeError)) throw error;
      log.warn({ target: targetId, code: error.code }, `no profile of the minute before the alert: ${error.message}`);
    } finally {
      this.#waiting.delete(targetId);
    }
  }
}
