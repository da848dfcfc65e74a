import type { TimelineDetail, TimelineSpan } from '../../protocol/rest/timelines.ts';
import { formatDuration } from '../format.ts';

/** A time in which a span was open and nothing below it was. */
export interface Gap {
  readonly spanId: string;
  readonly startMs: number;
  readonly endMs: number;
  /** Where it lies: "before SELECT …". */
  readonly where: string;
  /** What is known to have happened meanwhile, or what may have. */
  readonly why: string;
}

/** Of the request: what is shorter is no question to anybody. */
const shareMin = 0.05;
const durationMinMs = 1;
const gapsMax = 8;

/** The longest gaps between the spans of a request, in order of time, and what explains them. */
export function gapsOf(detail: TimelineDetail): Gap[] {
  const leastMs = Math.max(durationMinMs, detail.durationMs * shareMin);
  const below = Map.groupBy(detail.rows, ({ parentSpanId }) => parentSpanId ?? '');
  return detail.rows
    .flatMap((span) => gapsWithin(span, below.get(span.spanId) ?? []))
    .filter(({ startMs, endMs }) => endMs - startMs >= leastMs)
    .toSorted((a, b) => b.endMs - b.startMs - (a.endMs - a.startMs))
    .slice(0, gapsMax)
    .toSorted((a, b) => a.startMs - b.startMs)
    .map((gap) => ({ ...gap, why: explain(gap, detail) }));
}

type Place = Omit<Gap, 'why'>;

/** What calls nothing has no gap: all of it is its own. */
function gapsWithin(span: TimelineSpan, children: readonly TimelineSpan[]): Place[] {
  if (children.length === 0) return [];
  const end = span.offsetMs + span.durationMs;
  const gaps: Place[] = [];
  let [atMs, last] = [span.offsetMs, ''];
  const add = (untilMs: number, where: string): void => {
    if (untilMs > atMs) gaps.push({ spanId: span.spanId, startMs: atMs, endMs: untilMs, where });
  };
  for (const child of children.toSorted((a, b) => a.offsetMs - b.offsetMs)) {
    const next = shortened(child.operation);
    add(Math.min(child.offsetMs, end), last === '' ? `before ${next}` : `between ${last} and ${next}`);
    const childEnd = child.offsetMs + child.durationMs;
    if (childEnd > atMs) [atMs, last] = [childEnd, next];
  }
  add(end, `after ${last}`);
  return gaps;
}

const namedMax = 60;

function shortened(text: string): string {
  return text.length > namedMax ? `${text.slice(0, namedMax - 1)}…` : text;
}

function explain({ startMs, endMs }: Place, { stalls, moments, cpu }: TimelineDetail): string {
  const durationMs = endMs - startMs;
  const known = [
    ...stalls.flatMap((stall) => {
      const overlapMs = overlap([startMs, endMs], [stall.offsetMs, stall.offsetMs + stall.durationMs]);
      return overlapMs > 0 ? [`for ${formatDuration(overlapMs)} of it ${stall.summary}`] : [];
    }),
    ...moments.flatMap(({ fromOffsetMs, toOffsetMs, gc }) => {
      const isNear = overlap([startMs, endMs], [fromOffsetMs, toOffsetMs]) > 0;
      if (gc === null || !isNear || gc.pauseMs < durationMs / 10) return [];
      return [
        `garbage collection paused the process for ${formatDuration(gc.pauseMs)} in the ${formatDuration(toOffsetMs - fromOffsetMs)} around it`,
      ];
    }),
  ];
  const hottest = cpu?.functions[0];
  if (hottest !== undefined && cpu !== null && cpu.cpuMs >= durationMs / 10) {
    const place = hottest.where === null ? '' : ` (${hottest.where.file.split('/').at(-1)}:${hottest.where.line})`;
    known.push(
      `the request was on the CPU for ${formatDuration(cpu.cpuMs)} in all, most of it in ${hottest.name}${place}`,
    );
  }
  if (known.length > 0) return known.join('; ');
  return cpu === null
    ? 'its own code, or a wait that nothing makes a span of; a CPU profile taken meanwhile would tell'
    : 'a wait that nothing makes a span of: it was hardly on the CPU';
}

function overlap([aFrom, aTo]: readonly [number, number], [bFrom, bTo]: readonly [number, number]): number {
  return Math.min(aTo, bTo) - Math.max(aFrom, bFrom);
}
