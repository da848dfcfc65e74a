import { useEffect, useRef, useState } from 'preact/hooks';
import { ApiProblem } from '../api.ts';
import type { History } from '../model/history.ts';
import { appendPoint, pointOfVitals, readPoint } from '../model/history.ts';
import type { PageState } from '../model/page-state.ts';
import type { TimeRange } from '../model/time-range.ts';
import { usePage } from './page-context.ts';

/** A live range is read once and goes on with the event stream; so old it is read again, for the steps that the agent has made meanwhile. */
const readAgainMs = 10 * 60_000;
/** The agent's answer then is at most 100 kB. */
const wantedPoints = 300;

/** The history of one target in a range: live ones grow by each reading that comes. What was read stays while the next comes. */
export function useHistory(options: { state: PageState; targetId: string; range: TimeRange }): {
  history: History | null;
  problem: ApiProblem | null;
} {
  const { state, targetId, range } = options;
  const { api, store } = usePage();
  const [history, setHistory] = useState<History | null>(null);
  const [problem, setProblem] = useState<ApiProblem | null>(null);
  const [round, setRound] = useState(0);
  const readUpTo = useRef('');
  const isLive = state.connection.state === 'live';
  // Of a live range only the length counts: its end moves on by itself.
  const key = range.isLive ? `${targetId} ${range.toMs - range.fromMs}` : `${targetId} ${range.fromMs} ${range.toMs}`;

  useEffect(() => {
    const timer = setInterval(() => setRound((count) => count + 1), readAgainMs);
    return () => clearInterval(timer);
  }, []);
  useEffect(() => {
    // Without a connection what is drawn stays; it is read again when it is back.
    if (!isLive) return;
    const stop = new AbortController();
    const step = Math.max(5_000, Math.ceil((range.toMs - range.fromMs) / wantedPoints / 5_000) * 5_000);
    const query = {
      target: targetId,
      from: new Date(range.fromMs).toISOString(),
      to: new Date(range.toMs).toISOString(),
      step,
    };
    api.vitals(query, stop.signal).then(
      ({ points, stepMs, latest }) => {
        setProblem(null);
        setHistory({ targetId, stepMs, points: points.map(readPoint) });
        // The next reading then is the second one, and the first is seen at once.
        readUpTo.current = latest?.at ?? '';
        if (latest !== null) store.apply({ type: 'event', event: { type: 'vitals', vitals: latest } });
      },
      (error: unknown) => {
        if (stop.signal.aborted) return;
        setProblem(error instanceof ApiProblem ? error : null);
      },
    );
    return () => stop.abort();
  }, [key, isLive, round]);

  const latest = state.vitals[targetId];
  useEffect(() => {
    // What was read with the history stands in it already.
    if (latest === undefined || !range.isLive || latest.at <= readUpTo.current) return;
    const point = pointOfVitals(latest, state.readingMs[targetId] ?? null);
    setHistory((before) => (before?.targetId === targetId ? appendPoint(before, point) : before));
  }, [latest]);
  return { history: history?.targetId === targetId ? history : null, problem };
}
