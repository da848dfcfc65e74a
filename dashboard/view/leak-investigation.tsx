import { useState } from 'preact/hooks';
import type { LeakInvestigation as Investigation } from '../../protocol/rest/leaks.ts';
import { investigateLoadMs, investigateSettleMs } from '../../protocol/rest/limits.ts';
import { isEndedState } from '../../protocol/rest/operation.ts';
import type { Target } from '../../protocol/rest/target.ts';
import { formatBytes, formatDuration, formatShare } from '../format.ts';
import { startInvestigation } from '../memory-api.ts';
import { outcomeWords, poolWords } from '../model/memory-words.ts';
import type { PageState } from '../model/page-state.ts';
import { HeapEvidenceRows } from './leak-heap.tsx';
import { Sites } from './leak-verdicts.tsx';
import { useAction, usePage } from './page-context.ts';
import { Badge, ProblemNote, Time } from './parts.tsx';

/** The guided search: it says when to put load on the program and when to take it off, and what was held at the end. */
export function LeakInvestigation(props: {
  state: PageState;
  target: Target;
  investigations: readonly Investigation[];
  nowMs: number;
}) {
  const { state, target, investigations, nowMs } = props;
  const { api, store } = usePage();
  const action = useAction();
  const [loadS, setLoadS] = useState(String(investigateLoadMs.default / 1000));
  const [settleS, setSettleS] = useState(String(investigateSettleMs.default / 1000));
  const running = state.operations.find(
    ({ kind, targetId, state: now }) => kind === 'leak-search' && targetId === target.id && !isEndedState(now),
  );
  const mayCapture = state.info?.you.scopes.some((scope) => scope === 'capture' || scope === 'admin') ?? true;
  const isAttached = target.state.state === 'attached';
  const start = (): void =>
    action.run(async () => {
      const operation = await startInvestigation(api, {
        target: target.id,
        duration: Math.round(Number(loadS) * 1000),
        settle: Math.round(Number(settleS) * 1000),
      });
      store.apply({ type: 'operation', operation });
    });
  return (
    <div class="card investigation">
      <h3>Guided search</h3>
      <p class="hint">
        A reading, a time under load, a reading, a time to settle, a reading: what grew and is still there afterwards is
        held by somebody. Each reading forces one garbage collection.
      </p>
      {running === undefined ? (
        <form
          class="fields"
          onSubmit={(event) => {
            event.preventDefault();
            start();
          }}
        >
          <Seconds label="Under load (s)" value={loadS} limits={investigateLoadMs} onValue={setLoadS} />
          <Seconds label="To settle (s)" value={settleS} limits={investigateSettleMs} onValue={setSettleS} />
          <button type="submit" class="primary" disabled={action.busy || !isAttached || !mayCapture}>
            Search for leaks
          </button>
          {!isAttached && <span class="why">The target is not attached.</span>}
          {!mayCapture && <span class="why">Your token lacks the scope “capture”.</span>}
        </form>
      ) : (
        <div role="status">
          <p>
            <strong>{running.progress.phase}</strong>
          </p>
          <div class="progress">
            <progress value={running.progress.fraction ?? undefined} max={1} aria-label={running.progress.phase} />
            <button
              type="button"
              onClick={() =>
                action.run(async () => store.apply({ type: 'operation', operation: await api.cancel(running.id) }))
              }
            >
              End it
            </button>
          </div>
        </div>
      )}
      <ProblemNote problem={action.problem} onClose={action.clear} />
      {investigations.map((found, index) => (
        <details key={found.id} open={index === 0}>
          <summary>
            Search of <Time iso={found.startedAt} nowMs={nowMs} />
          </summary>
          <Outcome found={found} />
        </details>
      ))}
    </div>
  );
}

function Outcome({ found }: { found: Investigation }) {
  const size = (bytes: number | null): string => (bytes === null ? '–' : formatBytes(bytes));
  return (
    <>
      <p class="remedy told">{found.nextStep}</p>
      <table class="profiles compare" aria-label="Pools before, under load and settled">
        <thead>
          <tr>
            <th scope="col">Pool</th>
            <th scope="col" class="num">
              Before
            </th>
            <th scope="col" class="num">
              Under load
            </th>
            <th scope="col" class="num">
              Settled
            </th>
            <th scope="col" class="num">
              Still held of the growth
            </th>
            <th scope="col">Outcome</th>
          </tr>
        </thead>
        <tbody>
          {found.pools.map(({ pool, baselineBytes, busyBytes, settledBytes, heldShare, outcome }) => {
            const [tone, word] = outcomeWords[outcome];
            return (
              <tr key={pool}>
                <td data-label="Kind">
                  <strong>{poolWords[pool]}</strong>
                </td>
                <td class="num" data-label="Before">
                  {size(baselineBytes)}
                </td>
                <td class="num" data-label="Under load">
                  {size(busyBytes)}
                </td>
                <td class="num" data-label="Settled">
                  {size(settledBytes)}
                </td>
                <td class="num" data-label="Still held">
                  {heldShare === null ? '–' : formatShare(heldShare)}
                </td>
                <td data-label="Outcome">
                  <Badge tone={tone}>{word}</Badge>
                </td>
              </tr>
            );
          })}
        </tbody>
      </table>
      <p class="hint">
        {formatDuration(found.loadMs)} under load, {formatDuration(found.settleMs)} to settle; {found.readings} readings
        paused the process for {formatDuration(found.costMs)} in all.
      </p>
      <Sites sites={found.sites} label="Allocated since the first reading, and still there" />
      {found.heap && <HeapEvidenceRows heap={found.heap} />}
    </>
  );
}

function Seconds(props: {
  label: string;
  value: string;
  limits: { readonly min: number; readonly max: number };
  onValue: (value: string) => void;
}) {
  const { label, value, limits, onValue } = props;
  return (
    <label class="field">
      {label}
      <input
        class="number"
        type="number"
        required
        min={limits.min / 1000}
        max={limits.max / 1000}
        step="any"
        value={value}
        onInput={(event) => onValue(event.currentTarget.value)}
      />
    </label>
  );
}
