import { useEffect, useState } from 'preact/hooks';
import type { SnapshotForecast } from '../../protocol/rest/forecast.ts';
import type { Target } from '../../protocol/rest/target.ts';
import { ApiProblem } from '../api.ts';
import type { PageState } from '../model/page-state.ts';
import { startObstacle } from '../model/words.ts';
import { Forecast, forceConsequence } from './forecast.tsx';
import { useAction, usePage } from './page-context.ts';
import { ActionButton, ProblemNote } from './parts.tsx';
import { ThreadSelect } from './thread-select.tsx';

/** The forecast stands before the button: nobody should learn from an outage what a snapshot costs. */
export function SnapshotForm({ state, target }: { state: PageState; target: Target | undefined }) {
  const { api, store } = usePage();
  const action = useAction();
  const [thread, setThread] = useState('main');
  const [force, setForce] = useState(false);
  const obstacle = startObstacle(state, target, 'heap');
  const targetId = target?.id;
  const attachedSince = target?.state.state === 'attached' ? target.state.since : null;
  const { forecast, problem, reading, again } = useForecast({ targetId, thread, attachedSince });
  const refused = forecast?.verdict === 'refuse';
  useEffect(() => setForce(false), [targetId, thread, refused]);

  const start = (): void => {
    if (targetId === undefined) return;
    action.run(async () => {
      const query = { target: targetId, thread, force: force ? (true as const) : undefined };
      store.apply({ type: 'operation', operation: await api.startSnapshot(query) });
      setForce(false);
    });
  };
  const why =
    obstacle ??
    (reading && forecast === null ? 'Waiting for the forecast.' : null) ??
    (refused && !force ? 'The forecast refuses it. Read the consequences, then tick the box to take it anyway.' : null);

  return (
    <article class="card form" aria-labelledby="snapshot-title">
      <h3 id="snapshot-title">Heap snapshot</h3>
      <p class="hint">Every object and what keeps it alive. The target stops completely while V8 builds it.</p>
      <ThreadSelect id="snapshot-thread" target={target} withAll={false} value={thread} onValue={setThread} />
      {attachedSince !== null && (
        <>
          {forecast && <Forecast forecast={forecast} />}
          {problem && <ProblemNote problem={problem} />}
          <p class="hint">
            {reading ? 'Reading the forecast…' : forecast ? 'A forecast holds for the heap as it was when read.' : ''}{' '}
            {!reading && (
              <button type="button" class="quiet" onClick={again}>
                Forecast again
              </button>
            )}
          </p>
        </>
      )}
      {refused && obstacle === null && (
        <label class="consent">
          <input type="checkbox" checked={force} onChange={(event) => setForce(event.currentTarget.checked)} />
          <span>{forceConsequence(forecast)}</span>
        </label>
      )}
      <div class="act">
        <ActionButton
          primary={!refused}
          danger={refused}
          onClick={start}
          obstacle={why}
          busy={action.busy}
          describedBy="snapshot-why"
        >
          {refused ? 'Take it anyway' : 'Take a heap snapshot'}
        </ActionButton>
        <p id="snapshot-why" class="why">
          {why}
        </p>
      </div>
      <ProblemNote problem={action.problem} onClose={action.clear} />
    </article>
  );
}

/** Read when the target attaches and when it or the thread changes; not on a timer, as reading asks the target. */
function useForecast(options: { targetId: string | undefined; thread: string; attachedSince: string | null }) {
  const { targetId, thread, attachedSince } = options;
  const { api } = usePage();
  const [forecast, setForecast] = useState<SnapshotForecast | null>(null);
  const [problem, setProblem] = useState<ApiProblem | null>(null);
  const [reading, setReading] = useState(false);
  const [round, setRound] = useState(0);
  useEffect(() => setForecast(null), [targetId, thread, attachedSince]);
  useEffect(() => {
    if (targetId === undefined || attachedSince === null) return;
    const stop = new AbortController();
    setReading(true);
    setProblem(null);
    api
      .forecast({ target: targetId, thread }, stop.signal)
      .then(setForecast, (error: unknown) => {
        if (!stop.signal.aborted && error instanceof ApiProblem) setProblem(error);
      })
      .finally(() => {
        if (!stop.signal.aborted) setReading(false);
      });
    return () => stop.abort();
  }, [api, targetId, thread, attachedSince, round]);
  return { forecast, problem, reading, again: () => setRound(round + 1) };
}
