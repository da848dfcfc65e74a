import { useState } from 'preact/hooks';
import type { BaselineView } from '../../protocol/rest/baseline.ts';
import type { ApiProblem } from '../api.ts';
import { formatCount, withLocalTimes } from '../format.ts';
import { baselineWords, checkAsText } from '../model/regression-words.ts';
import { sentence, startObstacle } from '../model/words.ts';
import { CopyText } from './copy-text.tsx';
import { useAction, useNow, usePage } from './page-context.ts';
import { ActionButton, Facts, ProblemNote, Time } from './parts.tsx';
import { CheckTable } from './regression-check.tsx';
import { RegressionHistory } from './regression-history.tsx';
import { useFresh } from './use-fresh.ts';
import type { ViewProps } from './view-props.ts';
import '../style/incidents.css';

/** Comparisons are made once a minute; a look more often shows the same. */
const lookEveryMs = 30_000;

/** How the program is beside how it was: its own baseline, and the version before. */
export function View({ state, target, address }: ViewProps) {
  const { api } = usePage();
  const action = useAction();
  const nowMs = useNow(state.clockOffsetMs, lookEveryMs);
  const key = target?.id ?? '';
  const [taken, setTaken] = useState(0);
  const { regressions } = state;
  const tick = `${nowMs} ${state.connection.state} ${taken} ${regressions.map(({ updatedAt }) => updatedAt).join(' ')}`;
  const baseline = useFresh({ key, tick, read: (signal) => api.baseline(key, signal) });
  const check = useFresh({ key, tick, read: (signal) => api.checkRegressions(key, signal) });
  const history = useFresh({ key, tick, read: (signal) => api.regressions({ target: key, limit: 20 }, signal) });
  // Of its own: the list on the page may be filtered, or short of what was before.
  const profiles = useFresh({
    key,
    tick: `${tick} ${state.profiles.total}`,
    read: (signal) => api.profiles({ kind: 'cpu', limit: 200 }, signal),
  });
  const checked = check.value;
  const notYet = checked?.comparisons.length === 0 ? (baseline.value?.message ?? checked.message) : null;
  if (target === undefined) return <p class="empty">No target yet.</p>;
  const take = (): void =>
    action.run(async () => {
      await api.takeBaseline(key);
      setTaken((count) => count + 1);
    });
  return (
    <>
      <section id="baseline" aria-labelledby="baseline-title">
        <div class="title">
          <h3 id="baseline-title">Baseline</h3>
          <span class="gap" />
          <ActionButton onClick={take} busy={action.busy} obstacle={startObstacle(state, target, 'capture')}>
            Take a new baseline
          </ActionButton>
        </div>
        <p class="hint">What a change is measured by. A new one says: what it is like now is normal.</p>
        <ProblemNote problem={action.problem} onClose={action.clear} />
        {taken > 0 && action.problem === null && !action.busy && (
          <p class="note good" role="status">
            Taken: from now on what comes is compared with the last windows.
          </p>
        )}
        <Missing problem={baseline.problem} />
        {baseline.value && <BaselineCard view={baseline.value} nowMs={nowMs} />}
      </section>
      <section id="now" aria-labelledby="now-title">
        <div class="title">
          <h3 id="now-title">Now beside before</h3>
          <span class="gap" />
          {checked !== null && <CopyText label="Copy as text" text={() => checkAsText(checked)} />}
        </div>
        <Missing problem={check.problem} />
        {checked === null && check.problem === null && <p class="hint">Reading…</p>}
        {checked !== null && <CheckTable check={checked} notYet={notYet} />}
      </section>
      <ProblemNote problem={history.problem?.status === 404 ? null : history.problem} />
      {history.value && (
        <RegressionHistory
          regressions={history.value.regressions}
          hasMore={history.value.nextCursor !== null}
          profiles={profiles.value?.profiles ?? null}
          notYet={notYet}
          nowMs={nowMs}
          namedId={address.query['regression']}
        />
      )}
    </>
  );
}

function Missing({ problem }: { problem: ApiProblem | null }) {
  if (problem?.status === 404 && problem.code === 'not-found') {
    return <p class="empty">This agent does not compare: its version knows no baseline.</p>;
  }
  return <ProblemNote problem={problem} />;
}

function BaselineCard({ view, nowMs }: { view: BaselineView; nowMs: number }) {
  const { service, provisional, settled, previous } = view;
  return (
    <article class="card wide">
      <p>{withLocalTimes(sentence(view.message), nowMs)}</p>
      <Facts
        rows={[
          ['Service', `${service.name}${service.version === null ? '' : ` ${service.version}`}`],
          ['This run', provisional && baselineWords(provisional)],
          ['This version', settled && baselineWords(settled)],
          ['Taken', settled && <Time iso={settled.takenAt} nowMs={nowMs} />],
          ['Version before', previous === null ? view.previousMessage : (previous.version ?? 'without a number')],
          ['CPU samples of this version', view.profileSamples > 0 ? formatCount(view.profileSamples) : null],
          ['Kept in', view.stateDirectory && <code>{view.stateDirectory}</code>],
        ]}
      />
    </article>
  );
}
