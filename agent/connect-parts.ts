import type { Feature } from '../protocol/rest/info.ts';
import { reportExposure } from './alerts/report-exposure.ts';
import { reportStalls } from './alerts/report-stalls.ts';
import { settleTargets } from './alerts/settle-targets.ts';
import { KeepOnAlert } from './capture/keep-on-alert.ts';
import { logTargets } from './telemetry/log-targets.ts';
import { observeHeapWork } from './telemetry/heap-work-metrics.ts';
import { observeOtlp } from './telemetry/otlp-metrics.ts';
import { observeRegressions } from './telemetry/observe-regressions.ts';
import { observeSpanReadings } from './telemetry/observe-span-readings.ts';
import { observeTraces } from './telemetry/observe-traces.ts';
import { observeScrapes } from './telemetry/observe-scrapes.ts';
import { observeRules } from './telemetry/observe-rules.ts';
import { observeEgress } from './telemetry/egress-metrics.ts';
import { observe, observeInspectors } from './telemetry/observe.ts';
import { observeAlerts } from './telemetry/observe-alerts.ts';
import { observeMemory } from './telemetry/observe-memory.ts';
import type { Log } from './telemetry/log.ts';
import type { Metrics } from './telemetry/metrics.ts';
import type { Parts } from './parts.ts';

/** What the parts tell each other and the agent's own metrics, until `opening` ends. */
export function connectParts(
  parts: Parts,
  surroundings: { readonly metrics: Metrics; readonly features: () => readonly Feature[]; readonly log: Log },
  opening: AsyncDisposableStack,
): void {
  const { metrics, features, log } = surroundings;
  const { targets, monitor, alerts, memory } = parts;
  targets.on('forgotten', (id) => {
    parts.timelines.history.forget(id);
    parts.regressions.forget(id);
    parts.targetMetrics.series.forget(id);
    parts.rules.forget(id);
  });
  opening.use(observe(metrics, { ...parts, store: parts.storage.store, features }));
  observeInspectors(metrics, targets);
  observeRules(metrics, parts);
  opening.use(logTargets(targets, log));
  opening.use(observeScrapes(metrics, parts.targetMetrics));
  observeOtlp(metrics, parts.requests);
  observeTraces(metrics, parts.timelines);
  observeSpanReadings(metrics, parts.profiling);
  opening.use(observeRegressions(metrics, parts.regressions));
  opening.use(reportStalls(monitor, alerts));
  opening.use(reportExposure(targets, alerts));
  opening.use(settleTargets(targets, alerts));
  opening.use(new KeepOnAlert({ ...parts, log }));
  opening.use(observeAlerts(metrics, parts));
  opening.use(
    observeMemory(metrics, {
      deaths: memory.deaths,
      leaks: parts.leaks.detector,
      search: parts.search,
      evicted: parts.recordIndex.evicted,
    }),
  );
  opening.use(observeEgress(metrics, parts.egress));
  observeHeapWork(metrics, { analyses: parts.heapAnalyses.tally, redactions: parts.redactions.tally });
}
