import type { GrowthSite, LeakInvestigation, LeakList, ListedLeak } from '../../protocol/rest/leaks.ts';
import type { Stacks, ThreadStack } from '../../protocol/rest/stacks.ts';
import type { Stall } from '../../protocol/rest/stalls.ts';
import type { MemoryStats } from '../../protocol/rest/vitals.ts';
import { snapshotJson } from '../heap-snapshot/snapshots.ts';
import { ago, sampleStall } from './samples.ts';

const MiB = 1024 * 1024;

export function sampleMemoryStats(over: Partial<MemoryStats> = {}): MemoryStats {
  return {
    targetId: 't1',
    instanceId: 'i-1',
    at: ago(2_000),
    rssBytes: 512 * MiB,
    heapUsedBytes: 318 * MiB,
    heapTotalBytes: 342 * MiB,
    externalBytes: 24 * MiB,
    arrayBuffersBytes: 18 * MiB,
    heapLimitBytes: 512 * MiB,
    heapUsedPercent: 62,
    containerBytes: 540 * MiB,
    containerLimitBytes: 1024 * MiB,
    containerUsedPercent: 53,
    spaces: [{ name: 'old_space', usedBytes: 290 * MiB, sizeBytes: 300 * MiB }],
    nearerLimit: {
      pool: 'heap',
      usedBytes: 318 * MiB,
      limitBytes: 480 * MiB,
      usedPercent: 66,
      forecast: { reachedAt: ago(-40 * 60_000), inMs: 40 * 60_000, bytesPerHour: 243 * MiB },
    },
    limitNotes: [],
    ...over,
  };
}

export function sampleSite(over: Partial<GrowthSite> = {}): GrowthSite {
  return {
    functionName: 'remember',
    url: 'file:///srv/shop/dist/cache.js',
    line: 1,
    column: 18_211,
    original: { functionName: 'remember', url: '/srv/shop/src/cache.ts', line: 12, column: 3 },
    caller: null,
    liveBytes: 61 * MiB,
    grownBytes: 42 * MiB,
    bytesPerMinute: 3.6 * MiB,
    ...over,
  };
}

export function sampleLeak(over: Partial<ListedLeak> = {}): ListedLeak {
  return {
    targetId: 't1',
    instanceId: 'i-1',
    pool: 'heap',
    verdict: 'leak',
    confidence: 0.97,
    reason: 'after each of the last 11 collections more was left than after the one before: 243 MB/h, full in 40 min',
    at: ago(20_000),
    since: ago(1_900_000),
    slopeMbPerHour: 243,
    levelBytes: 318 * MiB,
    grownBytes: 121 * MiB,
    limit: { kind: 'heap', bytes: 480 * MiB, reachedAt: ago(-40 * 60_000) },
    sites: [sampleSite(), sampleSite({ functionName: 'load', line: 88, original: null, grownBytes: 9 * MiB })],
    nextStep: 'look at what cache.ts:12 keeps, or compare two heap snapshots',
    heap: {
      growth: {
        before: 'p-21',
        after: 'p-22',
        beforeAt: ago(900_000),
        afterAt: ago(300_000),
        warning: null,
        newBytes: 64 * MiB,
        freedBytes: 9 * MiB,
        classes: [{ name: 'Session', counts: [12_000, 41_000], grownBytes: 52 * MiB }],
        paths: [
          {
            className: 'Session',
            path: 'global.cache.table[]',
            count: 29_000,
            retainedBytes: 52 * MiB,
            share: 0.81,
          },
        ],
      },
      note: 'by the two newest heap snapshots of this run',
    },
    ...over,
  };
}

export function sampleInvestigation(over: Partial<LeakInvestigation> = {}): LeakInvestigation {
  const pool = { baselineBytes: 190 * MiB, busyBytes: 260 * MiB, settledBytes: 252 * MiB, heldShare: 0.89 };
  return {
    id: 'op-leak',
    targetId: 't1',
    instanceId: 'i-1',
    startedAt: ago(700_000),
    endedAt: ago(500_000),
    loadMs: 120_000,
    settleMs: 60_000,
    pools: [
      { pool: 'heap', ...pool, outcome: 'held' },
      { pool: 'external', ...pool, heldShare: 0.04, outcome: 'drained' },
    ],
    sites: [sampleSite()],
    readings: 3,
    costMs: 640,
    nextStep: 'most of the growth is still there: look at cache.ts:12',
    ...over,
  };
}

export function sampleLeaks(over: Partial<LeakList> = {}): LeakList {
  const quiet = { heap: undefined, sites: [], since: null, limit: null, grownBytes: null, slopeMbPerHour: null };
  return {
    verdicts: [
      sampleLeak(),
      sampleLeak({
        ...quiet,
        pool: 'external',
        verdict: 'settled',
        reason: 'it goes up and down, and ends where it began',
        levelBytes: 24 * MiB,
        nextStep: 'nothing',
      }),
    ],
    searches: [
      {
        targetId: 't1',
        isSampling: true,
        since: ago(1_200_000),
        readings: 4,
        costMs: 910,
        gaps: [],
        unavailable: null,
        latest: {
          instanceId: 'i-1',
          at: ago(90_000),
          forMs: 1_110_000,
          liveBytes: 80 * MiB,
          sites: [sampleSite()],
          costMs: 260,
        },
      },
    ],
    earlier: [],
    investigations: [sampleInvestigation()],
    nextCursor: null,
    ...over,
  };
}

export function sampleThread(over: Partial<ThreadStack> = {}): ThreadStack {
  const place = (functionName: string, url: string, lineNumber: number) => ({
    functionName,
    url,
    lineNumber,
    columnNumber: 5,
  });
  return {
    thread: 'main',
    title: 'shop',
    state: 'running',
    frames: [
      {
        ...place('n', 'file:///srv/shop/dist/server.js', 1),
        original: place('renderReport', '/srv/shop/src/report.ts', 88),
      },
      { ...place('handle', 'file:///srv/shop/node_modules/express/lib/router.js', 41), original: null },
    ],
    hasMore: true,
    span: {
      traceId: '0af7651916cd43dd8448eb211c80319c',
      spanId: 'b7ad6b7169203331',
      name: 'GET',
      sampled: true,
      route: '/reports/:id',
    },
    summary: 'executes renderReport (report.ts:88)',
    turnMs: 2_400,
    turnUnknown: null,
    waitedMs: 3,
    error: null,
    ...over,
  };
}

export function sampleStacks(over: Partial<Stacks> = {}): Stacks {
  const idle: Partial<ThreadStack> = { state: 'idle', frames: [], hasMore: false, span: null, turnMs: 0 };
  return {
    targetId: 't1',
    takenAt: ago(1_000),
    threads: [
      sampleThread(),
      sampleThread({ ...idle, thread: '1', title: 'resize images', summary: 'idle, waiting for events' }),
    ],
    omittedThreads: 0,
    ...over,
  };
}

/** With merged stacks. */
export function sampleTreeStall(functionName = 'renderReport'): Stall {
  const frame = (parent: number, name: string, [samples, self]: [number, number]): Stall['tree'][number] => ({
    parent,
    samples,
    self,
    functionName: name,
    url: 'file:///srv/shop/report.js',
    lineNumber: 88,
    columnNumber: 3,
    original: null,
  });
  const tree = [
    frame(-1, 'handle', [40, 0]),
    frame(0, functionName, [37, 30]),
    frame(1, 'sumUp', [7, 7]),
    frame(0, 'log', [3, 3]),
  ];
  return sampleStall({ tree });
}

/** A heap of a few objects, as V8 writes it. */
export function sampleHeap(names: { className: string; text: string } = { className: 'Session', text: 'user 1' }) {
  const sessions = Array.from({ length: 30 }, (_, index) => 4 + index * 2);
  return snapshotJson([
    { type: 'synthetic', name: '', size: 0, edges: [[1, 1, 'element']] },
    { type: 'synthetic', name: '(GC roots)', size: 0, edges: [[2, 'cache', 'property']] },
    { name: 'Map', size: 64, edges: [[3, 'table', 'internal']] },
    { type: 'array', name: '', size: 1_024, edges: sessions.map((node, index) => [node, index, 'element']) },
    ...sessions.flatMap((node) => [
      { name: names.className, size: 96, edges: [[node + 1, names.text.slice(0, 200)]] as [number, string][] },
      { type: 'string' as const, name: names.text, size: 48 },
    ]),
  ]);
}
