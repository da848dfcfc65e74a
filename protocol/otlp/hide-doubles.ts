import { textOf } from './attributes.ts';
import { isEntry } from './entry.ts';
import type { WaterfallSpan } from './waterfall-span.ts';

/**
 * Takes out what says the same thing twice and gives its children to its parent: the wrappers of routers, Express 5's two instrumentations of one handler,
 * Fastify's frame, the second SERVER span of Hono. Answers how many were hidden.
 */
export function hideDoubles(all: readonly WaterfallSpan[]): number {
  hideSecondEntries(all);
  for (const one of all) {
    if (one.isHidden || !isDouble(one)) continue;
    one.isHidden = true;
    if (one.kind === 'server' && one.parent !== null) one.parent.route ??= one.route;
  }
  for (const one of all) one.parent = shownAncestor(one.parent);
  // Only now: a wrapper may stand between the two.
  for (const one of all) {
    if (one.isHidden || one.kind !== 'handler' || one.parent?.kind !== 'handler') continue;
    one.isHidden = one.operation === one.parent.operation;
  }
  let hidden = 0;
  for (const one of all) {
    one.parent = shownAncestor(one.parent);
    if (one.isHidden) hidden += 1;
    else if (one.parent === null && one.isWrapper && 'http.request.method' in one.span.attributes) one.kind = 'server';
  }
  return hidden;
}

function shownAncestor(from: WaterfallSpan | null): WaterfallSpan | null {
  let at = from;
  while (at?.isHidden === true) at = at.parent;
  return at;
}

function isDouble({ parent, isWrapper, kind, span }: WaterfallSpan): boolean {
  if (parent === null) return false;
  // A wrapper that everything hangs below is all there is to show: its parent never came.
  return isWrapper || (kind === 'server' && parent.kind === 'server' && (span.flags & 0x200) === 0);
}

/** Two SERVER spans with one parent elsewhere, open at the same time, are one request: the one that knows the route is kept. */
function hideSecondEntries(all: readonly WaterfallSpan[]): void {
  const servers = all.filter(
    ({ kind, parent, span }) => kind === 'server' && parent === null && isEntry(span) === true,
  );
  if (servers.length < 2) return;
  servers.sort((a, b) => a.offsetMs - b.offsetMs || b.span.durationMs - a.span.durationMs);
  for (const [index, first] of servers.entries()) {
    if (first.isHidden || first.span.parentSpanId === '') continue;
    for (const second of servers.slice(index + 1)) {
      if (second.isHidden || !isSameRequest(first, second)) continue;
      const hasRoute = first.route !== undefined;
      const [kept, hidden] = hasRoute ? [first, second] : [second, first];
      hidden.isHidden = true;
      hidden.parent = kept;
      if (hidden === first) break;
    }
  }
}

function isSameRequest(first: WaterfallSpan, second: WaterfallSpan): boolean {
  const endMs = first.offsetMs + first.span.durationMs;
  return (
    first.span.parentSpanId === second.span.parentSpanId &&
    first.span.scopeName !== second.span.scopeName &&
    second.offsetMs + second.span.durationMs <= endMs + 1 &&
    samePath(first) === samePath(second)
  );
}

/** The caller may send several requests under one of its spans. */
function samePath({ span: { attributes } }: WaterfallSpan): string | undefined {
  const path = textOf(attributes, 'url.path', 'http.target');
  const full = textOf(attributes, 'url.full', 'http.url');
  return path?.split('?')[0] ?? full?.replace(/^[a-z]+:\/\/[^/]*/i, '').split('?')[0];
}
