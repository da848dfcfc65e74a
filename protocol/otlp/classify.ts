import { integerOf, textOf } from './attributes.ts';
import { frameworkLayer } from './classify-framework.ts';
import type { Span } from './model.ts';
import type { Classified, SpanKind } from './span-kind.ts';
import { normaliseStatement } from './statement.ts';

/** `SpanKind` of OTLP. */
const wire = { server: 2, client: 3, producer: 4, consumer: 5 } as const;

/**
 * What a span stands for, by old and new attribute names. Order matters: a database span of a cloud SDK has http attributes too, and what
 * receives a message is a SERVER in some libraries.
 */
export function classifySpan(span: Span): Classified {
  const { attributes, kind } = span;
  if ('db.system.name' in attributes || 'db.system' in attributes) return plain('database', databaseOperation(span));
  if ('messaging.system' in attributes) return plain('messaging', messagingOperation(span));
  if ('rpc.system' in attributes || 'rpc.system.name' in attributes) return plain('rpc', rpcOperation(span));
  const isHttp = httpMethod(span) !== undefined;
  if (kind === wire.server) return plain('server', isHttp ? httpOperation(span) : span.name);
  if (kind === wire.client && isHttp) return plain('http-client', clientOperation(span));
  const layer = frameworkLayer(span);
  if (layer !== undefined) return layer;
  if (kind === wire.producer || kind === wire.consumer) return plain('messaging', span.name);
  if (kind === wire.client) return plain('http-client', span.name);
  return plain('internal', span.name);
}

export function httpMethod({ attributes }: Span): string | undefined {
  const method = textOf(attributes, 'http.request.method', 'http.method');
  return method === '_OTHER' ? (textOf(attributes, 'http.request.method_original') ?? method) : method;
}

export function httpStatus({ attributes }: Span): number | undefined {
  return integerOf(attributes, 'http.response.status_code', 'http.status_code');
}

/** As sent, with its literals; undefined where there is none. */
export function statementOf({ attributes }: Span): string | undefined {
  return textOf(attributes, 'db.query.text', 'db.statement');
}

/**
 * Failed as its sender says, or an HTTP answer of 500 and above by a server, 400 and above by a client: senders of old versions leave the
 * status unset.
 */
export function isFailed(span: Span): boolean {
  if (span.statusCode === 2) return true;
  if (span.statusCode === 1) return false;
  return (httpStatus(span) ?? 0) >= (span.kind === wire.client ? 400 : 500);
}

function plain(kind: SpanKind, operation: string): Classified {
  return { kind, operation: operation === '' ? '(no name)' : operation, isWrapper: false };
}

function databaseOperation(span: Span): string {
  const { attributes, name } = span;
  const system = textOf(attributes, 'db.system.name', 'db.system') ?? '';
  const statement = statementOf(span);
  if (statement !== undefined) return normaliseStatement(statement, system);
  const operation = textOf(attributes, 'db.operation.name', 'db.operation');
  const table = textOf(attributes, 'db.collection.name', 'db.sql.table', 'db.mongodb.collection', 'db.cassandra.table');
  const summary = textOf(attributes, 'db.query.summary');
  return summary ?? (operation === undefined ? name : [operation, table].filter(Boolean).join(' '));
}

function messagingOperation({ attributes, name }: Span): string {
  const operation = textOf(attributes, 'messaging.operation.name', 'messaging.operation.type', 'messaging.operation');
  const destination = textOf(attributes, 'messaging.destination.name', 'messaging.destination');
  return operation === undefined || destination === undefined ? name : `${operation} ${destination}`;
}

function rpcOperation({ attributes, name }: Span): string {
  const service = textOf(attributes, 'rpc.service');
  const method = textOf(attributes, 'rpc.method');
  if (method === undefined) return name;
  return service === undefined || method.includes('/') ? method : `${service}/${method}`;
}

function httpOperation(span: Span): string {
  const method = httpMethod(span) ?? '';
  const route = textOf(span.attributes, 'http.route');
  return route === undefined ? `${method} (no route)` : `${method} ${route}`;
}

/** Method and host: a path of another service has ids in it, and its route is not known here. */
function clientOperation(span: Span): string {
  const { attributes } = span;
  const host =
    textOf(attributes, 'server.address', 'net.peer.name', 'http.host') ??
    hostOf(textOf(attributes, 'url.full', 'http.url'));
  const port = textOf(attributes, 'server.port', 'net.peer.port');
  const isUsual = port === undefined || port === '80' || port === '443' || host?.endsWith(`:${port}`);
  return [httpMethod(span), host && (isUsual ? host : `${host}:${port}`)].filter(Boolean).join(' ');
}

function hostOf(url: string | undefined): string | undefined {
  return url === undefined ? undefined : /^[a-z]+:\/\/(?:[^/@?#]*@)?([^/?#]+)/i.exec(url)?.[1];
}
