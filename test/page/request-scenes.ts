import { ago } from './samples.ts';
import { sampleCpu, sampleHotFunctions, sampleRoute, sampleTimeline, sampleTimelineSpan } from './request-samples.ts';
import type { Scene } from './scene.ts';
import type { World } from './stand-in.ts';

/** The list, one request in it, the routes, and what is hot. */
export function requestScenes(incident: Partial<World>): Scene[] {
  const one = report();
  const shares = (database: number) =>
    [
      { kind: 'database' as const, durationMs: database * 400, share: database },
      { kind: 'handler' as const, durationMs: (1 - database) * 400, share: 1 - database },
    ].toSorted((a, b) => b.share - a.share);
  const world: Partial<World> = {
    ...incident,
    timelines: [
      one,
      ...Array.from({ length: 11 }, (_, index) =>
        sampleTimeline({
          traceId: String(index).padStart(32, 'e'),
          startedAt: ago(index * 4_000),
          name: ['GET /search', 'GET /products/:id', 'POST /orders'][index % 3] ?? '',
          durationMs: 20 + ((index * 137) % 400),
          failed: index % 5 === 3,
          statusCode: index % 5 === 3 ? 500 : 200,
          totals: shares(0.93 - index * 0.05),
          summary: `database ${93 - index * 5} %, handler ${7 + index * 5} %`,
        }),
      ),
    ],
    routes: [
      sampleRoute(),
      sampleRoute({ name: 'GET /reports/:id', p50Ms: 640, p95Ms: 1_900, p99Ms: 3_400, databaseShare: 0.2 }),
      sampleRoute({ name: 'POST /orders', errors: 0, errorShare: 0, p50Ms: 22, p95Ms: 70, p99Ms: 95 }),
    ],
    hot: hotFunctions(),
  };
  return [
    {
      name: 'requests',
      path: '/requests',
      world,
      ready: (page) => page.getByText('database 93 %, handler 7 %').first().waitFor(),
    },
    {
      name: 'waterfall',
      path: `/requests?trace=${one.traceId}`,
      world,
      ready: (page) => page.getByRole('region', { name: 'Gaps' }).waitFor(),
    },
    { name: 'routes', path: '/requests?view=routes', world, ready: (page) => page.getByText('POST /orders').waitFor() },
    {
      name: 'hot-functions',
      path: '/requests?view=hot',
      world,
      ready: (page) => page.getByRole('heading', { name: 'By CPU profiles' }).waitFor(),
    },
  ];
}

/** Five of each. */
function hotFunctions(): World['hot'] {
  const { spans, cpu } = sampleHotFunctions;
  const work = [
    ['database', 'SELECT * FROM products WHERE name LIKE ?'],
    ['handler', '/reports/:id'],
    ['http-client', 'GET rates.internal'],
    ['database', 'SELECT * FROM lines WHERE invoice IN (?)'],
    ['middleware', 'session'],
  ] as const;
  const functions = ['renderReport', 'similarity', 'trigramsOf', 'JSON.stringify', 'parseRow'];
  const lessBy = (index: number): number => 1 / (1 + index * 0.8);
  return {
    spans: spans && {
      ...spans,
      items: work.flatMap(([kind, name], index) =>
        spans.items.map((item) => ({
          ...item,
          kind,
          name,
          selfMs: item.selfMs * lessBy(index),
          totalMs: item.totalMs * lessBy(index),
          share: 0.41 * lessBy(index),
          lastSeenAt: ago(index * 900),
        })),
      ),
    },
    cpu: cpu && {
      ...cpu,
      items: functions.flatMap((name, index) =>
        cpu.items.map((item) => ({
          ...item,
          name,
          selfMs: item.selfMs * lessBy(index),
          totalMs: item.totalMs * lessBy(index) * 1.2,
          share: 0.31 * lessBy(index),
          lastSeenAt: ago(30_000),
        })),
      ),
    },
  };
}

/** A handler that computes between its queries while the loop is blocked. */
function report() {
  const span = sampleTimelineSpan;
  const select = (spanId: string, operation: string, [offsetMs, durationMs]: [number, number]) =>
    span({
      spanId,
      parentSpanId: 'c',
      depth: 3,
      kind: 'database',
      operation,
      offsetMs,
      durationMs,
      selfMs: durationMs,
    });
  return sampleTimeline({
    traceId: '0a24f7651916cd43dd8448eb211c8031',
    name: 'GET /reports/:id',
    route: '/reports/:id',
    startedAt: ago(12_000),
    durationMs: 640,
    spans: 7,
    summary: 'handler 58 %, database 33 %, HTTP call 6 %, server 3 %',
    totals: [
      { kind: 'handler', durationMs: 371, share: 0.58 },
      { kind: 'database', durationMs: 211, share: 0.33 },
      { kind: 'http-client', durationMs: 38, share: 0.06 },
      { kind: 'server', durationMs: 20, share: 0.03 },
    ],
    rows: [
      span({ spanId: 'a', operation: 'GET /reports/:id', durationMs: 640, selfMs: 6 }),
      span({
        spanId: 'b',
        parentSpanId: 'a',
        depth: 1,
        kind: 'middleware',
        operation: 'session',
        offsetMs: 3,
        durationMs: 9,
        selfMs: 9,
      }),
      span({
        spanId: 'c',
        parentSpanId: 'a',
        depth: 1,
        kind: 'handler',
        operation: '/reports/:id',
        offsetMs: 12,
        durationMs: 626,
        selfMs: 371,
      }),
      select('d', 'SELECT * FROM invoices WHERE customer = ?', [20, 96]),
      select('e', 'SELECT * FROM lines WHERE invoice IN (?)', [122, 115]),
      span({
        spanId: 'f',
        parentSpanId: 'c',
        depth: 2,
        kind: 'http-client',
        operation: 'GET rates.internal',
        offsetMs: 590,
        durationMs: 38,
        selfMs: 38,
      }),
    ],
    stalls: [
      {
        id: 's-1',
        kind: 'blocked',
        summary: 'renderReport (report.ts:88) blocked the event loop',
        durationMs: 310,
        offsetMs: 250,
      },
    ],
    profiles: [
      {
        id: 'p-1',
        kind: 'cpu',
        thread: 'main',
        topFunction: 'renderReport report.ts:88',
        offsetMs: -4_000,
        durationMs: 30_000,
      },
    ],
    cpu: sampleCpu,
    cpuReason: null,
  });
}
