import type { OtlpSignal } from './received.ts';

export interface ReceiveStats {
  readonly answered: readonly {
    readonly signal: OtlpSignal | 'unknown';
    readonly status: number;
    readonly count: number;
  }[];
  readonly acceptedSpans: number;
  readonly rejectedSpans: number;
  /** Requests acknowledged and dropped, as nothing is configured to send them to. */
  readonly unforwarded: Readonly<Record<OtlpSignal, number>>;
}

/** What was answered, for the metrics. */
export class ReceiveCounts {
  readonly #answered = new Map<string, { signal: OtlpSignal | 'unknown'; status: number; count: number }>();
  readonly #unforwarded: Record<OtlpSignal, number> = { traces: 0, metrics: 0, logs: 0 };
  #acceptedSpans = 0;
  #rejectedSpans = 0;

  add(answer: { signal: OtlpSignal | 'unknown'; status: number; spans: number; rejected: number }): void {
    const { signal, status, spans, rejected } = answer;
    const key = `${signal} ${status}`;
    const entry = this.#answered.get(key) ?? { signal, status, count: 0 };
    entry.count++;
    this.#answered.set(key, entry);
    this.#acceptedSpans += spans;
    this.#rejectedSpans += rejected;
  }

  unforwarded(signal: OtlpSignal): void {
    this.#unforwarded[signal]++;
  }

  stats(): ReceiveStats {
    return {
      answered: [...this.#answered.values()].map((entry) => ({ ...entry })),
      acceptedSpans: this.#acceptedSpans,
      rejectedSpans: this.#rejectedSpans,
      unforwarded: { ...this.#unforwarded },
    };
  }
}
