import { join } from 'node:path';
import type { Feature } from '../protocol/rest/info.ts';
import { Alerts } from './alerts/alerts.ts';
import { MemoryEvidence } from './alerts/memory-evidence.ts';
import { openSinks } from './alerts/open-sinks.ts';
import { Targets } from './attach/targets.ts';
import { TargetMetrics } from './baseline/target-metrics.ts';
import { BoundTally } from './baseline/bound-tally.ts';
import { Regressions } from './baseline/regressions.ts';
import type { RunTimes } from './baseline/run.ts';
import { BaselineState } from './baseline/state.ts';
import { Captures } from './capture/captures.ts';
import { Egress } from './egress/egress.ts';
import type { ReadVariable } from './egress/s3/credentials.ts';
import { HeapAnalyses } from './capture/heap-analyses.ts';
import { ProfileWorker } from './capture/profile-worker.ts';
import { Redactions } from './capture/redactions.ts';
import { FlightRecorder } from './capture/recorder.ts';
import { MemoryWatch } from './memory/memory-watch.ts';
import { LeakSnapshots } from './memory/leak-snapshots.ts';
import { Leaks } from './memory/leaks.ts';
import { SamplingSearch } from './memory/sampling-search.ts';
import { type ResolvedOptions } from './options.ts';
import { FrameOriginals } from './source-maps/frame-originals.ts';
import { ProfileJoins } from './requests/join.ts';
import { ProfilingContext } from './requests/profiling-context.ts';
import { isOwnAddress } from './requests/own-address.ts';
import { learnServices } from './requests/learn-services.ts';
import { Requests } from './requests/requests.ts';
import { Sampling } from './requests/sampling.ts';
import { Timelines } from './requests/timelines.ts';
import { countEvictions } from './store/count-evictions.ts';
import { Rules } from './rules/rules.ts';
import { OwnSpans } from './telemetry/spans.ts';
import type { Log } from './telemetry/log.ts';
import { ServiceIdentity } from './service-identity.ts';
import { version } from './version.ts';
import { indexInMemory } from './vitals/history.ts';
import { Monitor } from './vitals/monitor.ts';
import { metricsPage, requestOptions, stateStorage } from './part-options.ts';
import { openStorage } from './store/open-storage.ts';

export interface PartSurroundings {
  readonly log: Log;
  /** Pod, namespace, node, container: what the downward API gave. */
  readonly environment: Readonly<Record<string, string>>;
  /** One environment variable: credentials of destinations are looked for there. Default: none is set. */
  readonly variable?: ReadVariable;
  /** Only tests are in a hurry: windows of less than 30 s, and readings as often. */
  readonly leakHurry?: { readonly windowMs: number; readonly readEveryMs: number; readonly pauseShare: number };
  /** Windows of baselines and comparisons; by default as --regression-interval makes them. */
  readonly regressionTimes?: RunTimes;
  /** How often it is looked whether the rules changed; only tests are in a hurry. */
  readonly rulesLookEveryMs?: number;
}

export type Parts = Awaited<ReturnType<typeof openParts>>;

/**
 * Makes every part that works without a listener, from the options, and hands each what it needs; all of them end with `opening`. Rejects for nothing that an
 * option, a directory or a file can be: that part says so in its feature.
 */
export async function openParts(
  resolved: ResolvedOptions,
  surroundings: PartSurroundings & {
    /** Why no spans can come; undefined when they can. */
    readonly spanObstacle: () => string | undefined;
  },
  opening: AsyncDisposableStack,
) {
  const { options } = resolved;
  const { log, environment, variable = () => undefined } = surroundings;
  const storage = await openStorage({
    directory: options.dataDir,
    explicit: resolved.sources['data-dir'] !== 'default',
    budgetBytes: options.diskBudgetBytes,
    retentionCount: options.retentionCount,
    retentionAgeMs: options.retentionAgeMs,
    log,
  });
  if (storage.store !== undefined) opening.use(storage);
  const worker = opening.use(new ProfileWorker({ keepsSourceLines: options.sourceLines }));
  const targets = opening.use(new Targets(options.target, { inspectorLifetime: options.inspectorLifetime }));
  // A worker of its own: a stack is not to wait for a profile of minutes.
  const frameWorker = opening.use(new ProfileWorker({ timeoutMs: 3_000 }));
  const frameOriginals = new FrameOriginals({ worker: frameWorker, mappings: options.sourceMapPath });
  const { leakHurry } = surroundings;
  const search = opening.use(
    new SamplingSearch({ targets, worker, sourceMapPaths: options.sourceMapPath, ...leakHurry, log }),
  );
  const recordIndex = countEvictions(storage.store ?? opening.use(indexInMemory()));
  const recordBudgetBytes = storage.store === undefined ? recordsInMemoryBytes : options.diskBudgetBytes;
  const recorder = opening.use(
    new FlightRecorder({
      targets,
      store: storage.store,
      index: recordIndex,
      budgetBytes: recordBudgetBytes,
      worker,
      sourceMapPaths: options.sourceMapPath,
      environment,
      isOn: options.flightRecorder,
      log,
    }),
  );
  const profiling: ProfilingContext = opening.use(
    new ProfilingContext({
      isOnlyTarget: () => targets.list().length === 1,
      onChange: (isActive) => requests.setEnrich(isActive ? profiling.attributesOf : undefined),
    }),
  );
  const captures = new Captures({
    targets,
    store: storage.store,
    storageProblem: storage.problem,
    worker,
    sourceMapPaths: options.sourceMapPath,
    frameOriginals,
    turnOf: (targetId, threadId) => monitor.turnOf(targetId, threadId),
    search,
    recorder,
    spanReading: { rateHz: options.spanReadingRate, watch: profiling },
    concurrency: options.captureConcurrency,
    queueMax: options.captureQueue,
    livenessBudgetMs: options.livenessBudgetMs,
    environment,
    log,
  });
  const { serviceName, serviceVersion } = options;
  const identities = new ServiceIdentity({
    environment,
    serviceName,
    serviceVersion,
    mappings: options.sourceMapPath,
  });
  targets.on('forgotten', (id) => identities.forget(id));
  const alertSinks = await openSinks(options, { log, environment });
  const alerts = opening.use(
    new Alerts({
      index: recordIndex,
      budgetBytes: recordBudgetBytes,
      sinks: alertSinks.sinks,
      memoryOf: (targetId) => memoryEvidence.of(targetId),
      serviceOf: (targetId) => identities.identityOf(targets.view(targetId)),
      log,
    }),
  );
  const monitor: Monitor = opening.use(
    new Monitor({
      targets,
      captures,
      search,
      recorder,
      store: storage.store,
      budgetBytes: options.diskBudgetBytes,
      originals: frameOriginals,
      worker,
      requests: { routeOf: (traceId) => timelines.routeOf(traceId) },
      vitalsIntervalMs: options.vitalsIntervalMs,
      stallThresholdMs: options.stallThresholdMs,
      stallIntervalMs: options.stallIntervalMs,
      log,
    }),
  );
  monitor.on('vitals', (vitals) => recorder.noteVitals(vitals));
  const sampling = new Sampling({ targets, samplerOf: (target) => identities.samplerOf(target) });
  const timelines: Timelines = opening.use(
    new Timelines({
      targets,
      monitor,
      store: storage.store,
      readHotFunctions: (path, reading) => worker.hotFunctions(path, reading),
      sampling,
      obstacle: surroundings.spanObstacle,
    }),
  );
  timelines.sink.on('settled', ({ traceId, summary }) => {
    if (summary !== undefined) monitor.noteRoute(traceId, summary.route ?? summary.name);
  });
  const joins = opening.use(new ProfileJoins({ store: storage.store, worker, traces: timelines.sink, targets, log }));
  const requests: Requests = new Requests({
    ...requestOptions(options),
    sink: learnServices(sampling.into(profiling.into(timelines.sink)), { targets, identities }),
    log,
  });
  const memoryEvidence = opening.use(new MemoryEvidence(monitor));
  const memory = opening.use(
    new MemoryWatch({
      targets,
      monitor,
      search,
      alerts,
      index: recordIndex,
      budgetBytes: options.diskBudgetBytes,
      vitalsIntervalMs: options.vitalsIntervalMs,
      intervalMs: options.memoryIntervalMs,
      threshold: options.memoryThreshold,
      log,
    }),
  );
  const heapAnalyses = new HeapAnalyses({
    isOn: options.heapAnalysis,
    store: storage.store,
    captures,
    index: recordIndex,
  });
  const leaks = opening.use(
    new Leaks({
      snapshots: new LeakSnapshots({ store: storage.store, analyses: heapAnalyses, captures }),
      captures,
      monitor,
      search,
      alerts,
      index: recordIndex,
      usesOf: (vitals) => memory.limits.usesOf(vitals),
      windowMs: leakHurry?.windowMs,
      vitalsIntervalMs: options.vitalsIntervalMs,
      log,
    }),
  );
  const targetMetrics = opening.use(
    new TargetMetrics({
      ...metricsPage(options),
      intervalMs: options.metricsIntervalMs,
      targets,
      index: recordIndex,
      budgetBytes: recordBudgetBytes,
      version,
      log,
    }),
  );
  opening.use(sampling.watch(targetMetrics.series));
  const stateUrl = options.stateUrl ?? join(storage.store?.usage().directory ?? options.dataDir, 'state');
  const regressionBounds = new BoundTally();
  const regressions = opening.use(
    new Regressions({
      targets,
      monitor,
      captures,
      traces: timelines.sink,
      series: targetMetrics.series,
      identities,
      alerts,
      index: recordIndex,
      store: storage.store,
      worker,
      state: new BaselineState({ storage: await stateStorage(stateUrl, variable), bounds: regressionBounds, log }),
      bounds: regressionBounds,
      vitalsIntervalMs: options.vitalsIntervalMs,
      intervalMs: options.regressionIntervalMs,
      times: surroundings.regressionTimes,
      thresholds: {
        cpuShare: options.regressionCpu,
        memoryShare: options.regressionMemory,
        series: options.regressionSeries,
      },
      log,
    }),
  );
  const rules = opening.use(
    await Rules.open({
      targets,
      monitor,
      alerts,
      deaths: memory.deaths,
      captures,
      recorder,
      timelines,
      series: targetMetrics.series,
      store: storage.store,
      index: recordIndex,
      path: options.config,
      lookEveryMs: surroundings.rulesLookEveryMs,
      log,
    }),
  );
  const ownSpans = opening.use(
    new OwnSpans({
      endpoint: options.telemetryEndpoint,
      isLoop: isOwnAddress(options.telemetryEndpoint, options.otlpAddress),
      captures,
      alerts,
      environment,
      log,
    }),
  );
  const redactions = opening.use(new Redactions());
  const egress: Egress = await Egress.open({
    urls: options.egressUrl,
    configPath: options.config,
    store: storage.store,
    diskBudgetBytes: options.diskBudgetBytes,
    recorder,
    worker,
    joins,
    redactions,
    identities,
    targets,
    sourceMapPaths: options.sourceMapPath,
    environment,
    variable,
    log,
  });
  opening.defer(() => egress.close({ graceMs: 0 }));
  return {
    storage,
    recordIndex,
    worker,
    targets,
    search,
    recorder,
    profiling,
    captures,
    alerts,
    monitor,
    timelines,
    joins,
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
    features: (): Feature[] => [
      requests.forwardFeature(),
      ...alertSinks.features(),
      ownSpans.feature(),
      ...monitor.features(),
      ...memory.features(),
      leaks.feature(),
      heapAnalyses.feature(),
      regressions.feature(),
      targetMetrics.feature(),
      recorder.feature(),
      rules.feature(),
      egress.feature(),
    ],
  };
}

/** Of what each part with records takes a twentieth: without a data directory they are in memory. */
const recordsInMemoryBytes = 64 * 2 ** 20;
