import { invalidParameter } from '../../protocol/rest/invalid-request.ts';
import type { TimelinesQuery } from '../../protocol/rest/timelines.ts';
import type { Trace, TraceSummary } from './trace.ts';

interface Found {
  readonly trace: Trace;
  readonly summary: TraceSummary;
}

/**
 * One page of the settled traces that fit. The cursor is the place behind the last one, so what came meanwhile moves nothing. Goes through all that are kept: 20,000 take
 * some milliseconds. Throws `invalid-request` for a cursor that is none of this order.
 */
export function pageOfTraces(
  traces: Iterable<Trace>,
  options: { query: TimelinesQuery; targetIdOf: (summary: TraceSummary) => string | null },
): { page: Found[]; nextCursor: string | null; total: number } {
  const { query, targetIdOf } = options;
  const { order = 'newest', limit = 50, cursor } = query;
  const rankOf = ({ summary }: Found): number => (order === 'newest' ? summary.startMs : summary.durationMs);
  const fits = filterOf(query, targetIdOf);
  const found: Found[] = [];
  for (const trace of traces) {
    const { summary } = trace;
    if (summary !== undefined && fits(summary)) found.push({ trace, summary });
  }
  found.sort((a, b) => rankOf(b) - rankOf(a) || compareIds(b, a));
  const start = cursor === undefined ? 0 : startAfter(found, parseCursor(cursor, order), rankOf);
  const page = found.slice(start, start + limit);
  const last = page.at(-1);
  const hasMore = start + limit < found.length && last !== undefined;
  return {
    page,
    nextCursor: hasMore ? `${order}_${cursorNumber(rankOf(last))}_${last.trace.traceId}` : null,
    total: found.length,
  };
}

function filterOf(
  query: TimelinesQuery,
  targetIdOf: (summary: TraceSummary) => string | null,
): (summary: TraceSummary) => boolean {
  const { route, status, minDuration = 0, target, since, before } = query;
  const sinceMs = since === undefined ? -Infinity : Date.parse(since);
  const beforeMs = before === undefined ? Infinity : Date.parse(before);
  return (summary) =>
    summary.durationMs >= minDuration &&
    summary.startMs >= sinceMs &&
    summary.startMs < beforeMs &&
    (route === undefined || summary.route === route || summary.name === route) &&
    (status === undefined || hasStatus(summary, status)) &&
    (target === undefined || targetIdOf(summary) === target);
}

function hasStatus({ failed, statusCode }: TraceSummary, status: string): boolean {
  if (status === 'failed') return failed;
  if (status === 'ok') return !failed;
  if (statusCode === null) return false;
  return status.endsWith('xx') ? Math.floor(statusCode / 100) === Number(status[0]) : statusCode === Number(status);
}

interface Place {
  readonly rank: number;
  readonly traceId: string;
}

function startAfter(found: readonly Found[], place: Place, rankOf: (found: Found) => number): number {
  const index = found.findIndex(
    (one) =>
      Number(cursorNumber(rankOf(one)).replace('-', '.')) < place.rank ||
      (Number(cursorNumber(rankOf(one)).replace('-', '.')) === place.rank && one.trace.traceId < place.traceId),
  );
  return index === -1 ? found.length : index;
}

/** A point is not in the alphabet of cursors. */
function cursorNumber(rank: number): string {
  return rank.toFixed(6).replace('.', '-');
}

function parseCursor(cursor: string, order: string): Place {
  const [, whole, part, traceId] = new RegExp(`^${order}_(\\d{1,16})-(\\d{6})_([0-9a-f]{32})$`).exec(cursor) ?? [];
  if (whole === undefined || part === undefined || traceId === undefined)
    throw invalidParameter('cursor', `must be the \`nextCursor\` of an earlier answer in the order ${order}`, cursor);
  return { rank: Number(`${whole}.${part}`), traceId };
}

function compareIds(a: Found, b: Found): number {
  return a.trace.traceId < b.trace.traceId ? -1 : Number(a.trace.traceId > b.trace.traceId);
}
