import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client';
import { createHeapWorkMetrics } from './heap-work-metrics.ts';
import { createJwtMetrics } from './jwt-metrics.ts';
import { createMemoryMetrics } from './memory-metrics.ts';
import { createOtlpMetrics } from './otlp-metrics.ts';
import { createRegressionMetrics } from './regression-metrics.ts';
import { createScrapeMetrics } from './scrape-metrics.ts';

export type Metrics = ReturnType<typeof createMetrics>;

/** Every metric of the agent, in a registry of its own. Base units; names follow promlint. */
export function createMetrics(build: {
  version: string;
  nodeVersion: string;
  /** Pod, namespace, node, container, as far as the downward API told them. */
  pod?: Readonly<Record<string, string>>;
}) {
  const registry = new Registry();
  const registers = [registry];
  collectDefaultMetrics({ register: registry });
  // Gauges with a counter's name, which promtool refuses; each is the sum of the one without `_total`.
  for (const name of ['handles', 'requests', 'resources']) registry.removeSingleMetric(`nodejs_active_${name}_total`);
  const buildInfo = new Gauge({
    name: 'sidescope_build_info',
    help: 'Always 1; the labels say which build runs.',
    labelNames: ['version', 'node'],
    registers,
  });
  buildInfo.set({ version: build.version, node: build.nodeVersion }, 1);
  setPodInfo(build.pod ?? {}, registers);

  return {
    registry,
    ...createOtlpMetrics(registers),
    ...createJwtMetrics(registers),
    ...createHeapWorkMetrics(registers),
    ...createRegressionMetrics(registers),
    ...createMemoryMetrics(registers),
    ...createScrapeMetrics(registers),
    capturesTotal: new Counter({
      name: 'sidescope_captures_total',
      help: 'Captures that ended, by kind and how.',
      labelNames: ['kind', 'result'],
      registers,
    }),
    captureDurationSeconds: new Histogram({
      name: 'sidescope_capture_duration_seconds',
      help: 'From the start in the target to the stored artifact.',
      labelNames: ['kind'],
      buckets: [0.1, 0.5, 1, 5, 10, 30, 60, 300, 900, 3600],
      registers,
    }),
    artifactBytesTotal: new Counter({
      name: 'sidescope_artifact_bytes_total',
      help: 'Plain bytes of stored artifacts, by kind.',
      labelNames: ['kind'],
      registers,
    }),
    targetPauseSeconds: new Histogram({
      name: 'sidescope_target_pause_seconds',
      help: 'Longest pause that a capture imposed on the target, as measured.',
      labelNames: ['kind'],
      buckets: [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10, 30, 60],
      registers,
    }),
    targetAttached: new Gauge({
      name: 'sidescope_target_attached',
      help: '1 while the agent is attached to the target.',
      labelNames: ['target'],
      registers,
    }),
    targetInspectorExposed: new Gauge({
      name: 'sidescope_target_inspector_exposed',
      help: '1 when the inspector of the target listened beyond loopback as the agent attached: code execution for who reaches it.',
      labelNames: ['target'],
      registers,
    }),
    targetsOmitted: new Gauge({
      name: 'sidescope_targets_omitted',
      help: 'Node.js processes that --target auto found and that are not watched: 32 targets are watched at most.',
      registers,
    }),
    inspectorOpenSecondsTotal: new Counter({
      name: 'sidescope_inspector_open_seconds_total',
      help: 'How long inspectors that the agent opened by SIGUSR1 have been open.',
      labelNames: ['target'],
      registers,
    }),
    attachAttemptsTotal: new Counter({
      name: 'sidescope_attach_attempts_total',
      help: 'Attempts to attach that failed.',
      labelNames: ['target'],
      registers,
    }),
    refusalsTotal: new Counter({
      name: 'sidescope_refusals_total',
      help: 'Captures refused before the target was touched, by problem code.',
      labelNames: ['code'],
      registers,
    }),
    targetMemoryBytes: new Gauge({
      name: 'sidescope_target_memory_bytes',
      help: 'At the last reading: rss, heap_used, heap_limit, external, container_limit.',
      labelNames: ['target', 'kind'],
      registers,
    }),
    targetCpuCores: new Gauge({
      name: 'sidescope_target_cpu_cores',
      help: 'User and system time over the last interval of readings.',
      labelNames: ['target'],
      registers,
    }),
    targetLoopUtilization: new Gauge({
      name: 'sidescope_target_event_loop_utilization_ratio',
      help: 'Of the main thread over the last interval of readings.',
      labelNames: ['target'],
      registers,
    }),
    targetWorkersOmitted: new Gauge({
      name: 'sidescope_target_workers_omitted',
      help: 'Workers beyond those whose vitals are read and whose event loops are watched.',
      labelNames: ['target'],
      registers,
    }),
    targetLoopDelaySeconds: new Gauge({
      name: 'sidescope_target_event_loop_delay_p99_seconds',
      help: 'Of the main thread over the last interval of readings.',
      labelNames: ['target'],
      registers,
    }),
    targetGcSecondsTotal: new Counter({
      name: 'sidescope_target_gc_seconds_total',
      help: 'Pauses of the main thread for garbage collection, while attached.',
      labelNames: ['target'],
      registers,
    }),
    vitalsFailedTotal: new Counter({
      name: 'sidescope_vitals_failed_total',
      help: 'Readings that the main thread did not answer, or answered wrongly.',
      labelNames: ['target'],
      registers,
    }),
    stallsTotal: new Counter({
      name: 'sidescope_stalls_total',
      help: 'Stalls of the event loop that are over, by kind: blocked, saturated.',
      labelNames: ['target', 'kind'],
      registers,
    }),
    stallSecondsTotal: new Counter({
      name: 'sidescope_stall_seconds_total',
      help: 'How long they were.',
      labelNames: ['target', 'kind'],
      registers,
    }),
    spansTotal: new Counter({
      name: 'sidescope_spans_total',
      help: 'Spans that came, by what became of them: a trace keeps 2,000 spans, and an eighth of the bytes there are.',
      labelNames: ['result'],
      registers,
    }),
    spansCutTotal: new Counter({
      name: 'sidescope_spans_cut_total',
      help: 'Spans with texts over 16 KiB together, which were cut.',
      registers,
    }),
    spanReadingsTotal: new Counter({
      name: 'sidescope_span_readings_total',
      help: 'How often the active span was read during CPU captures, by what was found; `dropped` are those beyond the bounds.',
      labelNames: ['result'],
      registers,
    }),
    requestsTotal: new Counter({
      name: 'sidescope_requests_total',
      help: 'Requests, jobs and messages of the targets whose first span came.',
      labelNames: ['result'],
      registers,
    }),
    traceStoreBytes: new Gauge({
      name: 'sidescope_trace_store_bytes',
      help: 'What the kept traces take, about.',
      registers,
    }),
    traceStoreTraces: new Gauge({ name: 'sidescope_trace_store_traces', help: 'Traces kept now.', registers }),
    tracesEvictedTotal: new Counter({
      name: 'sidescope_traces_evicted_total',
      help: 'Traces that made room for newer ones.',
      registers,
    }),
    spanNamesOverflowedTotal: new Counter({
      name: 'sidescope_span_names_overflowed_total',
      help: 'Spans and requests counted as (other) because the table of names was full.',
      labelNames: ['table'],
      registers,
    }),
    requestHistoryLeftTotal: new Counter({
      name: 'sidescope_request_history_left_total',
      help: 'Requests that the history over time lacks: over an hour old (late), of more targets than it keeps apart (targets), or ahead of a clock that was set back (clock).',
      labelNames: ['reason'],
      registers,
    }),
    alertsTotal: new Counter({
      name: 'sidescope_alerts_total',
      help: 'Episodes that opened, by problem and the severity that they opened with.',
      labelNames: ['problem', 'severity'],
      registers,
    }),
    alertsOpen: new Gauge({
      name: 'sidescope_alerts_open',
      help: 'Episodes that are open, by their worst severity.',
      labelNames: ['severity'],
      registers,
    }),
    alertsRefusedTotal: new Counter({
      name: 'sidescope_alerts_refused_total',
      help: 'Reports of new problems that were only counted, because too many episodes were open.',
      registers,
    }),
    alertDeliveriesTotal: new Counter({
      name: 'sidescope_alert_deliveries_total',
      help: 'By sink. delivered; failed: attempts, each retry too; dropped: no room in the queue, refused for good, or left at the end.',
      labelNames: ['sink', 'result'],
      registers,
    }),
    alertQueueLength: new Gauge({
      name: 'sidescope_alert_queue_length',
      help: 'Changes of alerts that wait for their sink.',
      labelNames: ['sink'],
      registers,
    }),
    ownSpansTotal: new Counter({
      name: 'sidescope_own_spans_total',
      help: "The agent's own spans, by what became of them: exported, failed, dropped.",
      labelNames: ['result'],
      registers,
    }),
    httpRequestsTotal: new Counter({
      name: 'sidescope_http_requests_total',
      help: 'Answered requests, by route template.',
      labelNames: ['route', 'method', 'status'],
      registers,
    }),
    httpConnectionsDroppedTotal: new Counter({
      name: 'sidescope_http_connections_dropped_total',
      help: 'Connections closed at once because the bound of open ones was reached.',
      labelNames: ['listener'],
      registers,
    }),
    downloadedBytesTotal: new Counter({
      name: 'sidescope_downloaded_bytes_total',
      help: 'Artifact bytes that left the agent.',
      labelNames: ['kind'],
      registers,
    }),
    downloadsFailedTotal: new Counter({
      name: 'sidescope_downloads_failed_total',
      help: 'Downloads cut by a fault of the agent or its disk after the first byte.',
      registers,
    }),
    authFailuresTotal: new Counter({
      name: 'sidescope_auth_failures_total',
      help: 'Requests without a right credential, by problem code.',
      labelNames: ['code'],
      registers,
    }),
    eventStreams: new Gauge({ name: 'sidescope_event_streams', help: 'Open event streams.', registers }),
    eventsDroppedTotal: new Counter({
      name: 'sidescope_events_dropped_total',
      help: 'Events that slow readers lost.',
      registers,
    }),
    storageUsedBytes: new Gauge({
      name: 'sidescope_storage_used_bytes',
      help: 'Everything under the data directory.',
      registers,
    }),
    storageBudgetBytes: new Gauge({
      name: 'sidescope_storage_budget_bytes',
      help: 'What --disk-budget resolved to.',
      registers,
    }),
    evictionsTotal: new Counter({
      name: 'sidescope_evictions_total',
      help: 'Artifacts removed by retention, by reason.',
      labelNames: ['reason'],
      registers,
    }),
    sourceLinesOmittedTotal: new Counter({
      name: 'sidescope_source_lines_omitted_total',
      help: 'Source lines that were not kept with a CPU profile, over the bound of 64 KiB.',
      registers,
    }),
    featureUp: new Gauge({
      name: 'sidescope_feature_up',
      help: '1 on, 0 off or failed; /readyz has the reason.',
      labelNames: ['feature'],
      registers,
    }),
  };
}

/** A metric of its own instead of labels on every one: scrapers in a cluster add `pod` and `namespace` themselves, and rename ours. */
function setPodInfo(pod: Readonly<Record<string, string>>, registers: Registry[]): void {
  const labelNames = ['namespace', 'pod', 'node', 'container'] as const;
  const labels = Object.fromEntries(labelNames.flatMap((name) => (pod[name] === undefined ? [] : [[name, pod[name]]])));
  if (Object.keys(labels).length === 0) return;
  new Gauge({
    name: 'sidescope_pod_info',
    help: 'Always 1; the labels say where the agent runs.',
    labelNames,
    registers,
  }).set(labels, 1);
}
