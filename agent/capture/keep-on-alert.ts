import { setTimeout as delay } from 'node:timers/promises';
import { SidescopeError } from '../../protocol/error.ts';
import { alertSeverities } from '../../protocol/rest/alerts.ts';
import type { AlertNotice } from '../alerts/alert-sink.ts';
import type { Alerts } from '../alerts/alerts.ts';
import type { CaptureLog } from './capture-job.ts';
import type { FlightRecorder } from './recorder.ts';

const defaults = { beforeMs: 60_000, afterMs: 15_000, restMs: 300_000 };

export interface KeepOnAlertOptions {
  readonly alerts: Pick<Alerts, 'on' | 'off' | 'attachProfile'>;
  readonly recorder: Pick<FlightRecorder, 'recording' | 'run' | 'keep'>;
  readonly log: CaptureLog;
  /** How much before and behind the alert, and how long until the next one of the same target that is no worse. */
  readonly times?: Partial<typeof defaults> | undefined;
}

/** Of one run of a target: another one may begin while it waits. */
interface Waiting {
  readonly targetId: string;
  readonly instanceId: string | undefined;
  /** Episodes that wait for the profile that is being made. */
  readonly ids: Set<string>;
  /** Of the worst of them. */
  level: number;
}

/**
 * When an episode opens, the recorder's windows before and around it become a profile, which then belongs to the alert. Of several at once, one profile is for all. Then it
 * rests, but for what is worse, and for the end of the target.
 */
export class KeepOnAlert implements AsyncDisposable {
  readonly #options: KeepOnAlertOptions;
  readonly #times: typeof defaults;
  readonly #stopped = new AbortController();
  readonly #waiting = new Set<Waiting>();
  /** Per target. */
  readonly #last = new Map<string, { readonly atMs: number; readonly level: number }>();
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
    const { recorder } = this.#options;
    const [instanceId, level] = [recorder.run(targetId), alertSeverities.indexOf(alert.severity)];
    const other = [...this.#waiting].find((one) => one.targetId === targetId && one.instanceId === instanceId);
    if (other !== undefined) {
      other.ids.add(id);
      other.level = Math.max(other.level, level);
      return;
    }
    const isEnded = problem === 'target-death';
    if (!isEnded && (recorder.recording(targetId) === undefined || this.#rests(targetId, level))) return;
    const waiting = { targetId, instanceId, ids: new Set([id]), level };
    this.#waiting.add(waiting);
    const running = this.#keep(waiting, { problem, afterMs: isEnded ? 0 : this.#times.afterMs });
    this.#running.add(running);
    void running.finally(() => this.#running.delete(running));
  }

  #rests(targetId: string, level: number): boolean {
    const last = this.#last.get(targetId);
    return last !== undefined && performance.now() - last.atMs < this.#times.restMs && level <= last.level;
  }

  async #keep(waiting: Waiting, { problem, afterMs }: { problem: string; afterMs: number }): Promise<void> {
    const { recorder, alerts, log } = this.#options;
    const { targetId, instanceId } = waiting;
    // The only rejection is our own stop.
    await delay(afterMs, undefined, { signal: this.#stopped.signal, ref: false }).catch(() => undefined);
    try {
      const beforeMs = this.#times.beforeMs + afterMs;
      const trigger = { kind: 'alert', by: problem } as const;
      const profile = await recorder.keep({ targetId, beforeMs, instanceId, trigger });
      if (profile === undefined) return;
      for (const [id, { atMs }] of this.#last)
        if (performance.now() - atMs >= this.#times.restMs) this.#last.delete(id);
      this.#last.set(targetId, { atMs: performance.now(), level: waiting.level });
      for (const id of waiting.ids) alerts.attachProfile(id, profile.id);
    } catch (error) {
      if (!(error instanceof SidescopeError)) throw error;
      log.warn({ target: targetId, code: error.code }, `no profile of the minute before the alert: ${error.message}`);
    } finally {
      this.#waiting.delete(waiting);
    }
  }
}
