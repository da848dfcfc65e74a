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
  const {
    storage,
    recordIndex,
    targets,
    search,
    recorder,
    profiling,
    captures,
    alerts,
    monitor,
    timelines,
    requests,
    memory,
    heapAnalyses,
    leaks,
    targetMetrics,
    regressions,
    rules,
    ownSpans,
    redactions,
    egress,
  } = parts;
  opening.use(observe(metrics, { targets, captures, monitor, store: storage.store, features }));
  observeInspectors(metrics, targets);
  observeRules(metrics, { rules, recorder });
  opening.use(logTargets(targets, log));
  opening.use(observeScrapes(metrics, targetMetrics));
  observeOtlp(metrics, requests);
  observeTraces(metrics, timelines);
  observeSpanReadings(metrics, profiling);
  opening.use(observeRegressions(metrics, regressions));
  opening.use(reportStalls(monitor, alerts));
  opening.use(reportExposure(targets, alerts));
  opening.use(settleTargets(targets, alerts));
  opening.use(new KeepOnAlert({ alerts, recorder, log }));
  opening.use(observeAlerts(metrics, { alerts, ownSpans }));
  opening.use(
    observeMemory(metrics, { deaths: memory.deaths, leaks: leaks.detector, search, evicted: recordIndex.evicted }),
  );
  opening.use(observeEgress(metrics, egress));
  observeHeapWork(metrics, { analyses: heapAnalyses.tally, redactions: redactions.tally });
}
