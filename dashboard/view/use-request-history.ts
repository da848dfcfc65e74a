import { useRef } from 'preact/hooks';
import type { RequestHistory } from '../model/request-charts.ts';
import { continuesAtMs, readRequests, withNewer } from '../model/request-charts.ts';
import type { PageState } from '../model/page-state.ts';
import type { TimeRange } from '../model/time-range.ts';
import { useNow, usePage } from './page-context.ts';
import type { Fresh } from './use-fresh.ts';
import { useFresh } from './use-fresh.ts';

const lookEveryMs = 5_000;
const wantedPoints = 300;
/** So old, all of it is read again: routes have changed, and steps are longer. */
const wholeEveryMs = 10 * 60_000;

/** Rate, failures and latency in a range: read whole once, from its end on every five seconds then. */
export function useRequestHistory(options: {
  state: PageState;
  targetId: string;
  range: TimeRange;
}): Fresh<RequestHistory> {
  const { state, targetId, range } = options;
  const { api } = usePage();
  const nowMs = useNow(state.clockOffsetMs, lookEveryMs);
  const held = useRef<{ key: string; wholeAtMs: number; history: RequestHistory } | null>(null);
  const isOneOfSeveral = state.targets.length > 1;
  const times = range.isLive ? range.toMs - range.fromMs : `${range.fromMs} ${range.toMs}`;
  const key = `${targetId} ${isOneOfSeveral} ${times}`;
  const { state: connection } = state.connection;
  return useFresh({
    key,
    tick: connection === 'live' ? (range.isLive ? Math.floor(nowMs / lookEveryMs) : 'stands') : 'cut',
    read: async (signal) => {
      const before = held.current;
      const isGoingOn = range.isLive && before?.key === key && nowMs - before.wholeAtMs < wholeEveryMs;
      const newerFromMs = isGoingOn ? continuesAtMs(before.history) : null;
      const step = Math.max(5_000, Math.ceil((range.toMs - range.fromMs) / wantedPoints / 5_000) * 5_000);
      const list = await api.requestHistory(
        {
          target: isOneOfSeveral ? targetId : undefined,
          from: new Date(newerFromMs ?? range.fromMs).toISOString(),
          to: new Date(range.isLive ? Math.max(nowMs, range.toMs) : range.toMs).toISOString(),
          step,
        },
        signal,
      );
      const read = readRequests(list, targetId);
      const history = newerFromMs === null || before === null ? read : withNewer(before.history, read);
      held.current = { key, wholeAtMs: newerFromMs === null ? nowMs : (before?.wholeAtMs ?? nowMs), history };
      return history;
    },
  });
}
