import type { Alert, AlertChange } from '../../protocol/rest/alerts.ts';

/** An alert as it was just after a change. */
export interface AlertNotice {
  readonly change: AlertChange;
  readonly alert: Alert;
}

export interface SinkStats {
  readonly name: string;
  readonly queued: number;
  readonly delivered: number;
  /** Attempts that failed, each retry too. */
  readonly failed: number;
  /** Notices that there was no room for, that were refused for good, or that were left at the end. */
  readonly dropped: number;
}

/** Where alerts go. */
export interface AlertSink {
  /** Never throws and never waits. Told of every change but `updated`. */
  push(notice: AlertNotice): void;
  /** Undefined for one that cannot fail. */
  stats(): SinkStats | undefined;
  /** Delivers what is left, until `signal` is aborted. */
  close(signal: AbortSignal): Promise<void>;
}
