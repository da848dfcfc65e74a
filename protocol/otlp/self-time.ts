import type { WaterfallSpan } from './waterfall-span.ts';

/**
 * Fills `selfMs` and `shareMs` of one request's spans, the entry first. A span is innermost while it is open and nothing below it is, also what its ended children
 * left open. `selfMs` is all of that time; `shareMs` what of it lies within the entry, divided by the number of spans innermost at the same moment: the shares add up to
 * the entry's duration.
 */
export function measureSelfTimes(spans: readonly WaterfallSpan[]): void {
  const entry = spans[0];
  if (entry === undefined) return;
  if (spans.length === 1) {
    entry.selfMs = entry.shareMs = entry.span.durationMs;
    return;
  }
  // One without a duration has no time of its own, and would end before it starts.
  const starts = spans.filter(({ span }) => span.durationMs > 0).sort((a, b) => a.offsetMs - b.offsetMs);
  const ends = starts.toSorted((a, b) => endOf(a) - endOf(b));
  const sweep: Sweep = { nowMs: 0, shareMs: 0, innermost: 0 };
  let started = 0;
  for (const ending of ends) {
    const endMs = endOf(ending);
    // An end goes before a start at the same time: what follows at once does not overlap.
    for (let next = starts[started]; next !== undefined && next.offsetMs < endMs; next = starts[++started]) {
      moveTo(sweep, next.offsetMs, entry.isOpen);
      open(sweep, next);
    }
    moveTo(sweep, endMs, entry.isOpen);
    close(sweep, ending);
  }
}

interface Sweep {
  nowMs: number;
  /** What one innermost span would have got until now. */
  shareMs: number;
  innermost: number;
}

function endOf({ offsetMs, span }: WaterfallSpan): number {
  return offsetMs + span.durationMs;
}

function moveTo(sweep: Sweep, nowMs: number, isShared: boolean): void {
  if (isShared && sweep.innermost > 0) sweep.shareMs += (nowMs - sweep.nowMs) / sweep.innermost;
  sweep.nowMs = nowMs;
}

function open(sweep: Sweep, one: WaterfallSpan): void {
  one.isOpen = true;
  if (one.mark === 0) beginInner(sweep, one);
  for (let above = one.parent; above !== null; above = above.parent) {
    above.mark += 1;
    if (above.mark === 1) endInner(sweep, above);
  }
}

function close(sweep: Sweep, one: WaterfallSpan): void {
  endInner(sweep, one);
  one.isOpen = false;
  for (let above = one.parent; above !== null; above = above.parent) {
    above.mark -= 1;
    if (above.mark === 0 && above.isOpen) beginInner(sweep, above);
  }
}

function beginInner(sweep: Sweep, one: WaterfallSpan): void {
  one.innerSinceMs = sweep.nowMs;
  one.innerSinceShareMs = sweep.shareMs;
  sweep.innermost += 1;
}

function endInner(sweep: Sweep, one: WaterfallSpan): void {
  if (one.innerSinceMs === -1) return;
  one.selfMs += sweep.nowMs - one.innerSinceMs;
  one.shareMs += sweep.shareMs - one.innerSinceShareMs;
  one.innerSinceMs = -1;
  sweep.innermost -= 1;
}
