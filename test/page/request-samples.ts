import type { HotFunctions } from '../../protocol/rest/hot-functions.ts';
import type { ProfileRequests, TimelineCpu } from '../../protocol/rest/profile-requests.ts';
import type { RouteStatistics, TimelineDetail, TimelineSpan } from '../../protocol/rest/timelines.ts';

const at = '2026-01-31T12:00:00.000Z';

export const noHotFunctions: HotFunctions = {
  spans: { from: at, to: at, spans: 0, sampling: null, items: [], reason: 'no spans came yet' },
  cpu: {
    profileIds: [],
    sampledMs: 0,
    items: [],
    countReason: 'samples do not tell',
    reason: 'no CPU profile was taken yet',
  },
};

export function sampleTimelineSpan(over: Partial<TimelineSpan> = {}): TimelineSpan {
  return {
    spanId: 'aaaaaaaaaaaaaaa1',
    parentSpanId: null,
    depth: 0,
    kind: 'server',
    name: 'GET',
    operation: 'GET /search',
    offsetMs: 0,
    durationMs: 400,
    selfMs: 20,
    failed: false,
    status: '200',
    statement: null,
    errors: [],
    scope: '@opentelemetry/instrumentation-http',
    attributes: { 'http.request.method': 'GET' },
    ...over,
  };
}

const statement = 'SELECT * FROM products WHERE name LIKE ?';

export function sampleTimeline(over: Partial<TimelineDetail> = {}): TimelineDetail {
  return {
    traceId: '5b8efff798038103d269b633813fc60c',
    name: 'GET /search',
    route: '/search',
    kind: 'server',
    method: 'GET',
    statusCode: 200,
    failed: false,
    startedAt: at,
    durationMs: 400,
    requests: 1,
    spans: 3,
    isWhole: true,
    totals: [
      { kind: 'database', durationMs: 372, share: 0.93 },
      { kind: 'server', durationMs: 28, share: 0.07 },
    ],
    summary: 'database 93 %, server 7 %',
    serviceName: 'shop',
    targetId: 't1',
    rows: [
      sampleTimelineSpan(),
      sampleTimelineSpan({
        spanId: 'aaaaaaaaaaaaaaa2',
        parentSpanId: 'aaaaaaaaaaaaaaa1',
        depth: 1,
        kind: 'handler',
        operation: '/search',
        offsetMs: 4,
        durationMs: 390,
        selfMs: 18,
      }),
      sampleTimelineSpan({
        spanId: 'aaaaaaaaaaaaaaa3',
        parentSpanId: 'aaaaaaaaaaaaaaa2',
        depth: 2,
        kind: 'database',
        operation: statement,
        statement,
        offsetMs: 10,
        durationMs: 372,
        selfMs: 372,
        failed: true,
        errors: [{ type: 'Error', message: 'canceling statement', stack: 'Error: canceling statement\n    at query' }],
      }),
    ],
    hiddenSpans: 2,
    droppedSpans: 0,
    missingParents: 0,
    moments: [{ fromOffsetMs: -4_000, toOffsetMs: 1_000, gc: { count: 2, pauseMs: 6 }, measures: [] }],
    stalls: [
      { id: 's-1', kind: 'blocked', summary: 'fib (a.js:3) blocked for 200 ms', durationMs: 200, offsetMs: 100 },
    ],
    profiles: [],
    cpu: null,
    cpuReason: 'no CPU profile was taken meanwhile',
    ...over,
  };
}

export function sampleRoute(over: Partial<RouteStatistics> = {}): RouteStatistics {
  return {
    name: 'GET /search',
    kind: 'server',
    count: 1200,
    estimatedCount: null,
    ratePerSecond: 4.5,
    errors: 12,
    errorShare: 0.01,
    averageMs: 320,
    p50Ms: 300,
    p95Ms: 700,
    p99Ms: 900,
    totalMs: 384_000,
    databaseShare: 0.93,
    totals: sampleTimeline().totals,
    summary: 'database 93 %, server 7 %',
    lastSeenAt: at,
    slowestTraceId: null,
    ...over,
  };
}

export const sampleHotFunctions: HotFunctions = {
  spans: {
    from: at,
    to: at,
    spans: 5000,
    sampling: { keptShare: 0.1, reason: 'the sender keeps 10 % of its traces' },
    reason: null,
    items: [
      {
        kind: 'database',
        name: statement,
        where: null,
        count: 1200,
        estimatedCount: 12_000,
        averageMs: 310,
        totalMs: 372_000,
        selfMs: 372_000,
        share: 0.93,
        p95Ms: 690,
        errors: 12,
        lastSeenAt: at,
      },
    ],
  },
  cpu: {
    profileIds: ['p-1'],
    sampledMs: 30_000,
    countReason: 'samples do not tell how often a function was called',
    reason: null,
    items: [
      {
        name: 'renderReport',
        where: { file: '/srv/shop/report.js', line: 88, column: 1 },
        category: 'app',
        count: null,
        averageMs: null,
        p95Ms: null,
        totalMs: 9_000,
        selfMs: 8_000,
        selfErrorMs: 90,
        share: 0.5,
        samples: 8_000,
        profiles: 1,
        lastSeenAt: at,
      },
    ],
  },
};

const rank = {
  name: 'rank',
  where: { file: '/app/src/search.ts', line: 12, column: 3 },
  category: 'app',
  selfMs: 310,
  selfErrorMs: 18,
  totalMs: 340,
  samples: 300,
};

export const sampleCpu: TimelineCpu = {
  cpuMs: 360,
  cpuErrorMs: 19,
  confidence: 0.97,
  samples: 350,
  profileIds: ['01k0cpu'],
  functions: [rank, { ...rank, name: 'stringify', where: null, category: 'native', selfMs: 20 }],
};

export function sampleProfileRequests(profileId: string): ProfileRequests {
  return {
    profileId,
    requests: [
      {
        traceId: sampleTimeline().traceId,
        spanId: 'aaaaaaaaaaaaaaa1',
        name: 'GET /search',
        route: '/search',
        startedAt: at,
        offsetMs: 1_000,
        durationMs: 400,
        failed: false,
        statusCode: 200,
        cpuMs: 360,
        cpuErrorMs: 19,
        sureMs: 350,
        share: 0.4,
        confidence: 0.97,
        topFunction: rank,
      },
    ],
    total: 1,
    activeMs: 900,
    attributedMs: 360,
    outsideMs: 100,
    readings: { count: 500, dropped: 0, problem: null },
    reason: null,
  };
}
