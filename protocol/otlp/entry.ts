import { httpMethod } from './classify.ts';
import type { Span } from './model.ts';

/** `SpanFlags` of OTLP 1.1: whether the parent is in another process is known, and is it. */
const hasIsRemote = 0x100;
const isRemote = 0x200;

/**
 * Whether a span is where a process was entered: the first of its trace, or one with a parent elsewhere. Old senders do not say: then what serves or consumes is an
 * entry. `undefined`: it is one only if its parent never comes.
 */
export function isEntry(span: Span): boolean | undefined {
  if (span.parentSpanId === '') return true;
  if ((span.flags & hasIsRemote) !== 0) return (span.flags & isRemote) !== 0;
  return span.kind === 2 || span.kind === 5 ? true : undefined;
}

/** A request or a message that somebody else sent: `server` or `consumer`. */
export function isServed({ kind }: Span): boolean {
  return kind === 2 || kind === 5;
}

/** `GET /users/:id`, `GET (no route)`, or the name of what is not HTTP. Never a path: that has ids in it. */
export function requestName(entry: Span, route: string | undefined): string {
  const method = httpMethod(entry);
  if (method === undefined || (entry.kind !== 2 && route === undefined))
    return entry.name === '' ? '(no name)' : entry.name;
  return `${method} ${route ?? '(no route)'}`;
}
