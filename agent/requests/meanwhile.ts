import type { TimelineDetail } from '../../protocol/rest/timelines.ts';
import type { ProfileStore } from '../store/store.ts';
import type { Monitor } from '../vitals/monitor.ts';
import { isoTime } from './timeline-view.ts';

/** The longest that something can have begun before a request and still be found: a CPU capture takes an hour at most. */
const longestMs = 3_600_000;
const maxProfiles = 20;

interface During {
  readonly targetId: string | null;
  readonly startMs: number;
  readonly endMs: number;
}

/** Blocks of the event loop that a request waited through. */
export function stallsDuring(
  monitor: Pick<Monitor, 'listStalls'>,
  { targetId, startMs, endMs }: During,
): TimelineDetail['stalls'] {
  if (targetId === null) return [];
  const { stalls } = monitor.listStalls({ targetId, since: isoTime(startMs - longestMs), limit: 100 });
  return stalls
    .map((stall) => ({ stall, offsetMs: Date.parse(stall.startedAt) - startMs }))
    .filter(({ stall, offsetMs }) => offsetMs < endMs - startMs && offsetMs + stall.durationMs > 0)
    .map(({ stall: { id, kind, summary, durationMs }, offsetMs }) => ({ id, kind, summary, durationMs, offsetMs }));
}

/** Profiles of the process that were being taken. */
export function profilesDuring(
  store: Pick<ProfileStore, 'list'> | undefined,
  { targetId, startMs, endMs }: During,
): TimelineDetail['profiles'] {
  if (store === undefined || targetId === null) return [];
  const query = { targetId, since: isoTime(startMs - longestMs), before: isoTime(Math.ceil(endMs)), limit: 100 };
  return store
    .list(query)
    .profiles.filter(({ endedAt }) => Date.parse(endedAt) > startMs)
    .slice(0, maxProfiles)
    .map(({ id, kind, startedAt, durationMs, thread, cpu }) => ({
      id,
      kind,
      durationMs,
      offsetMs: Date.parse(startedAt) - startMs,
      thread: thread.id,
      topFunction: cpu?.topFunction ?? null,
    }));
}
