import { SidescopeError } from '../../protocol/error.ts';
import type { Feature } from '../../protocol/rest/info.ts';
import type { VitalsPoint } from '../../protocol/rest/vitals.ts';
import type { Alerts } from '../alerts/alerts.ts';
import type { Targets } from '../attach/targets.ts';
import type { RecordIndex } from '../store/record-table.ts';
import type { Monitor } from '../vitals/monitor.ts';
import { lastMinutesMs } from './death-record.ts';
import { DeathRecords } from './death-records.ts';
import { MemoryMonitor, type NearLimitSampling } from './monitor.ts';

export interface MemoryWatchOptions {
  readonly targets: Targets;
  readonly monitor: Monitor;
  readonly search: NearLimitSampling | undefined;
  readonly alerts: Alerts;
  readonly index: RecordIndex;
  readonly budgetBytes: number;
  readonly vitalsIntervalMs: number;
  /** Between two decisions about an alert; 0: there are none. */
  readonly intervalMs: number;
  /** Share of the nearer limit, 0 to 1. */
  readonly threshold: number;
  readonly log: Record<'info' | 'warn' | 'error', (facts: object, message: string) => void>;
}

const tableStepMs = 10_000;

/** The memory monitor and the death records, which ask each other. To be disposed before the targets and the alerts. */
export class MemoryWatch implements AsyncDisposable {
  readonly limits: MemoryMonitor;
  readonly deaths: DeathRecords;
  readonly #options: MemoryWatchOptions;

  constructor(options: MemoryWatchOptions) {
    this.#options = options;
    const { targets, monitor, search, alerts, index, budgetBytes, log } = options;
    const points = (targetId: string, times: { from: string; to: string; step: number }): VitalsPoint[] => {
      try {
        return monitor.vitals({ targetId, ...times }).points;
      } catch (error) {
        if (!(error instanceof SidescopeError)) throw error;
        log.warn({ target: targetId, code: error.code }, `the last minutes could not be read: ${error.message}`);
        return [];
      }
    };
    this.limits = new MemoryMonitor({
      ...options,
      sampling: search,
      history: (targetId) => {
        const nowMs = Date.now();
        const [from, to] = [new Date(nowMs - lastMinutesMs).toISOString(), new Date(nowMs + 1).toISOString()];
        return points(targetId, { from, to, step: tableStepMs });
      },
    });
    this.deaths = new DeathRecords({
      targets,
      monitor,
      alerts,
      index,
      budgetBytes,
      log,
      sources: {
        points,
        limitOf: (targetId) => this.limits.limitOf(targetId).nearerLimit,
        usesOf: (vitals) => this.limits.usesOf(vitals),
        sampling: async (targetId) => {
          await this.limits.idle(targetId);
          return search?.latest(targetId);
        },
        openAlerts: (targetId) =>
          alerts
            .openAlerts()
            .filter((alert) => alert.targetId === targetId)
            .map(({ id, problem, title }) => ({ id, problem, title })),
      },
    });
  }

  features(): Feature[] {
    const { vitalsIntervalMs, intervalMs } = this.#options;
    const isBlind = vitalsIntervalMs === 0;
    const isOff = isBlind || intervalMs === 0;
    return [
      {
        name: 'memory-monitor',
        state: isOff ? 'off' : 'on',
        reason: isBlind ? '--vitals-interval is 0' : isOff ? '--memory-interval is 0' : null,
        remedy: isBlind ? 'Set --vitals-interval, such as 5s.' : isOff ? 'Set --memory-interval, such as 60s.' : null,
      },
      {
        name: 'death-records',
        state: 'on',
        reason: isBlind ? 'without vitals a death tells little of memory: --vitals-interval is 0' : null,
        remedy: isBlind ? 'Set --vitals-interval, such as 5s.' : null,
      },
    ];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.deaths[Symbol.asyncDispose]();
    await this.limits[Symbol.asyncDispose]();
  }
}
