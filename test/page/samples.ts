import type { SnapshotForecast } from '../../protocol/rest/forecast.ts';
import type { Info } from '../../protocol/rest/info.ts';
import type { Operation } from '../../protocol/rest/operation.ts';
import type { DiskUsage, Profile } from '../../protocol/rest/profile.ts';
import type { Stall } from '../../protocol/rest/stalls.ts';
import type { Target, TargetIdentity, Thread } from '../../protocol/rest/target.ts';
import type { Vitals } from '../../protocol/rest/vitals.ts';

const MiB = 1024 * 1024;
const nowMs = Date.now();
export const ago = (ms: number): string => new Date(nowMs - ms).toISOString();

export const mainThread: Thread = {
  id: 'main',
  kind: 'main',
  title: 'main',
  url: 'file:///srv/shop/server.js',
};

export const identity: TargetIdentity = {
  instanceId: 'i-1',
  pid: 4711,
  ppid: 1,
  startedAt: ago(7_500_000),
  nodeVersion: 'v22.21.1',
  v8Version: '12.4.254',
  arch: 'x64',
  platform: 'linux',
  hostname: 'shop-7d9f',
  title: 'node',
  mainScript: '/srv/shop/server.js',
  appName: 'shop',
  appVersion: '3.4.1',
};

export function sampleTarget(over: Partial<Target> = {}): Target {
  return {
    id: 't1',
    address: '127.0.0.1:9229',
    name: 'shop',
    state: { state: 'attached', since: ago(3_600_000), captures: [] },
    identity,
    previous: [],
    threads: [mainThread, { id: 'worker-1', kind: 'worker', title: 'Worker 1', url: 'file:///srv/shop/report.js' }],
    detectedAgents: [],
    warnings: [],
    ...over,
  };
}

export const connectingTarget: Target = sampleTarget({
  id: 't2',
  address: 'billing:9229',
  name: 'billing:9229',
  identity: null,
  threads: [],
  state: {
    state: 'connecting',
    attempts: 7,
    nextAttemptAt: new Date(nowMs + 8000).toISOString(),
    lastFailure: { code: 'inspector-unreachable', message: 'nothing listens at billing:9229 (ECONNREFUSED)' },
  },
});

export const detachedTarget: Target = sampleTarget({
  id: 't3',
  address: '127.0.0.1:9230',
  name: 'mailer',
  threads: [],
  state: {
    state: 'detached',
    since: ago(184_000),
    reason: { code: 'target-gone', message: 'the process ended with its connection' },
  },
  warnings: ['The inspector belongs to npm (pid 12), not to the application: start it with `node --inspect` itself.'],
  previous: [
    {
      identity: { ...identity, instanceId: 'i-0', pid: 12 },
      endedAt: ago(1_000_000),
      reason: { code: 'target-gone', message: 'killed by SIGKILL' },
    },
  ],
});

export function sampleOperation(over: Partial<Operation> = {}): Operation {
  return {
    id: 'op-1',
    kind: 'cpu',
    state: 'running',
    targetId: 't1',
    thread: 'main',
    startedBy: 'terminal',
    createdAt: ago(9000),
    startedAt: ago(9000),
    endedAt: null,
    expiresAt: null,
    parameters: { durationMs: 30_000, intervalUs: 1000 },
    progress: { phase: 'sampling', fraction: 0.3, bytes: 0 },
    queuePosition: null,
    profileIds: [],
    warnings: [],
    error: null,
    ...over,
  };
}

export function sampleProfile(over: Partial<Profile> = {}): Profile {
  return {
    id: 'p-1',
    kind: 'cpu',
    fileName: 'shop-main-20260131T120000Z.cpuprofile',
    operationId: 'op-0',
    targetId: 't1',
    targetName: 'shop',
    target: identity,
    thread: mainThread,
    trigger: { kind: 'api', by: 'terminal' },
    startedAt: ago(600_000),
    endedAt: ago(570_000),
    durationMs: 30_012,
    sizeBytes: 1_834_220,
    storedBytes: 1_834_220,
    sha256: '9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08',
    complete: true,
    incompleteReason: null,
    cost: { pauseMs: 4.2, rssBeforeBytes: 96 * MiB, rssAfterBytes: 101 * MiB, rssPeakBytes: 104 * MiB },
    cpu: {
      intervalUs: 1000,
      samples: 29_411,
      nodes: 812,
      samplingHz: 979.9,
      idleShare: 0.41,
      gcShare: 0.023,
      startTimeUs: 1,
      endTimeUs: 30_012_001,
      topFunction: 'renderReport report.js:88',
    },
    snapshot: null,
    sampling: null,
    clock: null,
    warnings: [],
    labels: {},
    pinned: false,
    environment: { namespace: 'shop', pod: 'shop-7d9f' },
    formats: ['cpuprofile', 'pprof', 'collapsed'],
    ...over,
  };
}

export function sampleSnapshot(over: Partial<Profile> = {}): Profile {
  return sampleProfile({
    id: 's-1',
    kind: 'heap-snapshot',
    fileName: 'shop-main-20260131T115000Z.heapsnapshot',
    startedAt: ago(90_000_000),
    durationMs: 3120,
    sizeBytes: 187 * MiB,
    storedBytes: 31 * MiB,
    cost: { pauseMs: 2841, rssBeforeBytes: 210 * MiB, rssAfterBytes: 240 * MiB, rssPeakBytes: 402 * MiB },
    cpu: null,
    snapshot: {
      forced: true,
      predictedPeakBytes: { low: 350 * MiB, high: 470 * MiB },
      predictedPauseMs: { low: 2000, high: 3600 },
      actualPeakBytes: 402 * MiB,
      actualPauseMs: 2841,
      nodes: 2_104_233,
      edges: 9_882_012,
    },
    formats: ['heapsnapshot'],
    ...over,
  });
}

export function sampleForecast(over: Partial<SnapshotForecast> = {}): SnapshotForecast {
  return {
    targetId: 't1',
    thread: 'main',
    verdict: 'allow',
    reason: 'The predicted peak fits the limit and the pause the budget.',
    heapUsedBytes: 48 * MiB,
    oldSpaceBytes: 40 * MiB,
    largeObjectBytes: 2 * MiB,
    rssBytes: 101 * MiB,
    predictedExtraBytes: { low: 30 * MiB, high: 84 * MiB },
    predictedPeakBytes: { low: 131 * MiB, high: 185 * MiB },
    predictedPauseMs: { low: 310, high: 820 },
    predictedFileBytes: { low: 40 * MiB, high: 70 * MiB },
    basis: 'worst-case',
    limit: { bytes: 512 * MiB, source: 'container', headroomBytes: 411 * MiB },
    livenessBudgetMs: 10_000,
    neededLimitBytes: 185 * MiB,
    alternatives: [
      {
        title: 'Sample allocations instead',
        command: 'curl -X POST localhost:7777/api/v1/profiling/heap/sampling/start',
      },
    ],
    ...over,
  };
}

export const refusedForecast = sampleForecast({
  verdict: 'refuse',
  reason: 'The peak may reach 1.1 GiB, over the container limit of 512 MiB.',
  rssBytes: 301 * MiB,
  predictedPeakBytes: { low: 610 * MiB, high: 1130 * MiB },
  predictedPauseMs: { low: 6100, high: 14_000 },
  neededLimitBytes: 1130 * MiB,
  alternatives: [
    {
      title: 'Give the pod more memory in place',
      command: "kubectl patch pod shop-7d9f --subresource resize --patch '{}'",
    },
    { title: 'Take the pod out of its Service first', command: 'kubectl label pod shop-7d9f app-' },
  ],
});

export const sampleStorage: DiskUsage = {
  directory: '/var/lib/sidescope',
  temporary: false,
  budgetBytes: 2048 * MiB,
  usedBytes: 301 * MiB,
  artifactBytes: 300 * MiB,
  profiles: 2,
  retentionCount: 200,
  retentionAgeMs: 7 * 86_400_000,
};

export function sampleInfo(over: Partial<Info> = {}): Info {
  return {
    name: 'sidescope',
    version: '0.1.0',
    nodeVersion: 'v24.21.0',
    pid: 99,
    startedAt: ago(4_000_000),
    uptimeMs: 4_000_000,
    memory: { rssBytes: 74 * MiB, heapUsedBytes: 12 * MiB },
    endsAt: null,
    listeners: {
      admin: 'http://127.0.0.1:7777',
      ops: 'http://0.0.0.0:7778',
      control: '/data/control/sidescope.sock',
    },
    options: [
      { name: '--target', value: '127.0.0.1:9229', source: 'flag' },
      { name: '--data-dir', value: '/var/lib/sidescope', source: 'environment' },
    ],
    features: [
      { name: 'storage', state: 'on', reason: null, remedy: null },
      {
        name: 'ops listener',
        state: 'failed',
        reason: '0.0.0.0:7778 is taken',
        remedy: 'Set `--ops-address` to a free one.',
      },
      { name: 'otlp', state: 'off', reason: 'not asked for', remedy: 'Set `--otlp-address`.' },
    ],
    storage: sampleStorage,
    environment: {},
    you: { name: 'terminal', scopes: ['admin'], expiresAt: null },
    ...over,
  };
}

/** A CPU profile that speedscope reads: main calls renderReport. */
export const sampleCpuProfile = JSON.stringify({
  nodes: [
    { id: 1, callFrame: frame('(root)', '', -1), hitCount: 0, children: [2] },
    { id: 2, callFrame: frame('main', 'file:///srv/shop/server.js', 1), hitCount: 0, children: [3] },
    { id: 3, callFrame: frame('renderReport', 'file:///srv/shop/report.js', 87), hitCount: 40 },
  ],
  startTime: 1000,
  endTime: 41_000,
  samples: Array.from({ length: 40 }, () => 3),
  timeDeltas: Array.from({ length: 40 }, () => 1000),
});

function frame(functionName: string, url: string, lineNumber: number) {
  return { functionName, scriptId: '1', url, lineNumber, columnNumber: 0 };
}

export function sampleVitals(over: Partial<Vitals> = {}): Vitals {
  return {
    targetId: 't1',
    instanceId: 'i-1',
    at: ago(0),
    error: null,
    problems: [],
    memory: {
      rssBytes: 220 * MiB,
      heapUsedBytes: 96 * MiB,
      heapTotalBytes: 128 * MiB,
      heapLimitBytes: 512 * MiB,
      externalBytes: 3 * MiB,
      arrayBuffersBytes: MiB,
      containerLimitBytes: 1024 * MiB,
      spaces: [],
    },
    cpu: { userCores: 0.4, systemCores: 0.05, mainCores: 0.38, workerCores: 0, otherCores: 0.07, starvedRatio: 0.02 },
    nodeLoad: [1.25, 0.9, 0.5],
    loop: { utilization: 0.41, delayMeanMs: 1.2, delayP99Ms: 12.5, delayMaxMs: 44, turnsPerSecond: 210 },
    gc: { count: 14, pauseMs: 21, kinds: [{ kind: 'Scavenge', count: 14, pauseMs: 21 }] },
    activeResources: [],
    uptimeMs: 7_500_000,
    measures: null,
    threads: [],
    omittedThreads: 0,
    cgroup: {
      version: 2,
      memoryCurrentBytes: 256 * MiB,
      workingSetBytes: 240 * MiB,
      memoryMaxBytes: 1024 * MiB,
      oomKills: 0,
      memoryHighEvents: 0,
      memoryMaxEvents: 0,
      cpuLimitCores: 1,
      throttledMs: 900,
      throttledRatio: 0.02,
    },
    ...over,
  };
}

export function sampleStall(over: Partial<Stall> = {}): Stall {
  return {
    id: 's-1',
    targetId: 't1',
    instanceId: 'i-1',
    thread: 'main',
    kind: 'blocked',
    state: 'ended',
    startedAt: ago(60_000),
    noticedAt: ago(59_000),
    endedAt: ago(56_900),
    durationMs: 3_100,
    verdict: 'javascript',
    summary: 'the event loop was blocked for 3.1 s, most of it in renderInvoice (invoices.js:41)',
    dominant: {
      functionName: 'renderInvoice',
      url: 'file:///srv/shop/invoices.js',
      lineNumber: 41,
      columnNumber: 7,
      original: null,
      share: 0.92,
      from: 'stacks',
    },
    samples: { asked: 40, running: 40, idle: 0, longestAnswerMs: 4 },
    tree: [],
    span: {
      traceId: '0af7651916cd43dd8448eb211c80319c',
      spanId: 'b7ad6b7169203331',
      name: 'GET /invoices',
      sampled: true,
      route: '/invoices/:id',
      share: 1,
    },
    gcMs: 12,
    throttledMs: 0,
    waitedMs: 0,
    cpuOperationId: null,
    cpuProfileAgrees: null,
    ...over,
  };
}
