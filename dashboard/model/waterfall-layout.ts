import type { TimelineDetail, TimelineSpan } from '../../protocol/rest/timelines.ts';
import { formatDuration, plural } from '../format.ts';
import type { Gap } from './waterfall-gaps.ts';
import { kindWords } from './words.ts';

/** Of the axis: 0 to 1, clipped to it. */
export interface Stretch {
  readonly left: number;
  readonly width: number;
}

export interface WaterfallBar extends Stretch {
  readonly span: TimelineSpan;
  /** Began before the axis does, or ends behind it. */
  readonly isClipped: boolean;
}

export interface WaterfallLayout {
  /** From the start of the request. */
  readonly fromMs: number;
  readonly toMs: number;
  readonly bars: readonly WaterfallBar[];
  /** Behind these the page shows no more. */
  readonly omitted: number;
  readonly ticks: readonly { readonly atMs: number; readonly left: number }[];
  readonly bands: readonly Band[];
  /** By the id of the span they lie in. */
  readonly gapsOfSpan: ReadonlyMap<string, readonly Stretch[]>;
  /** When the event loop was blocked: every span waited. */
  readonly blocked: readonly Stretch[];
}

/** What else happened, on the same axis. */
export interface Band extends Stretch {
  readonly kind: 'stall' | 'profile' | 'gc' | 'measure';
  readonly text: string;
}

const maxBars = 500;
/** So that a span of microseconds can still be seen and hit. */
const leastWidth = 0.002;
/** Work that goes on after the answer is shown up to this much of the request's time. */
const longestTail = 1;

/** Rows to places on an axis that begins with the request. Pure; the drawing is somebody else's. */
export function layoutWaterfall(detail: TimelineDetail, gaps: readonly Gap[] = []): WaterfallLayout {
  const { rows, durationMs } = detail;
  const shown = rows.slice(0, maxBars);
  const fromMs = Math.min(0, ...shown.map(({ offsetMs }) => offsetMs));
  const latestMs = Math.max(durationMs, ...shown.map((span) => span.offsetMs + span.durationMs));
  const toMs = Math.max(Math.min(latestMs, durationMs * (1 + longestTail)), fromMs + 0.001);
  const place = (startMs: number, endMs: number): { left: number; width: number; isClipped: boolean } => {
    const left = clip((startMs - fromMs) / (toMs - fromMs), 0, 1 - leastWidth);
    const right = clip((endMs - fromMs) / (toMs - fromMs), 0, 1);
    return { left, width: Math.max(leastWidth, right - left), isClipped: endMs > toMs || startMs < fromMs };
  };
  return {
    fromMs,
    toMs,
    bars: shown.map((span) => ({ span, ...place(span.offsetMs, span.offsetMs + span.durationMs) })),
    omitted: rows.length - shown.length,
    ticks: ticksOf(fromMs, toMs).map((atMs) => ({ atMs, left: (atMs - fromMs) / (toMs - fromMs) })),
    gapsOfSpan: Map.groupBy(
      gaps.map(({ spanId, startMs, endMs }) => ({ spanId, ...place(startMs, endMs) })),
      ({ spanId }) => spanId,
    ),
    blocked: detail.stalls
      .filter(({ offsetMs, durationMs: ms }) => offsetMs < toMs && offsetMs + ms > fromMs)
      .map(({ offsetMs, durationMs: ms }) => place(offsetMs, offsetMs + ms)),
    bands: bandsOf(detail).map(({ startMs, endMs, ...band }) => ({ ...band, ...place(startMs, endMs) })),
  };
}

/** Four to ten, at 1, 2 or 5 of a power of ten. */
export function ticksOf(fromMs: number, toMs: number): number[] {
  const rough = (toMs - fromMs) / 5;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((size) => size >= rough) ?? rough;
  const first = Math.ceil(fromMs / step);
  const count = Math.floor(toMs / step + 1e-9) - first + 1;
  return Array.from({ length: Math.max(0, count) }, (_, index) => (first + index) * step);
}

type Wide = Pick<Band, 'kind' | 'text'> & { startMs: number; endMs: number };

function bandsOf({ stalls, profiles, moments }: TimelineDetail): Wide[] {
  return [
    ...stalls.map(({ summary, offsetMs, durationMs }): Wide => ({
      kind: 'stall',
      text: `Stall: ${summary}`,
      startMs: offsetMs,
      endMs: offsetMs + durationMs,
    })),
    ...profiles.map(({ kind, topFunction, offsetMs, durationMs }): Wide => ({
      kind: 'profile',
      text: `${kindWords[kind]}${topFunction === null ? '' : `, hottest ${topFunction}`}`,
      startMs: offsetMs,
      endMs: offsetMs + durationMs,
    })),
    ...moments.flatMap(({ fromOffsetMs, toOffsetMs, gc, measures }): Wide[] => {
      const window = { startMs: fromOffsetMs, endMs: toOffsetMs };
      // A reading counts what was since the one before: when in between is not known.
      const within = `somewhere in the ${formatDuration(toOffsetMs - fromOffsetMs)} around it`;
      return [
        ...(gc === null || gc.count === 0
          ? []
          : [
              {
                kind: 'gc' as const,
                text: `GC: ${plural(gc.count, 'pause')}${pauseText(gc.pauseMs)} ${within}`,
                ...window,
              },
            ]),
        ...measures.map(({ name, count, totalMs }): Wide => ({
          kind: 'measure',
          text: `${name}: ${count} × ${formatDuration(totalMs / count)} ${within}`,
          ...window,
        })),
      ];
    }),
  ];
}

/** A collection may be known without how long it took: then it is told as 0. */
function pauseText(pauseMs: number): string {
  return pauseMs > 0 ? `, ${formatDuration(pauseMs)}` : ' of unknown length';
}

function clip(value: number, low: number, high: number): number {
  return Math.min(Math.max(value, low), high);
}
