import { createHash } from 'node:crypto';
import { EventEmitter } from 'node:events';
import { Readable } from 'node:stream';
import { gzipSync } from 'node:zlib';
import type { ArtifactReader } from '../../agent/store/store.ts';
import type { AlertNotice } from '../../agent/alerts/alert-sink.ts';
import type { FindingChange } from '../../agent/baseline/findings.ts';
import { JwtAccess } from '../../agent/http/jwt.ts';
import { Tokens } from '../../agent/http/tokens.ts';
import type {
  AdminServices,
  AlertService,
  CaptureService,
  DeathService,
  LeakService,
  RegressionService,
  MonitorService,
  RecorderService,
  RuleService,
  StoreService,
  TargetMetricsService,
  TimelineService,
} from '../../agent/http/services.ts';
import type { LeakEvents } from '../../agent/memory/leak-detector.ts';
import type { AuditRecord } from '../../agent/telemetry/audit.ts';
import { createLog } from '../../agent/telemetry/log.ts';
import { createMetrics } from '../../agent/telemetry/metrics.ts';
import { SidescopeError } from '../../protocol/error.ts';
import type { Death } from '../../protocol/rest/deaths.ts';
import { isEndedState } from '../../protocol/rest/operation.ts';
import type { Operation } from '../../protocol/rest/operation.ts';
import type { DiskUsage, Profile } from '../../protocol/rest/profile.ts';
import type { Scope } from '../../protocol/rest/route.ts';
import type { Scrape } from '../../protocol/rest/series.ts';
import type { Stall } from '../../protocol/rest/stalls.ts';
import type { Target } from '../../protocol/rest/target.ts';
import type { RequestCounts } from '../../protocol/rest/timelines.ts';
import type { Vitals } from '../../protocol/rest/vitals.ts';

export const time = '2026-01-31T12:00:00.000Z';

export const identity: Profile['target'] = {
  instanceId: '42-1',
  pid: 42,
  ppid: 1,
  startedAt: time,
  nodeVersion: 'v24.0.0',
  v8Version: '13.6',
  arch: 'x64',
  platform: 'linux',
  hostname: 'pod',
  title: 'node',
  mainScript: '/app/main.js',
  appName: 'shop',
  appVersion: '1.0.0',
};

export function fakeTarget(id = 't1'): Target {
  return {
    id,
    address: '127.0.0.1:9229',
    name: 'shop',
    state: { state: 'attached', since: time, captures: [] },
    identity,
    previous: [],
    threads: [{ id: 'main', kind: 'main', title: 'main', url: 'file:///app/main.js' }],
    detectedAgents: [],
    warnings: [],
  };
}

export function fakeOperation(id: string, changes: Partial<Operation> = {}): Operation {
  return {
    id,
    kind: 'cpu',
    state: 'running',
    targetId: 't1',
    thread: 'main',
    startedBy: 'default',
    createdAt: time,
    startedAt: time,
    endedAt: null,
    expiresAt: null,
    parameters: {},
    progress: { phase: 'sampling', fraction: 0, bytes: 0 },
    queuePosition: null,
    profileIds: [],
    warnings: [],
    error: null,
    ...changes,
  };
}

export class FakeTargets extends EventEmitter<{ change: [Target] }> {
  readonly all = [fakeTarget()];
  readonly omitted = 0;
  gone(): readonly Target[] {
    return [];
  }
  list(): readonly Target[] {
    return this.all;
  }
  view(id: string): Target {
    const target = this.all.find((candidate) => candidate.id === id);
    if (target === undefined) throw new SidescopeError('unknown-target', `no target ${id}`);
    return target;
  }
}

/** Remembers what it was asked for; operations end when a test says so. */
export class FakeCaptures extends EventEmitter<{ change: [Operation] }> implements CaptureService {
  readonly operations: Operation[] = [];
  readonly asked: unknown[] = [];
  refusal: SidescopeError | undefined;

  startCpu: CaptureService['startCpu'] = async (request) => this.#start('cpu', request);
  startHeapSnapshot: CaptureService['startHeapSnapshot'] = async (request) => this.#start('heap-snapshot', request);
  startHeapSampling: CaptureService['startHeapSampling'] = async (request) => this.#start('heap-sampling', request);
  readStacks: CaptureService['readStacks'] = async () => ({
    targetId: 't1',
    takenAt: time,
    threads: [],
    omittedThreads: 0,
  });
  stopCpu: CaptureService['stopCpu'] = async () => {
    const running = this.operations.find(({ state }) => state === 'running');
    if (running === undefined) throw new SidescopeError('nothing-to-stop', 'nothing runs');
    return this.end(running.id);
  };
  forecastHeapSnapshot: CaptureService['forecastHeapSnapshot'] = async () => {
    throw new SidescopeError('target-not-attached', 'the fake has no target');
  };
  list(): readonly Operation[] {
    return this.operations;
  }
  get(id: string): Operation {
    const operation = this.operations.find((candidate) => candidate.id === id);
    if (operation === undefined) throw new SidescopeError('unknown-operation', `no operation ${id}`);
    return operation;
  }
  async cancel(id: string): Promise<Operation> {
    if (isEndedState(this.get(id).state)) throw new SidescopeError('operation-ended', `${id} has ended`);
    return this.end(id, 'cancelled');
  }
  async waitFor(id: string, { signal }: { signal?: AbortSignal }): Promise<Operation> {
    while (!isEndedState(this.get(id).state) && !signal?.aborted) {
      const changed = Promise.withResolvers<void>();
      this.once('change', () => changed.resolve());
      signal?.addEventListener('abort', () => changed.resolve(), { once: true });
      await changed.promise;
    }
    return this.get(id);
  }

  end(id: string, state: Operation['state'] = 'succeeded'): Operation {
    return this.change(id, { state, endedAt: time });
  }
  change(id: string, changes: Partial<Operation>): Operation {
    const operation = { ...this.get(id), ...changes };
    this.operations.splice(this.operations.indexOf(this.get(id)), 1, operation);
    this.emit('change', operation);
    return operation;
  }
  #start(kind: Operation['kind'], request: unknown): Operation {
    this.asked.push(request);
    if (this.refusal !== undefined) throw this.refusal;
    const operation = fakeOperation(`op-${this.operations.length + 1}`, { kind });
    this.operations.unshift(operation);
    this.emit('change', operation);
    return operation;
  }
}

/** Nothing is wrong. */
export class FakeAlerts extends EventEmitter<{ change: [AlertNotice] }> implements AlertService {
  readonly asked: unknown[] = [];
  list: AlertService['list'] = (query) => {
    this.asked.push(query);
    return { alerts: [], nextCursor: null };
  };
}

/** Nothing has ended yet. */
export class FakeDeaths extends EventEmitter<{ death: [Death] }> implements DeathService {
  readonly asked: unknown[] = [];
  list: DeathService['list'] = (query) => {
    this.asked.push(query);
    return { deaths: [], nextCursor: null };
  };
  noteStacks(): void {}
}

/** Nothing ever grew. */
export class FakeLeaks extends EventEmitter<LeakEvents> implements LeakService {
  readonly asked: unknown[] = [];
  list: LeakService['list'] = (query) => {
    this.asked.push(query);
    return { verdicts: [], searches: [], earlier: [], investigations: [], nextCursor: null };
  };
  investigate: LeakService['investigate'] = async (request) => {
    this.asked.push(request);
    return fakeOperation('search-1', { kind: 'leak-search' });
  };
}

/** Nothing was ever compared. */
export class FakeRegressions extends EventEmitter<{ finding: [FindingChange] }> implements RegressionService {
  readonly asked: unknown[] = [];
  baseline: RegressionService['baseline'] = (targetId) => {
    this.asked.push(targetId);
    return {
      targetId: 't1',
      service: { name: 'shop', version: '1.0.0' },
      state: 'waiting' as const,
      message: 'no reading of the target yet',
      windowMs: 60_000,
      windows: 0,
      provisional: null,
      settled: null,
      previous: null,
      previousMessage: 'not looked for yet',
      now: {},
      stateDirectory: '/data/state',
      profileSamples: 0,
    };
  };
  takeBaseline: RegressionService['takeBaseline'] = async () => {
    throw new SidescopeError('baseline-not-ready', 'there are 0 windows');
  };
  check: RegressionService['check'] = async () => ({
    targetId: 't1',
    at: time,
    message: 'no reading of the target yet',
    comparisons: [],
    functions: null,
    functionsReason: 'there is no previous version',
    open: [],
  });
  list: RegressionService['list'] = (query) => {
    this.asked.push(query);
    return { regressions: [], nextCursor: null };
  };
}

/** There is one, `burst`, which has not fired. */
export class FakeRules implements RuleService {
  readonly asked: unknown[] = [];
  list: RuleService['list'] = (targetId) => {
    this.asked.push(targetId);
    return { file: null, loadedAt: null, problems: [], rules: [], catches: [] };
  };
  fire: RuleService['fire'] = (rule, { targetId = 't1', by }) => {
    this.asked.push({ rule, targetId, by });
    if (rule !== 'burst') throw new SidescopeError('unknown-rule', `no rule ${rule}`);
    const shape = { state: 'told', operationId: null, sharedWith: null, error: null } as const;
    return { id: 'f1', rule, targetId, at: time, by, why: `fired by ${by}`, profileIds: [], ...shape };
  };
  explain: RuleService['explain'] = async (rule, targetId = 't1') => {
    if (rule !== 'burst') throw new SidescopeError('unknown-rule', `no rule ${rule}`);
    const now = { holds: false, conditions: [] };
    const suppressed = { cooldown: 0, limit: 0 };
    return {
      rule,
      targetId,
      from: time,
      to: time,
      now,
      readings: 0,
      held: 0,
      wouldHaveFired: [],
      suppressed,
      notes: [],
    };
  };
  catchNext: RuleService['catchNext'] = ({ event, targetId = 't1', startedBy }) => {
    this.asked.push({ event, targetId, startedBy });
    const shape = { above: null, state: 'waiting', why: null, profileId: null } as const;
    return { id: 'c1', event, targetId, startedBy, startedAt: time, until: time, ...shape };
  };
  cancelCatch: RuleService['cancelCatch'] = (id, by) => {
    if (id !== 'c1') throw new SidescopeError('unknown-catch', `no ${id}`);
    const shape = { above: null, state: 'cancelled', why: `cancelled by ${by}`, profileId: null } as const;
    return { id, event: 'stall', targetId: 't1', startedBy: 'default', startedAt: time, until: time, ...shape };
  };
}

/** It was never on. */
export class FakeRecorder implements RecorderService {
  readonly asked: unknown[] = [];
  status: RecorderService['status'] = (targetId) => {
    this.asked.push(targetId);
    return {
      isOn: false,
      intervalUs: 10_000,
      windowMs: 30_000,
      keptMs: 600_000,
      droppedWindows: 0,
      threads: 'main',
      targets: [],
    };
  };
}

/** No page is known. */
export class FakeTargetMetrics implements TargetMetricsService {
  readonly asked: unknown[] = [];
  readonly series = new EventEmitter<{ scrape: [Scrape] }>();
  list: TargetMetricsService['list'] = (query) => {
    this.asked.push(query);
    return {
      targetId: 't1',
      from: time,
      to: time,
      stepMs: 1_000,
      scrape: null,
      times: [],
      series: [],
      total: 0,
      nextCursor: null,
    };
  };
  ofProfile: TargetMetricsService['ofProfile'] = ({ id, targetId }, query) => {
    this.asked.push(query);
    return { profileId: id, targetId, before: null, during: null, after: null, series: [], total: 0, note: 'nothing' };
  };
  async passThrough(): Promise<Response> {
    throw new SidescopeError('metrics-off', 'the fake has no page');
  }
}

/** Nothing was ever read. */
export class FakeMonitor
  extends EventEmitter<{ vitals: [Vitals]; stall: [Stall]; 'stall-ended': [Stall] }>
  implements MonitorService
{
  readonly asked: unknown[] = [];
  vitals: MonitorService['vitals'] = (query) => ({ ...this.#history(query), latest: null });
  memoryHistory: MonitorService['memoryHistory'] = (query) => this.#history(query);
  memoryStats: MonitorService['memoryStats'] = async () => {
    throw new SidescopeError('target-not-attached', 'the fake has no target');
  };
  listStalls: MonitorService['listStalls'] = (query) => {
    this.asked.push(query);
    return { stalls: [], nextCursor: null };
  };
  #history(query: object) {
    this.asked.push(query);
    return { targetId: 't1', from: time, to: time, stepMs: 5_000, points: [] };
  }
}

/** Artifacts in memory, with the leases of the real store. */
export class FakeStore
  extends EventEmitter<{ profile: [Profile]; deleted: [string]; storage: [DiskUsage] }>
  implements StoreService
{
  readonly #artifacts = new Map<string, { profile: Profile; plain: Buffer }>();
  readonly leases = new Map<string, number>();
  readonly asked: unknown[] = [];
  /** Makes plain streams fail after this many bytes. */
  failAfterBytes: number | undefined;

  add(id: string, options: { kind: Profile['kind']; plain: Buffer; startedAt?: string }): Profile {
    const { kind, plain, startedAt = time } = options;
    const extension = kind === 'cpu' ? 'cpuprofile' : 'heapsnapshot';
    const profile: Profile = {
      id,
      kind,
      fileName: `shop-${id}.${extension}`,
      operationId: null,
      targetId: 't1',
      targetName: 'shop',
      target: identity,
      thread: { id: 'main', kind: 'main', title: 'main', url: '' },
      trigger: { kind: 'api', by: 'default' },
      startedAt,
      endedAt: time,
      durationMs: 0,
      sizeBytes: plain.length,
      storedBytes: kind === 'cpu' ? plain.length : gzipSync(plain, { level: 1 }).length,
      sha256: createHash('sha256').update(plain).digest('hex'),
      complete: true,
      incompleteReason: null,
      cost: { pauseMs: null, rssBeforeBytes: null, rssAfterBytes: null, rssPeakBytes: null },
      cpu: null,
      snapshot: null,
      sampling: null,
      clock: null,
      warnings: [],
      labels: {},
      pinned: false,
      environment: {},
      formats: kind === 'cpu' ? ['cpuprofile', 'pprof', 'collapsed'] : ['heapsnapshot'],
    };
    this.#artifacts.set(id, { profile, plain });
    this.emit('profile', profile);
    return profile;
  }
  get(id: string): Profile {
    return this.#artifact(id).profile;
  }
  list(query: object): { profiles: Profile[]; nextCursor: string | null; total: number } {
    this.asked.push(query);
    const profiles = [...this.#artifacts.values()].map(({ profile }) => profile);
    return { profiles, nextCursor: null, total: profiles.length };
  }
  async open(id: string): Promise<ArtifactReader> {
    const { profile, plain } = this.#artifact(id);
    this.leases.set(id, (this.leases.get(id) ?? 0) + 1);
    return {
      profile,
      path: '/nowhere',
      plain: (range) => Readable.from(this.#chunks(plain.subarray(range?.start, range?.end)), { objectMode: false }),
      stored: () =>
        profile.kind === 'cpu' ? undefined : Readable.from([gzipSync(plain, { level: 1 })], { objectMode: false }),
      [Symbol.asyncDispose]: async () => {
        this.leases.set(id, (this.leases.get(id) ?? 0) - 1);
      },
    };
  }
  patch(id: string, patch: { pinned?: boolean | undefined; labels?: Record<string, string> | undefined }): Profile {
    const artifact = this.#artifact(id);
    const profile = {
      ...artifact.profile,
      pinned: patch.pinned ?? artifact.profile.pinned,
      labels: patch.labels ?? artifact.profile.labels,
    };
    this.#artifacts.set(id, { ...artifact, profile });
    return profile;
  }
  async delete(id: string): Promise<void> {
    this.#artifact(id);
    if ((this.leases.get(id) ?? 0) > 0) throw new SidescopeError('profile-in-use', `${id} is being downloaded`);
    this.#artifacts.delete(id);
    this.emit('deleted', id);
  }
  async deleteMany(filter: object): Promise<{ deleted: string[]; kept: { pinned: number; inUse: number } }> {
    this.asked.push(filter);
    return { deleted: [], kept: { pinned: 0, inUse: 0 } };
  }
  usage(): DiskUsage {
    return {
      directory: '/data',
      temporary: false,
      budgetBytes: 1,
      usedBytes: 1,
      artifactBytes: 1,
      profiles: this.#artifacts.size,
      retentionCount: 200,
      retentionAgeMs: 1,
    };
  }
  #artifact(id: string): { profile: Profile; plain: Buffer } {
    const artifact = this.#artifacts.get(id);
    if (artifact === undefined) throw new SidescopeError('unknown-profile', `no profile ${id}`);
    return artifact;
  }
  *#chunks(bytes: Buffer): Generator<Buffer> {
    for (let start = 0; start < bytes.length; start += 65_536) {
      if (this.failAfterBytes !== undefined && start >= this.failAfterBytes)
        throw new SidescopeError('damaged-profile', `only ${start} bytes are there`);
      yield bytes.subarray(start, start + 65_536);
    }
  }
}

/** No span ever came. */
export class FakeTimelines extends EventEmitter<{ requests: [RequestCounts] }> implements TimelineService {
  readonly asked: unknown[] = [];
  list: TimelineService['list'] = (query) => {
    this.asked.push(query);
    return { timelines: [], nextCursor: null, total: 0 };
  };
  get: TimelineService['get'] = (traceId) => {
    throw new SidescopeError('unknown-trace', `no trace ${traceId}`);
  };
  routes: TimelineService['routes'] = (query) => {
    this.asked.push(query);
    return { from: time, to: time, quantileErrorShare: 0.05, sampling: null, otherRoots: 0, routes: [] };
  };
  requestHistory: TimelineService['requestHistory'] = (query) => {
    this.asked.push(query);
    return {
      targetId: null,
      from: time,
      to: time,
      stepMs: 5_000,
      completeTo: time,
      since: null,
      routes: [],
      points: [],
    };
  };
  counts: TimelineService['counts'] = () => ({ spans: 0, requests: 0, failed: 0, timelines: 0 });
  hotFunctions: TimelineService['hotFunctions'] = async (query) => {
    this.asked.push(query);
    return { spans: null, cpu: null };
  };
}

/** No profile is joined with anything. */
export class FakeJoins {
  readonly asked: unknown[] = [];
  requestsOf: AdminServices['joins']['requestsOf'] = async (profileId, { limit }) => {
    this.asked.push({ profileId, limit });
    const readings = { count: 0, dropped: 0, problem: null };
    const sums = { total: 0, activeMs: 0, attributedMs: 0, outsideMs: 0 };
    return { profileId, requests: [], ...sums, readings, reason: 'no spans of that time came' };
  };
  cpuOf: AdminServices['joins']['cpuOf'] = async () => ({ cpu: null, cpuReason: 'no CPU profile was taken' });
}

export interface FakeServices extends AdminServices {
  readonly targets: FakeTargets;
  readonly captures: FakeCaptures;
  readonly monitor: FakeMonitor;
  readonly alerts: FakeAlerts;
  readonly leaks: FakeLeaks;
  readonly regressions: FakeRegressions;
  readonly targetMetrics: FakeTargetMetrics;
  readonly timelines: FakeTimelines;
  readonly store: FakeStore;
  readonly audited: AuditRecord[];
  readonly logged: string[];
  /** May do everything. */
  readonly adminToken: string;
  tokenWith(...scopes: Scope[]): string;
}

/** As without `--jwks`. */
const noJwt = {
  place: undefined,
  credentials: { caFile: undefined, tokenFile: undefined },
  issuer: '',
  audiences: [],
  roleClaim: 'roles',
  roles: [],
};

export async function fakeServices(overrides: Partial<AdminServices> = {}): Promise<FakeServices> {
  const audited: AuditRecord[] = [];
  const logged: string[] = [];
  const log = createLog({ level: 'trace', destination: { write: (line) => logged.push(line) } });
  const tokens = overrides.tokens ?? (await Tokens.open({ log }));
  const services = {
    targets: new FakeTargets(),
    captures: new FakeCaptures(),
    monitor: new FakeMonitor(),
    alerts: new FakeAlerts(),
    leaks: new FakeLeaks(),
    regressions: new FakeRegressions(),
    targetMetrics: new FakeTargetMetrics(),
    recorder: new FakeRecorder(),
    rules: new FakeRules(),
    egress: { view: () => ({ destinations: [], problems: [], deliveries: [] }) },
    timelines: new FakeTimelines(),
    joins: new FakeJoins(),
    deaths: new FakeDeaths(),
    limits: { limitOf: () => ({ nearerLimit: null, limitNotes: ['there is no reading yet'] }) },
    store: new FakeStore(),
    tokens,
    jwt: new JwtAccess({ ...noJwt, log }),
    info: () => ({
      name: 'sidescope' as const,
      version: '0.1.0',
      nodeVersion: process.version,
      pid: process.pid,
      startedAt: time,
      uptimeMs: 1,
      memory: { rssBytes: 1, heapUsedBytes: 1 },
      endsAt: null,
      listeners: { admin: null, ops: null, control: null },
      options: [],
      features: [{ name: 'storage', state: 'failed' as const, reason: 'read-only file system', remedy: null }],
      storage: null,
      environment: {},
    }),
    storedProfiles,
    heapAnalyses: {
      start: (): never => {
        throw new SidescopeError('heap-analysis-off', 'it is off');
      },
      analysed: (id: string): never => {
        throw new SidescopeError('not-analysed', `${id} was not analysed`);
      },
      compared: (): never => {
        throw new SidescopeError('not-analysed', 'they were not analysed');
      },
    },
    redactions: { variant: 'v', open: () => Readable.from([Buffer.from('redacted')], { objectMode: false }) },
    pageDirectory: '/nonexistent',
    log,
    audit: { write: (record: AuditRecord) => audited.push(record) },
    metrics: createMetrics({ version: '0.1.0', nodeVersion: process.version }),
    allowedHosts: [],
    ...overrides,
  };
  return {
    ...(services as Omit<FakeServices, 'audited' | 'logged' | 'adminToken' | 'tokenWith'>),
    audited,
    logged,
    adminToken: tokens.mint({ name: 'admin', scopes: ['admin'], ttlMs: 3_600_000 }).token,
    tokenWith: (...scopes) => tokens.mint({ name: scopes.join('+'), scopes, ttlMs: 3_600_000 }).token,
  };
}

export const storedProfiles: AdminServices['storedProfiles'] = {
  convert: async (id, { format }) => Buffer.from(`${id} as ${format}\n`),
  summarize: async () => ({ kind: 'heap-sampling', sampledBytes: 0, samples: 0, functions: [], stacks: [] }),
  compare: async ({ kind, before, after }) => ({
    kind,
    before,
    after,
    activeBefore: 0,
    activeAfter: 0,
    busyBefore: 0,
    busyAfter: 0,
    functions: [],
    tree: [],
  }),
  source: (profileId) => ({ profileId, functions: [], omittedLines: 0, reason: 'none were kept' }),
};
