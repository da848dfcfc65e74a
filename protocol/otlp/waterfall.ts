import { textOf } from './attributes.ts';
import { classifySpan, isFailed } from './classify.ts';
import { isEntry, requestName } from './entry.ts';
import { hideDoubles } from './hide-doubles.ts';
import { measureSelfTimes } from './self-time.ts';
import type { Span } from './model.ts';
import type { Waterfall, WaterfallRequest, WaterfallSpan } from './waterfall-span.ts';

/**
 * What the spans of one trace say, in any order and with some missing. Tolerates starts that are rounded to milliseconds, children that outlive their parents, parents
 * that never came, and loops. `n log n` in the number of spans, times their depth.
 */
export function buildWaterfall(spans: readonly Span[]): Waterfall {
  // Of differences the thousandths stay exact; of times since the epoch they do not.
  const startMs = spans.reduce((earliest, span) => Math.min(earliest, span.startMs), Infinity);
  const all = spans.map((span) => toWaterfallSpan(span, startMs));
  linkParents(all);
  const hiddenSpans = hideDoubles(all);
  const shown = hiddenSpans === 0 ? all : all.filter(({ isHidden }) => !isHidden);
  for (const child of shown) if (child.parent !== null) addChild(child.parent, child);
  const roots = shown.filter(({ parent }) => parent === null).sort(byStart);
  const requests: WaterfallRequest[] = [];
  let missingParents = 0;
  const waiting = roots.toReversed();
  for (let root = waiting.pop(); root !== undefined; root = waiting.pop()) {
    const request = collectRequest(root, (entry) => waiting.push(entry));
    if (!request.isWhole) missingParents += 1;
    requests.push(request);
  }
  return { startMs, requests: requests.sort((a, b) => byStart(a.entry, b.entry)), hiddenSpans, missingParents };
}

function toWaterfallSpan(span: Span, traceStartMs: number): WaterfallSpan {
  const { kind, operation, isWrapper } = classifySpan(span);
  return {
    span,
    kind,
    operation,
    isWrapper,
    failed: isFailed(span),
    route: textOf(span.attributes, 'http.route'),
    isHidden: false,
    parent: null,
    children: noChildren,
    depth: 0,
    offsetMs: span.startMs - traceStartMs,
    selfMs: 0,
    shareMs: 0,
    mark: 0,
    isOpen: false,
    innerSinceMs: -1,
    innerSinceShareMs: 0,
  };
}

function linkParents(all: readonly WaterfallSpan[]): void {
  const byId = new Map<string, WaterfallSpan>();
  for (const one of all) byId.set(one.span.spanId, one);
  for (const one of all) {
    const parent = byId.get(one.span.parentSpanId);
    if (parent !== undefined && parent !== one) one.parent = parent;
  }
  breakLoops(all);
}

/** Ids are the sender's: a span may be its own ancestor. Its loop is opened where the walk came back to itself. */
function breakLoops(all: readonly WaterfallSpan[]): void {
  let walk = 0;
  for (const one of all) {
    walk += 1;
    let at: WaterfallSpan | null = one;
    while (at !== null && at.mark === 0) {
      at.mark = walk;
      if (at.parent?.mark === walk) at.parent = null;
      at = at.parent;
    }
  }
  for (const one of all) one.mark = 0;
}

const noChildren: readonly WaterfallSpan[] = [];

function addChild(parent: WaterfallSpan, child: WaterfallSpan): void {
  if (parent.children === noChildren) parent.children = [child];
  else (parent.children as WaterfallSpan[]).push(child);
}

/** The spans of one entry; further entries below it (the process called itself) go to `onEntry`. */
function collectRequest(root: WaterfallSpan, onEntry: (entry: WaterfallSpan) => void): WaterfallRequest {
  root.parent = null;
  root.depth = 0;
  const spans: WaterfallSpan[] = [];
  let route: string | undefined;
  const stack = [root];
  for (let one = stack.pop(); one !== undefined; one = stack.pop()) {
    spans.push(one);
    if (one.kind === 'handler' || one.kind === 'server') route = longer(route, one.route);
    if (one.children.length === 0) continue;
    if (one.children.some(isBelowEntry)) {
      for (const child of one.children) if (isBelowEntry(child)) onEntry(child);
      one.children = one.children.filter((child) => !isBelowEntry(child));
    }
    settleStarts(one);
    for (let index = one.children.length - 1; index >= 0; index--) {
      const child = one.children[index]!;
      child.depth = one.depth + 1;
      stack.push(child);
    }
  }
  measureSelfTimes(spans);
  const isWhole = isEntry(root.span) ?? false;
  if (root.kind !== 'server') route = undefined;
  return { entry: root, name: requestName(root.span, route), route: route ?? null, isWhole, spans };
}

/**
 * Of the entry's own route and its handlers': old instrumentations forget the mount path, NestJS has none on the server span. None for what no handler took (404).
 */
function longer(one: string | undefined, other: string | undefined): string | undefined {
  return (other?.length ?? 0) > (one?.length ?? 0) ? other : one;
}

function isBelowEntry({ span }: WaterfallSpan): boolean {
  return isEntry(span) === true;
}

/** Whole milliseconds say "before" and "after" wrongly by less than one: what began within it began after its parent and its sibling. */
function settleStarts(parent: WaterfallSpan): void {
  const { children } = parent;
  if (children.length > 1) (children as WaterfallSpan[]).sort(byStart);
  let earliestMs = parent.offsetMs;
  for (const child of children) {
    if (child.offsetMs < earliestMs && earliestMs - child.offsetMs < 1) child.offsetMs = earliestMs;
    earliestMs = Math.max(parent.offsetMs, child.offsetMs + child.span.durationMs);
  }
}

/**
 * Two of three neighbours start in the same millisecond. Spans of one instrumentation come in the order in which they ended, so there the order of arrival
 * decides; between instrumentations, which are sent apart, the end does.
 */
function byStart(a: WaterfallSpan, b: WaterfallSpan): number {
  if (a.offsetMs !== b.offsetMs) return a.offsetMs - b.offsetMs;
  return a.span.scopeName === b.span.scopeName ? 0 : a.span.durationMs - b.span.durationMs;
}
