import { setImmediate as turn } from 'node:timers/promises';
import type { RequestWindow } from '../../protocol/cpu-profile/spans.ts';
import { httpStatus } from '../../protocol/otlp/classify.ts';
import { buildWaterfall } from '../../protocol/otlp/waterfall.ts';
import type { WaterfallRequest } from '../../protocol/otlp/waterfall-span.ts';
import type { Trace } from './trace.ts';

const requestsMax = 5_000;
const waitsMax = 32;
/** The agent's loop is nobody's for longer. */
const sliceMs = 10;
/** Senders round starts to whole milliseconds. */
const toleranceMs = 1;

/**
 * The requests of a process that were open in some part of a time, as their spans tell, in order of time; of more than 5,000 the longest. `seenSpanIds` are those of the
 * readings. Takes about 5 µs a span, in slices.
 */
export async function requestWindows(
  traces: Iterable<Trace>,
  during: {
    fromMs: number;
    toMs: number;
    isOfProcess: (pid: number | null) => boolean;
    seenSpanIds: ReadonlySet<string>;
  },
): Promise<RequestWindow[]> {
  const { fromMs, toMs, isOfProcess, seenSpanIds } = during;
  const overlaps = (startMs: number, durationMs: number): boolean =>
    startMs - toleranceMs < toMs && startMs + durationMs + toleranceMs > fromMs;
  // Before anything is waited for: the store changes meanwhile.
  const found = [...traces].filter(
    ({ summary, spans }) =>
      summary !== undefined &&
      isOfProcess(summary.pid) &&
      spans.some(({ startMs, durationMs }) => overlaps(startMs, durationMs)),
  );
  const windows: RequestWindow[] = [];
  let endMs = performance.now() + sliceMs;
  for (const { spans } of found) {
    for (const request of buildWaterfall(spans).requests) {
      const { startMs, durationMs } = request.entry.span;
      if (overlaps(startMs, durationMs)) windows.push(windowOf(request, seenSpanIds));
    }
    if (performance.now() < endMs) continue;
    await turn();
    endMs = performance.now() + sliceMs;
  }
  const longest = windows.toSorted((a, b) => b.endMs - b.startMs - (a.endMs - a.startMs)).slice(0, requestsMax);
  return longest.toSorted((a, b) => a.startMs - b.startMs);
}

function windowOf({ entry, name, route, spans }: WaterfallRequest, seenSpanIds: ReadonlySet<string>): RequestWindow {
  const { span, failed } = entry;
  return {
    traceId: span.traceId,
    spanId: span.spanId,
    name,
    route,
    startMs: span.startMs,
    endMs: span.startMs + span.durationMs,
    failed,
    statusCode: httpStatus(span) ?? null,
    waitsMs: spans
      .filter((one) => one !== entry && waitKinds.has(one.span.kind) && one.children.length === 0)
      .slice(0, waitsMax)
      .map((one) => [one.span.startMs, one.span.startMs + one.span.durationMs] as const),
    seenSpanIds: spans.map((one) => one.span.spanId).filter((id) => seenSpanIds.has(id)),
  };
}

/** Client and producer: somebody else works meanwhile. */
const waitKinds = new Set([3, 4]);
