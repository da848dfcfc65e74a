import { describe, expect, it } from 'vitest';
import { classifySpan, isFailed } from '../../protocol/otlp/classify.ts';
import { isEntry } from '../../protocol/otlp/entry.ts';
import type { AttributeMap } from '../../protocol/otlp/model.ts';
import { sampledShare } from '../../protocol/otlp/sampling.ts';
import { normaliseStatement } from '../../protocol/otlp/statement.ts';
import { drawTrace } from './spans.ts';
import type { Drawn } from './spans.ts';

const spanOf = (drawn: Drawn) => drawTrace([drawn])[0]!;
const textOf = (kind: number, attributes: AttributeMap, name = 'span'): string => {
  const { kind: found, operation } = classifySpan(spanOf({ name, kind, attributes }));
  return `${found}: ${operation}`;
};

it.each<[number, AttributeMap, string]>([
  [2, { 'http.method': 'GET', 'http.route': '/a' }, 'server: GET /a'],
  [2, { 'http.request.method': '_OTHER', 'http.request.method_original': 'PURGE' }, 'server: PURGE (no route)'],
  [3, { 'http.request.method': 'GET', 'url.full': 'https://u:p@api.test/x/1?q=2' }, 'http-client: GET api.test'],
  [3, { 'http.method': 'POST', 'net.peer.name': 'api', 'net.peer.port': 8080 }, 'http-client: POST api:8080'],
  [
    3,
    { 'db.system': 'mysql', 'db.statement': 'SELECT * FROM a WHERE id = 5' },
    'database: SELECT * FROM a WHERE id = ?',
  ],
  [
    3,
    { 'db.system.name': 'mongodb', 'db.operation.name': 'find', 'db.collection.name': 'users' },
    'database: find users',
  ],
  [3, { 'db.system': 'mongodb', 'db.operation': 'find', 'db.mongodb.collection': 'users' }, 'database: find users'],
  [3, { 'db.system.name': 'dynamodb', 'http.request.method': 'POST' }, 'database: span'],
  [
    4,
    { 'messaging.system': 'kafka', 'messaging.destination.name': 'orders', 'messaging.operation.type': 'send' },
    'messaging: send orders',
  ],
  [
    5,
    { 'messaging.system': 'rabbitmq', 'messaging.destination': 'orders', 'messaging.operation': 'process' },
    'messaging: process orders',
  ],
  [2, { 'rpc.system': 'grpc', 'rpc.service': 'shop.Cart', 'rpc.method': 'Add' }, 'rpc: shop.Cart/Add'],
  [3, { 'rpc.system.name': 'grpc', 'rpc.method': 'shop.Cart/Add' }, 'rpc: shop.Cart/Add'],
  [1, { 'express.type': 'request_handler', 'http.route': '/a' }, 'handler: /a'],
  [1, { 'connect.type': 'middleware', 'connect.name': 'log' }, 'middleware: log'],
  [1, { 'restify.type': 'request_handler', 'http.route': '/a' }, 'handler: /a'],
  [1, { 'fastify.type': 'middleware', 'fastify.name': 'auth' }, 'middleware: auth'],
  [1, { 'graphql.field.path': 'orders.12.total' }, 'handler: graphql orders.*.total'],
  [1, { 'graphql.operation.type': 'query', 'graphql.operation.name': 'Cart' }, 'internal: graphql query Cart'],
  [1, {}, 'internal: span'],
  [5, {}, 'messaging: span'],
])('kind %i with %o is %s', (kind, attributes, text) => {
  expect(textOf(kind, attributes)).toBe(text);
});

it('names what has no name, and minds no attribute of a strange type', () => {
  expect(textOf(1, {}, '')).toBe('internal: (no name)');
  expect(textOf(1, { 'express.type': 5, 'http.route': ['/a'] })).toBe('internal: span');
  expect(textOf(3, { 'db.system': null, 'db.statement': { a: 1 } })).toBe('database: span');
});

it('takes a status for failed where the sender says nothing', () => {
  const server = (status: number) =>
    spanOf({ name: 'GET', kind: 2, attributes: { 'http.response.status_code': status } });
  expect([404, 499, 500, 503].map((status) => isFailed(server(status)))).toEqual([false, false, true, true]);
  expect(isFailed(spanOf({ name: 'GET', kind: 3, attributes: { 'http.status_code': '404' } }))).toBe(true);
  expect(isFailed(spanOf({ name: 'job', failed: true }))).toBe(true);
});

it('tells where a process was entered', () => {
  const entry = (drawn: Partial<Drawn>) => isEntry(spanOf({ name: 'x', parent: 'aaaaaaaaaaaaaaaa', ...drawn }));
  expect(entry({ parent: '' })).toBe(true);
  expect(entry({ flags: 0x301 })).toBe(true);
  expect(entry({ flags: 0x101, kind: 2 })).toBe(false);
  expect(entry({ flags: 0, kind: 2 })).toBe(true);
  expect(entry({ flags: 0, kind: 1 })).toBeUndefined();
});

it.each<[string, number | undefined]>([
  ['', undefined],
  ['vendor=1', undefined],
  ['ot=th:8', 0.5],
  ['a=b,ot=rv:123;th:c', 0.25],
  ['ot=th:0', 1],
  ['ot=p:3;r:5', 0.125],
  ['ot=th:xyz', undefined],
])('reads the kept share from tracestate %o', (traceState, share) => {
  expect(sampledShare({ traceState })).toBe(share);
});

describe('a statement without its literals', () => {
  it.each<[string, string, string]>([
    [
      'postgresql',
      "SELECT * FROM u WHERE name = 'O''Brien' AND age > 42",
      'SELECT * FROM u WHERE name = ? AND age > ?',
    ],
    ['postgresql', 'SELECT * FROM u WHERE id IN (1, 2,3)', 'SELECT * FROM u WHERE id IN (…)'],
    ['postgresql', 'SELECT * FROM u WHERE id IN ($1, $2)', 'SELECT * FROM u WHERE id IN (…)'],
    ['postgresql', 'SELECT * FROM u WHERE id in ($1)', 'SELECT * FROM u WHERE id in (…)'],
    ['postgresql', "INSERT INTO t (a, b) VALUES (1, 'x'), (2, 'y')", 'INSERT INTO t (a, b) VALUES (…), …'],
    [
      'postgresql',
      'SELECT "id", t2.x1 FROM "Table 5" t2 -- trace 99\n WHERE  a = $$text 5$$',
      'SELECT "id", t2.x1 FROM "Table 5" t2 WHERE a = ?',
    ],
    ['postgresql', "SELECT /* ctx: 123 */ 1.5e3, 0xff, E'\\'5'", 'SELECT ?, ?, E?'],
    ['mysql', 'SELECT * FROM `a1` WHERE b = "five"', 'SELECT * FROM `a1` WHERE b = ?'],
    ['mongodb', '{"find": "users", "filter": {"age": 5}}', '{"find": ?, "filter": {"age": ?}}'],
    ['sqlite', "SELECT 'never closed", 'SELECT ?'],
    ['redis', 'get products:5', 'get products:*'],
    ['redis', 'set products:5 [3 other arguments]', 'set products:* …'],
    ['redis', 'HGETALL user:7f3a0b1c-11aa-4bcd-8f00-aabbccddeeff:cart', 'HGETALL user:*:cart'],
    ['redis', 'get deadbeefdeadbeef', 'get *'],
    ['redis', 'PING', 'PING'],
    ['', '', ''],
  ])('%s: %s', (system, statement, normal) => {
    expect(normaliseStatement(statement, system)).toBe(normal);
  });

  it('is bounded, and made in linear time of whatever somebody sends', () => {
    for (const part of ['/*', '$a$', "'", '"', '$$', '((', '--', '(1,', '{"a":"', 'x '])
      expect(normaliseStatement(part.repeat(100_000), 'postgresql').length).toBeLessThanOrEqual(1_001);
    expect(normaliseStatement('a:'.repeat(100_000), 'redis').length).toBeLessThanOrEqual(1_001);
  });
});
