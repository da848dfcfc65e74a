import type { AlertNotice, SinkStats } from '../alerts/alert-sink.ts';
import { alertSeverities } from '../../protocol/rest/alerts.ts';
import type { Alert } from '../../protocol/rest/alerts.ts';
import type { OwnSpans } from './spans.ts';
import type { Metrics } from './metrics.ts';

interface ObservedAlerts {
  on(event: 'change', listener: (notice: AlertNotice) => void): unknown;
  off(event: 'change', listener: (notice: AlertNotice) => void): unknown;
  openAlerts(): readonly Alert[];
  readonly refused: number;
  sinkStats(): readonly SinkStats[];
}

/** Episodes are counted when they open; sinks are read when they are scraped. */
export function observeAlerts(
  metrics: Metrics,
  { alerts, ownSpans }: { alerts: ObservedAlerts; ownSpans: Pick<OwnSpans, 'counts'> },
): Disposable {
  const onChange = ({ change, alert: { problem, severity } }: AlertNotice): void => {
    if (change === 'opened') metrics.alertsTotal.inc({ problem, severity });
  };
  alerts.on('change', onChange);
  // prom-client has no collect hook after construction other than this property.
  Object.assign(metrics.alertsOpen, {
    collect() {
      const open = alerts.openAlerts();
      for (const severity of alertSeverities)
        metrics.alertsOpen.set({ severity }, open.filter((alert) => alert.severity === severity).length);
    },
  });
  Object.assign(metrics.alertsRefusedTotal, {
    collect() {
      metrics.alertsRefusedTotal.reset();
      metrics.alertsRefusedTotal.inc(alerts.refused);
    },
  });
  Object.assign(metrics.alertDeliveriesTotal, {
    collect() {
      metrics.alertDeliveriesTotal.reset();
      for (const { name: sink, delivered, failed, dropped } of alerts.sinkStats())
        for (const [result, count] of Object.entries({ delivered, failed, dropped }))
          metrics.alertDeliveriesTotal.inc({ sink, result }, count);
    },
  });
  Object.assign(metrics.alertQueueLength, {
    collect() {
      for (const { name: sink, queued } of alerts.sinkStats()) metrics.alertQueueLength.set({ sink }, queued);
    },
  });
  Object.assign(metrics.ownSpansTotal, {
    collect() {
      metrics.ownSpansTotal.reset();
      for (const [result, count] of Object.entries(ownSpans.counts)) metrics.ownSpansTotal.inc({ result }, count);
    },
  });
  return { [Symbol.dispose]: () => void alerts.off('change', onChange) };
}
