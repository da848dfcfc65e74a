import type { Span } from './model.ts';
import type { SpanKind } from './span-kind.ts';

/** A span in its place. The fields that `buildWaterfall` settles are mutable until it returns. */
export interface WaterfallSpan {
  readonly span: Span;
  kind: SpanKind;
  operation: string;
  readonly failed: boolean;
  /** `http.route`, also of a double of it that was hidden. */
  route: string | undefined;
  /** A double or a wrapper: not shown, its children belong to its parent. */
  isHidden: boolean;
  isWrapper: boolean;
  /** Null for roots, among them spans whose parent is not here. */
  parent: WaterfallSpan | null;
  /** Filled where there are any: `noChildren` is shared. */
  children: readonly WaterfallSpan[];
  depth: number;
  /** Start, from the first of the trace, moved by less than a millisecond where its rounding to whole ones contradicts its parent or sibling. */
  offsetMs: number;
  /** While nothing below it was open. */
  selfMs: number;
  /** Its part of the request's time: while it was the innermost one open, divided among those open in parallel. */
  shareMs: number;
  /** Working state: of the walk up the parents at first, of `measureSelfTimes` then. */
  mark: number;
  isOpen: boolean;
  /** Innermost since; -1 while it is not. */
  innerSinceMs: number;
  innerSinceShareMs: number;
}

/** One request, job or message: an entry and all that the process did below it. */
export interface WaterfallRequest {
  readonly entry: WaterfallSpan;
  readonly name: string;
  readonly route: string | null;
  /** False when the parent of its first span did not come: it is a part of a request then. */
  readonly isWhole: boolean;
  /** The entry first, parents before children, siblings by time. */
  readonly spans: readonly WaterfallSpan[];
}

export interface Waterfall {
  /** Of the first span; `offsetMs` counts from here. */
  readonly startMs: number;
  /** By start. */
  readonly requests: readonly WaterfallRequest[];
  readonly hiddenSpans: number;
  /** Spans whose parent is neither here nor in another process. */
  readonly missingParents: number;
}
