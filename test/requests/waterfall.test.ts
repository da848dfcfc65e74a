import { expect, it } from 'vitest';
import { buildWaterfall } from '../../protocol/otlp/waterfall.ts';
import { draw } from './drawing.ts';
import { byTrace, drawTrace, recordedSpans, remote, serverAttributes } from './spans.ts';
import type { Drawn } from './spans.ts';

const serverOf = (name: string, from: number, to: number): Pick<Drawn, 'name' | 'kind' | 'from' | 'for'> => ({
  name,
  kind: 2,
  from,
  for: to - from,
});
const get = { kind: 2, ...remote } as const;
const query = { name: 'pg.query', kind: 3, attributes: { 'db.system': 'postgresql', 'db.statement': 'SELECT 1' } };

it('draws a recorded request of Express 4: middlewares beside the handler, no router', () => {
  const [first = []] = byTrace(recordedSpans('small-express4.json'));
  expect(draw(first, 1)).toBe(`GET
  http-client GET localhost:53100 32.7ms self 32.7
GET /api/users/:id
  server GET /api/users/:id 22.2ms self 2.0
    middleware query 0.7ms self 0.7
    middleware expressInit 0.2ms self 0.2
    middleware logger 0.1ms self 0.1
    middleware jsonParser 0.1ms self 0.1
    middleware auth 2.9ms self 2.9
    handler /api/users/:id 16.4ms self 2.8
      database pg-pool.connect 11.1ms self 1.0
        database pg.connect 10.3ms self 10.3
      database SELECT id, email FROM users WHERE id = $1 2.3ms self 2.3`);
});

it('draws a recorded request of Fastify without its frame, and marks the one that failed', () => {
  const traces = byTrace(recordedSpans('small-fastify.json'));
  expect(draw(traces[2] ?? [], 1)).toBe(`GET
  http-client GET localhost:53100 2.0ms self 2.0 FAILED
GET /api/users/:id
  server GET /api/users/:id 1.1ms self 0.7 FAILED
    middleware auth 0.0ms self 0.0
    handler getUser /api/users/:id 0.4ms self 0.4 FAILED`);
  expect(draw(traces[4] ?? [])).toContain('GET (no route)\n  server GET (no route)');
});

it('draws recorded requests of Express 5 once, though two instrumentations saw them', () => {
  const whole = byTrace(recordedSpans('express5-pg-redis-512.json.gz')).filter((spans) =>
    spans.some(({ kind }) => kind === 2),
  );
  expect(whole.length).toBeGreaterThan(10);
  for (const spans of whole) {
    const { requests, hiddenSpans } = buildWaterfall(spans);
    const [request] = requests;
    const kinds = request?.spans.map(({ kind }) => kind) ?? [];
    expect(hiddenSpans).toBeGreaterThan(0);
    expect(kinds.filter((kind) => kind === 'handler').length).toBeLessThanOrEqual(1);
    expect(draw(spans)).not.toContain('patched');
    const shares = request?.spans.reduce((sum, { shareMs }) => sum + shareMs, 0);
    expect(shares).toBeCloseTo(request?.entry.span.durationMs ?? -1, 3);
  }
});

it("keeps one of Hono's two SERVER spans: the one that knows the route, with everything below", () => {
  const path = { 'url.path': '/users/7' };
  const spans = drawTrace([
    {
      ...serverOf('GET', 0, 20),
      ...remote,
      scope: '@opentelemetry/instrumentation-http',
      attributes: { ...serverAttributes(), ...path },
    },
    {
      ...serverOf('GET /users/:id', 1, 19),
      ...remote,
      scope: '@hono/otel',
      attributes: { ...serverAttributes('/users/:id'), 'url.full': 'http://host/users/7?a=1' },
      below: [{ ...query, from: 3, for: 10 }],
    },
  ]);
  expect(draw(spans)).toBe('GET /users/:id\n  server GET /users/:id 18ms self 8\n    database SELECT ? 10ms self 10');
  expect(buildWaterfall(spans).requests).toHaveLength(1);
});

it("takes the route of Hono's inner SERVER span where there is no caller", () => {
  const inner = { ...serverOf('GET /users/:id', 1, 19), attributes: serverAttributes('/users/:id') };
  const spans = drawTrace([
    {
      ...serverOf('GET', 0, 20),
      attributes: serverAttributes(),
      below: [{ ...inner, below: [{ ...query, from: 2, for: 4 }] }],
    },
  ]);
  expect(draw(spans)).toBe('GET /users/:id\n  server GET (no route) 20ms self 16\n    database SELECT ? 4ms self 4');
});

it('counts two requests that one caller sent under one span', () => {
  const one = (from: number): Drawn => ({
    ...serverOf('GET', from, from + 9),
    ...remote,
    scope: 'http',
    attributes: { ...serverAttributes('/a'), 'url.path': '/a' },
  });
  expect(buildWaterfall(drawTrace([one(0), one(2)])).requests).toHaveLength(2);
});

it('finds the route of NestJS 12 at its handler', () => {
  const spans = drawTrace([
    {
      ...serverOf('GET', 0, 12),
      ...remote,
      attributes: serverAttributes(),
      below: [
        {
          name: 'request handler - /cats/:id',
          from: 1,
          for: 10,
          scope: '@opentelemetry/instrumentation-router',
          attributes: { 'router.type': 'request_handler', 'router.name': '<anonymous>', 'http.route': '/cats/:id' },
        },
      ],
    },
  ]);
  expect(draw(spans)).toContain('GET /cats/:id\n');
});

it('shows NestJS 10: the context around its handler', () => {
  const nest = (type: string, rest: Drawn): Drawn => ({
    ...rest,
    attributes: { 'nestjs.type': type, 'nestjs.controller': 'Cats', 'nestjs.callback': 'findOne' },
  });
  const spans = drawTrace([
    {
      ...serverOf('GET /cats/:id', 0, 12),
      ...remote,
      attributes: serverAttributes('/cats/:id'),
      below: [
        nest('request_context', {
          name: 'Cats.findOne',
          from: 1,
          for: 10,
          below: [nest('handler', { name: 'findOne', from: 4, for: 6 })],
        }),
      ],
    },
  ]);
  expect(draw(spans)).toBe(`GET /cats/:id
  server GET /cats/:id 12ms self 2
    middleware Cats.findOne 10ms self 4
      handler findOne 6ms self 6`);
});

it("gives Koa's onion its own time, layer by layer", () => {
  const koa = (name: string, [from, to]: [number, number], below: Drawn[] = []): Drawn => ({
    name,
    from,
    for: to - from,
    attributes: name.startsWith('router')
      ? { 'koa.type': 'router', 'http.route': '/a' }
      : { 'koa.type': 'middleware', 'koa.name': name },
    below,
  });
  const spans = drawTrace([
    {
      ...serverOf('GET /a', 0, 30),
      ...remote,
      attributes: serverAttributes('/a'),
      below: [
        koa('log', [1, 29], [koa('auth', [3, 28], [koa('router - /a', [10, 27], [{ ...query, from: 12, for: 10 }])])]),
      ],
    },
  ]);
  expect(draw(spans)).toBe(`GET /a
  server GET /a 30ms self 2
    middleware log 28ms self 3
      middleware auth 25ms self 8
        handler /a 17ms self 7
          database SELECT ? 10ms self 10`);
});

it("shows hapi's handler and its extensions", () => {
  const spans = drawTrace([
    {
      ...serverOf('GET /a', 0, 10),
      ...remote,
      attributes: serverAttributes('/a'),
      below: [
        {
          name: 'ext - onPreAuth',
          from: 0,
          for: 2,
          attributes: { 'hapi.type': 'server.ext', 'server.ext.type': 'onPreAuth' },
        },
        { name: 'route - /a', from: 2, for: 7, attributes: { 'hapi.type': 'router', 'http.route': '/a' } },
      ],
    },
  ]);
  expect(draw(spans)).toBe(`GET /a
  server GET /a 10ms self 1
    middleware ext - onPreAuth 2ms self 2
    handler /a 7ms self 7`);
});

it('takes a Fastify frame for the request where nothing traces the HTTP server', () => {
  const spans = drawTrace([
    { name: 'request', for: 8, ...remote, attributes: { 'fastify.root': '@fastify/otel', ...serverAttributes('/a') } },
  ]);
  expect(draw(spans)).toBe('GET /a\n  server fastify 8ms self 8');
});

it('gives the time of parallel queries to all of them, and no more than passed', () => {
  const spans = drawTrace([
    {
      name: 'GET',
      ...get,
      for: 10,
      attributes: serverAttributes('/a'),
      below: [1, 2, 3].map(() => ({ ...query, from: 2, for: 6 })),
    },
  ]);
  const [request] = buildWaterfall(spans).requests;
  expect(request?.spans.map(({ selfMs, shareMs }) => [selfMs, shareMs])).toEqual([
    [4, 4],
    [6, 2],
    [6, 2],
    [6, 2],
  ]);
});

it('counts what outlives its parent as its own time, and what outlives the request not as the request', () => {
  const spans = drawTrace([
    {
      name: 'GET',
      ...get,
      for: 10,
      attributes: serverAttributes('/a'),
      below: [{ name: 'short', from: 1, for: 1, below: [{ ...query, from: 2, for: 20 }] }],
    },
  ]);
  const [request] = buildWaterfall(spans).requests;
  expect(request?.spans.map(({ selfMs, shareMs }) => [selfMs, shareMs])).toEqual([
    [1, 1],
    [1, 1],
    [20, 8],
  ]);
});

it('puts siblings of one rounded millisecond behind each other', () => {
  const spans = drawTrace([
    {
      name: 'GET',
      ...get,
      for: 4,
      attributes: serverAttributes('/a'),
      below: [0.4, 0.7, 0.2].map((ms) => ({ ...query, from: 1, for: ms })),
    },
  ]);
  const [request] = buildWaterfall(spans).requests;
  const offsets = request?.spans.map(({ offsetMs }) => offsetMs) ?? [];
  for (const [index, offset] of [0, 1, 1.2, 1.9].entries()) expect(offsets[index]).toBeCloseTo(offset, 9);
  expect(request?.spans[0]?.selfMs).toBeCloseTo(2.7, 9);
});

it('draws the parts of a request whose beginning is missing', () => {
  const spans = drawTrace([{ ...query, parent: 'aaaaaaaaaaaaaaaa', flags: 0x101, for: 3 }]);
  expect(draw(spans)).toBe('pg.query (a part)\n  database SELECT ? 3ms self 3');
  expect(buildWaterfall(spans).missingParents).toBe(1);
});

it('takes old senders without flags: what serves is an entry', () => {
  const spans = drawTrace([
    {
      name: 'GET',
      kind: 2,
      flags: 0,
      parent: 'aaaaaaaaaaaaaaaa',
      attributes: { 'http.method': 'GET', 'http.status_code': 500, 'http.route': '/old' },
      for: 3,
    },
  ]);
  expect(draw(spans)).toBe('GET /old\n  server GET /old 3ms self 3 FAILED');
});

it('opens loops of parents', () => {
  const [one, two] = drawTrace([{ name: 'a' }, { name: 'b' }]);
  if (one === undefined || two === undefined) throw new Error('two spans were drawn');
  const loop = [
    { ...one, parentSpanId: two.spanId },
    { ...two, parentSpanId: one.spanId },
    { ...drawTrace([{ name: 'own' }])[0]!, parentSpanId: 'self', spanId: 'self' },
  ];
  const { requests } = buildWaterfall(loop);
  expect(requests.flatMap(({ spans }) => spans.map(({ span }) => span.name)).toSorted()).toEqual(['a', 'b', 'own']);
});

it('agrees with a slow, obvious count of self time on random trees', () => {
  let seed = 7;
  const random = (below: number): number => (seed = (seed * 48_271) % 2_147_483_647) % below;
  for (let round = 0; round < 50; round++) {
    const grow = (depth: number): Drawn => ({
      name: `${depth}`,
      from: random(50),
      for: random(40),
      below: depth < 4 ? Array.from({ length: random(4) }, () => grow(depth + 1)) : [],
    });
    const [request] = buildWaterfall(drawTrace([{ ...grow(0), from: 0, for: 60 }])).requests;
    const spans = request?.spans ?? [];
    for (const one of spans) {
      let selfMs = 0;
      for (let at = 0.5; at < 120; at++) {
        const isOpen = (other: typeof one): boolean =>
          other.offsetMs < at && at < other.offsetMs + other.span.durationMs;
        const isBelow = (other: typeof one): boolean => {
          for (let above = other.parent; above !== null; above = above.parent) if (above === one) return true;
          return false;
        };
        if (isOpen(one) && !spans.some((other) => isOpen(other) && isBelow(other))) selfMs += 1;
      }
      expect(one.selfMs).toBeCloseTo(selfMs, 6);
    }
  }
});
