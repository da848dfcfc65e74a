import type { AlertNotice, AlertSink } from '../../agent/alerts/alert-sink.ts';
import { Alerts } from '../../agent/alerts/alerts.ts';
import type { AlertClock } from '../../agent/alerts/clock.ts';
import type { Condition } from '../../agent/alerts/condition.ts';
import { createLog } from '../../agent/telemetry/log.ts';
import { indexInMemory } from '../../agent/vitals/history.ts';
import { alertSchema } from '../../protocol/rest/alerts.ts';
import type { Alert } from '../../protocol/rest/alerts.ts';

export const start = Date.parse('2026-01-31T12:00:00.000Z');

/** A clock that a test moves; both parts of it. */
export class TestClock implements AlertClock {
  #elapsedMs = 1_000;
  #wallMs = start;
  wallMs = (): number => this.#wallMs;
  elapsedMs = (): number => this.#elapsedMs;
  advance(ms: number): void {
    this.#elapsedMs += ms;
    this.#wallMs += ms;
  }
  /** As NTP would. */
  stepWall(ms: number): void {
    this.#wallMs += ms;
  }
}

export interface AlertHarness extends AsyncDisposable {
  readonly alerts: Alerts;
  readonly clock: TestClock;
  /** What sinks were told: `opened memory-limit/heap`. */
  readonly told: readonly string[];
  readonly notices: readonly AlertNotice[];
  readonly logged: readonly string[];
  /** Moves the clock in steps of 5 s, with a tick after each. */
  pass(ms: number): void;
}

export function openAlerts(
  options: {
    index?: ReturnType<typeof indexInMemory>;
    clock?: TestClock;
    sinks?: readonly AlertSink[];
    memoryOf?: ConstructorParameters<typeof Alerts>[0]['memoryOf'];
  } = {},
): AlertHarness {
  const { index = indexInMemory(), clock = new TestClock(), sinks = [], memoryOf } = options;
  const notices: AlertNotice[] = [];
  const logged: string[] = [];
  const log = createLog({ level: 'trace', destination: { write: (line) => logged.push(line) } });
  const recorder: AlertSink = {
    push: (notice) => {
      alertSchema.parse(notice.alert);
      notices.push(notice);
    },
    stats: () => undefined,
    close: async () => undefined,
  };
  const alerts = new Alerts({
    index,
    budgetBytes: 2 ** 30,
    sinks: [recorder, ...sinks],
    serviceOf: () => ({ name: 'shop', version: '1.2.3', source: 'package' }),
    ...(memoryOf !== undefined && { memoryOf }),
    log,
    clock,
  });
  return {
    alerts,
    clock,
    notices,
    logged,
    get told() {
      return notices.map(({ change, alert: { problem, key } }) => `${change} ${problem}/${key}`);
    },
    pass(ms) {
      for (let passedMs = 0; passedMs < ms; passedMs += 5_000) {
        clock.advance(Math.min(5_000, ms - passedMs));
        alerts.tick();
      }
    },
    [Symbol.asyncDispose]: () => alerts[Symbol.asyncDispose](),
  };
}

export function condition(changes: Partial<Condition> = {}): Condition {
  return {
    problem: 'memory-limit',
    targetId: 't1',
    key: 'heap',
    severity: 'warning',
    title: 'heap used 92 % of its limit (1.9 of 2.1 GB)',
    ...changes,
  };
}

export function notice(changes: Partial<Alert> = {}, change: AlertNotice['change'] = 'opened'): AlertNotice {
  const time = new Date(start).toISOString();
  return {
    change,
    alert: {
      id: '01kgagqr00000000000000000a',
      problem: 'memory-leak',
      state: 'open',
      targetId: 't1',
      key: 'heap',
      severity: 'warning',
      title: 'the heap grows by 120 MB/h',
      text: null,
      facts: { slopeBytesPerHour: 120_000_000 },
      profileIds: [],
      traceId: null,
      service: { name: 'shop', version: '1.2.3', source: 'package' },
      openedAt: time,
      updatedAt: time,
      closedAt: null,
      closeReason: null,
      reports: 1,
      reopened: 0,
      evidence: [],
      ...changes,
    },
  };
}
