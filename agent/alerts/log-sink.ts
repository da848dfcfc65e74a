import type { Log } from '../telemetry/log.ts';
import type { AlertSink } from './alert-sink.ts';

/** One line per change of an episode. Evidence stays out: it is in `GET /alerts`. */
export function logSink(log: Pick<Log, 'info' | 'warn' | 'error'>): AlertSink {
  return {
    push({ change, alert }) {
      const { id, problem, targetId: target, key, severity, service, traceId, facts, profileIds, closeReason } = alert;
      const level = change === 'closed' || severity === 'info' ? 'info' : severity === 'critical' ? 'error' : 'warn';
      log[level](
        {
          alert: id,
          change,
          problem,
          target,
          ...(key !== '' && { key }),
          severity,
          ...(service !== null && { service: service.name, serviceVersion: service.version }),
          ...(traceId !== null && { trace: traceId }),
          ...(profileIds.length > 0 && { profiles: profileIds }),
          facts,
        },
        change === 'closed' ? `alert closed: ${alert.title} (${closeReason})` : `alert ${change}: ${alert.title}`,
      );
    },
    stats: () => undefined,
    close: async () => undefined,
  };
}
