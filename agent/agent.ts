import { join } from 'node:path';
import type { ControlAgent } from '../protocol/rest/control.ts';
import type { Feature, Info } from '../protocol/rest/info.ts';
import { Alerts } from './alerts/alerts.ts';
import { MemoryEvidence } from './alerts/memory-evidence.ts';
import { openSinks } from './alerts/open-sinks.ts';
import { reportExposure } from './alerts/report-exposure.ts';
import { reportStalls } from './alerts/report-stalls.ts';
import { settleTargets } from './alerts/settle-targets.ts';
import { Targets } from './attach/targets.ts';
import { TargetMetrics } from './baseline/target-metrics.ts';
import { BoundTally } from './baseline/bound-tally.ts';
import { Regressions } from './baseline/regressions.ts';
import type { RunTimes } from './baseline/run.ts';
import { BaselineState } from './baseline/state.ts';
import { Captures } from './capture/captures.ts';
import { KeepOnAlert } from './capture/keep-on-alert.ts';
import { Egress } from './egress/egress.ts';
import type { ReadVariable } from './egress/s3/credentials.ts';
import { HeapAnalyses } from './capture/heap-analyses.ts';
import { ProfileWorker } from './capture/profile-worker.ts';
import { Redactions } from './capture/redactions.ts';
import { FlightRecorder } from './capture/recorder.ts';
import { openAdminServer } from './http/admin-server.ts';
import { openControlSocket } from './http/control-socket.ts';
import type { ControlSocket } from './http/control-socket.ts';
import { LastingListener } from './http/lasting-listener.ts';
import type { Listener } from './http/listener.ts';
import { openOpsServer } from './http/ops-server.ts';
import { openOtlpServer } from './http/otlp-server.ts';
import type { OtlpServer } from './http/otlp-server.ts';
import { JwtAccess } from './http/jwt.ts';
import { Tokens } from './http/tokens.ts';
import { MemoryWatch } from './memory/memory-watch.ts';
import { LeakSnapshots } from './memory/leak-snapshots.ts';
import { Leaks } from './memory/leaks.ts';
import { SamplingSearch } from './memory/sampling-search.ts';
import { describeOptions, type ResolvedOptions } from './options.ts';
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
import { createAudit, type Audit } from './telemetry/audit.ts';
import { createMetrics } from './telemetry/metrics.ts';
import { logTargets } from './telemetry/log-targets.ts';
import { observeHeapWork } from './telemetry/heap-work-metrics.ts';
import { observeJwt } from './telemetry/jwt-metrics.ts';
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
import { OwnSpans } from './telemetry/spans.ts';
import type { Log } from './telemetry/log.ts';
import { ServiceIdentity } from './service-identity.ts';
import { version } from './version.ts';
import { indexInMemory } from './vitals/history.ts';
import { Monitor } from './vitals/monitor.ts';
import { jwtOptions, metricsPage, optionFailures, requestOptions, stateStorage } from './part-options.ts';
import { StoredProfiles } from './capture/stored-profiles.ts';
import { openStorage } from './store/open-storage.ts';

export interface Agent {
  /** Everything that can be on or off, in its present state. */
  features(): readonly Feature[];
  readonly admin: Listener | undefined;
  readonly ops: Listener | undefined;
  /** At IPv4 where there are two. */
  readonly otlp: Listener | undefined;
  /** When `--ttl` is over; undefined without one. The caller ends the agent then. */
  readonly endsAt: Date | undefined;
  /** The generated token, once; undefined when tokens are configured. */
  takeToken(): string | undefined;
  /** Saves what runs, leaves every target clean, closes. Captures that need longer than `graceMs`, or than `signal` lets them, are given up. */
  close(options: { graceMs: number; signal?: AbortSignal }): Promise<void>;
}

export interface AgentSurroundings {
  readonly log: Log;
  /** Pod, namespace, node, container: what the downward API gave. */
  readonly environment: Readonly<Record<string, string>>;
  /** One environment variable: credentials of destinations are looked for there. Default: none is set. */
  readonly variable?: ReadVariable;
  /** Default: JSON lines on stderr. */
  readonly audit?: Audit;
  /** Only tests are in a hurry: windows of less than 30 s, and readings as often. */
  readonly leakHurry?: { readonly windowMs: number; readonly readEveryMs: number; readonly pauseShare: number };
  /** Windows of baselines and comparisons; by default as --regression-interval makes them. */
  readonly regressionTimes?: RunTimes;
  /** How often it is looked whether the rules changed; only tests are in a hurry. */
  readonly rulesLookEveryMs?: number;
}

/**
 * The composition: makes every part from the options and hands each what it needs. Never rejects for a taken port, an unusable directory or file: that
 * feature is `failed` then, with the reason and what to set, and the rest runs. The caller decides whether that is good enough.
 */
export async function startAgent(resolved: ResolvedOptions, surroundings: AgentSurroundings): Promise<Agent> {
  const { options } = resolved;
  const { log, environment, audit = createAudit(), variable = () => undefined } = surroundings;
  const startedAt = new Date();
  const endsAt = options.ttlMs === 0 ? undefined : new Date(startedAt.getTime() + options.ttlMs);
  const failures: Feature[] = optionFailures(resolved);
  await using opening = new AsyncDisposableStack();
  const metrics = createMetrics({ version, nodeVersion: process.version, pod: environment });
  const storage = await openStorage({
    directory: options.dataDir,
    explicit: resolved.sources['data-dir'] !== 'default',
    budgetBytes: options.diskBudgetBytes,
    retentionCount: options.retentionCount,
    retentionAgeMs: options.retentionAgeMs,
    log,
  });
  if (storage.store !== undefined) opening.use(storage);
  const tokens = await Tokens.open({ file: options.tokenFile, log });
  const jwt = opening.use(await JwtAccess.open({ ...jwtOptions(options), log }));
  const worker = opening.use(new ProfileWorker());
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
      obstacle: () => {
        const { state, reason } = listeners.otlp?.feature() ?? notYet('otlp');
        return state === 'on' ? undefined : `no spans can come: ${reason}`;
      },
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
  const listeners: { admin?: LastingListener; ops?: LastingListener; otlp?: OtlpServer; control?: ControlSocket } = {};
  const features = (): Feature[] => [
    ...failures,
    storage.feature,
    tokens.feature(),
    jwt.feature(),
    listeners.admin?.feature() ?? notYet('admin'),
    options.opsAddress === 'off' ? opsOff : (listeners.ops?.feature() ?? notYet('ops')),
    listeners.control?.feature ?? notYet('control-socket'),
    listeners.otlp?.feature() ?? notYet('otlp'),
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
  ];
  opening.use(observe(metrics, { targets, captures, monitor, store: storage.store, features }));
  observeInspectors(metrics, targets);
  observeRules(metrics, { rules, recorder });
  opening.use(logTargets(targets, log));
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
  opening.use(observeScrapes(metrics, targetMetrics));
  observeOtlp(metrics, requests);
  observeJwt(metrics, jwt);
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

  const info = (): Omit<Info, 'you'> => {
    const { rss, heapUsed } = process.memoryUsage();
    return {
      name: 'sidescope',
      version,
      nodeVersion: process.version,
      pid: process.pid,
      startedAt: startedAt.toISOString(),
      uptimeMs: Date.now() - startedAt.getTime(),
      endsAt: endsAt?.toISOString() ?? null,
      memory: { rssBytes: rss, heapUsedBytes: heapUsed },
      listeners: {
        admin: listeners.admin?.listener?.url ?? null,
        ops: listeners.ops?.listener?.url ?? null,
        control: listeners.control?.path ?? null,
      },
      options: describeOptions(resolved),
      features: features(),
      storage: storage.store?.usage() ?? null,
      environment: { ...environment },
    };
  };
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
  opening.use(observeEgress(metrics, egress));
  observeHeapWork(metrics, { analyses: heapAnalyses.tally, redactions: redactions.tally });
  const adminServices = {
    targets,
    captures,
    monitor,
    alerts,
    deaths: memory.deaths,
    leaks,
    regressions,
    targetMetrics,
    recorder,
    rules,
    egress,
    timelines,
    joins,
    limits: memory.limits,
    store: storage.store,
    tokens,
    jwt,
    info,
    storedProfiles: new StoredProfiles({ store: storage.store, worker, joins }),
    heapAnalyses,
    redactions,
    pageDirectory,
    log,
    audit,
    metrics,
    allowedHosts: options.allowedHosts,
  };
  listeners.admin = opening.use(
    await LastingListener.open('admin', { log, listen: () => openAdminServer(adminServices, options.adminAddress) }),
  );
  const { opsAddress } = options;
  if (opsAddress !== 'off') {
    const listen = () => openOpsServer({ targets, features, metrics, targetMetrics, log }, opsAddress);
    listeners.ops = opening.use(await LastingListener.open('ops', { log, listen }));
  }
  const otlp = { address: options.otlpAddress, isChosen: resolved.sources['otlp-address'] !== 'default' };
  listeners.otlp = opening.use(await openOtlpServer({ requests, metrics, log }, otlp));
  const control = { tokens, audit, log, describe: () => describeForCommands(info(), listeners.admin?.listener) };
  listeners.control = opening.use(await openControlSocket(control, { directory: storage.store?.usage().directory }));
  targets.start();
  targetMetrics.start();
  const parts = opening.move();
  let closing: Promise<void> | undefined;
  return {
    features,
    endsAt,
    get admin() {
      return listeners.admin?.listener;
    },
    get ops() {
      return listeners.ops?.listener;
    },
    get otlp() {
      return listeners.otlp?.listeners[0];
    },
    takeToken: () => tokens.takeGenerated(),
    close: (grace) =>
      (closing ??= (async () => {
        await captures.close(grace);
        // The application in the same pod sends its last spans meanwhile; only then no more are taken.
        await listeners.otlp?.close();
        const flush = { ...grace, graceMs: Math.min(grace.graceMs, flushGraceMs) };
        const ship = async (): Promise<void> => {
          // Its last windows are to be sent as well.
          await recorder[Symbol.asyncDispose]();
          await egress.close(flush);
        };
        await Promise.all([requests.close(flush), alerts.close(flush), ownSpans.close(flush), ship()]);
        await parts.disposeAsync();
      })()),
  };
}

/** Of what each part with records takes a twentieth: without a data directory they are in memory. */
const recordsInMemoryBytes = 64 * 2 ** 20;

/** For what waits for the OTLP upstream, Sentry, the webhook and the collector, at the end. */
const flushGraceMs = 5_000;

function describeForCommands(info: Omit<Info, 'you'>, admin: Listener | undefined): ControlAgent {
  const { pid, startedAt, storage } = info;
  const page = admin === undefined ? null : { url: admin.url, port: admin.port };
  return { pid, version, startedAt, dataDirectory: storage?.directory ?? null, admin: page };
}

/** Asked within the milliseconds of the start, by whom an earlier listener serves already. */
function notYet(name: string): Feature {
  return { name, state: 'off', reason: 'the agent is starting', remedy: null };
}

const opsOff: Feature = {
  name: 'ops',
  state: 'off',
  reason: '--ops-address is off',
  remedy: 'Set --ops-address, such as 0.0.0.0:7778.',
};

/** Beside the bundle, or where the build puts it when the agent runs from its sources. */
const pageDirectory = new URL(import.meta.url.endsWith('.ts') ? '../dist/page/' : '../page/', import.meta.url).pathname;
