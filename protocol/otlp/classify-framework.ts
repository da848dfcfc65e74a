import { textOf } from './attributes.ts';
import type { Span } from './model.ts';
import type { Classified } from './span-kind.ts';

/**
 * The layer of a web framework that an internal span is, by its marker attribute; undefined for other spans. Which of doubled layers to hide depends on
 * the spans around them: `hideDoubles` does that.
 */
export function frameworkLayer(span: Span): Classified | undefined {
  for (const [marker, read] of markers) {
    const type = span.attributes[marker];
    if (typeof type === 'string') return read(span, type);
  }
  if ('fastify.root' in span.attributes) return layer('middleware', 'fastify', true);
  return graphqlLayer(span);
}

type ReadLayer = (span: Span, type: string) => Classified;

const markers: readonly (readonly [marker: string, read: ReadLayer])[] = [
  ['express.type', (span, type) => expressLayer(span, { type, name: textOf(span.attributes, 'express.name') })],
  ['router.type', (span, type) => expressLayer(span, { type, name: textOf(span.attributes, 'router.name') })],
  ['connect.type', (span, type) => simpleLayer(span, type, 'connect.name')],
  ['koa.type', (span, type) => (type === 'router' ? handler(span) : simpleLayer(span, type, 'koa.name'))],
  ['fastify.type', fastifyLayer],
  ['hapi.type', (span, type) => (type === 'server.ext' ? layer('middleware', span.name) : handler(span))],
  ['restify.type', (span, type) => simpleLayer(span, type, 'restify.name')],
  ['nestjs.type', nestLayer],
];

/** Express's `router` spans end as soon as their router begins; the anonymous router behind a mount path frames all below. */
function expressLayer(span: Span, { type, name }: { type: string; name: string | undefined }): Classified {
  if (type === 'request_handler') return handler(span);
  if (type === 'router') return layer('middleware', name ?? span.name, true);
  return layer('middleware', name ?? span.name, name === 'patched');
}

function simpleLayer(span: Span, type: string, nameAttribute: string): Classified {
  if (type === 'request_handler' || type === 'request-handler') return handler(span);
  return layer('middleware', textOf(span.attributes, nameAttribute) ?? span.name);
}

function fastifyLayer(span: Span, type: string): Classified {
  const { attributes } = span;
  const name = textOf(attributes, 'hook.callback.name', 'fastify.name', 'plugin.name') ?? span.name;
  if (type === 'request-handler' || type === 'request_handler' || type === 'route') return handler(span);
  return layer('middleware', name);
}

function nestLayer(span: Span, type: string): Classified {
  if (type === 'app_creation') return layer('internal', span.name);
  const callback = textOf(span.attributes, 'nestjs.callback');
  const controller = textOf(span.attributes, 'nestjs.controller');
  const name = controller !== undefined && callback !== undefined ? `${controller}.${callback}` : span.name;
  // Its guards, pipes and interceptors are its own time; the handler is a span below.
  return type === 'request_context' ? layer('middleware', name) : layer('handler', callback ?? name);
}

function graphqlLayer({ attributes }: Span): Classified | undefined {
  const field = textOf(attributes, 'graphql.field.path');
  // Indexes in lists would give every item an operation of its own.
  if (field !== undefined) return layer('handler', `graphql ${field.replaceAll(/\b\d+\b/g, '*')}`);
  const type = textOf(attributes, 'graphql.operation.type');
  if (type === undefined) return undefined;
  return layer('internal', `graphql ${type} ${textOf(attributes, 'graphql.operation.name') ?? '(no name)'}`);
}

/** By route where it has one: handlers are mostly anonymous functions, and the route is what a person looks for. */
function handler(span: Span): Classified {
  const { attributes } = span;
  const route = textOf(attributes, 'http.route');
  const name = textOf(attributes, 'hook.callback.name');
  if (name !== undefined && name !== 'anonymous')
    return layer('handler', route === undefined ? name : `${name} ${route}`);
  return layer('handler', route ?? span.name);
}

function layer(kind: Classified['kind'], operation: string, isWrapper = false): Classified {
  return { kind, operation: operation === '' ? '(no name)' : operation, isWrapper };
}
