import type { BaselineView } from '../../protocol/rest/baseline.ts';
import type { RegressionCheck } from '../../protocol/rest/regressions.ts';
import type { ApiProblem } from '../api.ts';
import { formatCount } from '../format.ts';
import { changeWords } from '../model/diff-words.ts';
import {
  amountOf,
  baselineWords,
  changeOf,
  compareRows,
  referenceWords,
  verdictWords,
  type CompareRow,
} from '../model/regression-words.ts';
import { startObstacle } from '../model/words.ts';
import { useAction, useNow, usePage } from './page-context.ts';
import { ActionButton, Badge, Facts, ProblemNote, Time } from './parts.tsx';
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
  const tick = `${nowMs} ${state.connection.state}`;
  const baseline = useFresh({ key, tick, read: (signal) => api.baseline(key, signal) });
  const check = useFresh({ key, tick, read: (signal) => api.checkRegressions(key, signal) });
  const history = useFresh({ key, tick, read: (signal) => api.regressions({ target: key, limit: 20 }, signal) });
  if (target === undefined) return <p class="empty">No target yet.</p>;
  const take = (): void =>
    action.run(async () => {
      await api.takeBaseline(key);
    });
  return (
    <>
      <section id="baseline" aria-labelledby="baseline-title">
        <div class="title">
          <h3 id="baseline-title">Baseline</h3>
          <span class="gap" />
          <ActionButton onClick={take} busy={action.busy} obstacle={startObstacle(state, target, 'capture')}>
            What it is like now is normal
          </ActionButton>
        </div>
        <ProblemNote problem={action.problem} onClose={action.clear} />
        <Missing problem={baseline.problem} />
        {baseline.value && <BaselineCard view={baseline.value} nowMs={nowMs} />}
      </section>
      <section id="now" aria-labelledby="now-title">
        <h3 id="now-title">Now beside before</h3>
        <Missing problem={check.problem} />
        {check.value && <Comparison check={check.value} />}
      </section>
      {history.value && (
        <RegressionHistory
          regressions={history.value.regressions}
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
    <article class="card">
      <p>{view.message}</p>
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

function Comparison({ check }: { check: RegressionCheck }) {
  const rows = compareRows(check);
  return (
    <>
      <p class="prose">{check.message}</p>
      {rows.length > 0 && (
        <table class="profiles compare">
          <thead>
            <tr>
              <th scope="col">Measure</th>
              <th scope="col" class="num">
                Now
              </th>
              {check.comparisons.map(({ reference }) => (
                <th key={`${reference.kind} ${reference.takenAt}`} scope="col" class="num">
                  {referenceWords(reference)}
                </th>
              ))}
              <th scope="col">Verdict</th>
            </tr>
          </thead>
          <tbody>
            {rows.map((row) => (
              <MeasureRow key={row.metric} row={row} />
            ))}
          </tbody>
        </table>
      )}
      <Functions check={check} />
    </>
  );
}

function MeasureRow({ row }: { row: CompareRow }) {
  const [tone, word] = verdictWords[row.worst];
  const explanation = row.cells.find((cell) => cell?.explanation)?.explanation ?? null;
  return (
    <tr>
      <td data-label="Kind">{row.title}</td>
      <td class="num" data-label="Now">
        {amountOf(row.now, row.unit)}
      </td>
      {row.cells.map((cell, index) => (
        <td key={index} class="num" data-label="Before">
          {cell === null ? (
            <span class="dim">not known</span>
          ) : (
            <span title={`${cell.significance.toFixed(1)} standard deviations of its windows`}>
              {amountOf(cell.baseline.median, row.unit)} <span class="dim">{changeOf(cell.change)}</span>
            </span>
          )}
        </td>
      ))}
      <td data-label="Verdict">
        <Badge tone={tone}>{word}</Badge> {explanation !== null && <span class="dim">{explanation}</span>}
      </td>
    </tr>
  );
}

function Functions({ check: { functions, functionsReason } }: { check: RegressionCheck }) {
  if (functions === null) return functionsReason === null ? null : <p class="hint">{functionsReason}</p>;
  return (
    <details>
      <summary>
        Functions: {functions.beforeVersion ?? 'before'} to {functions.afterVersion ?? 'now'}
      </summary>
      <ul class="list">
        {functions.changes.map((change, index) => (
          <li key={index}>
            {changeWords(change)} <code>{change.functionName || '(anonymous)'}</code>{' '}
            <span class="dim">
              {change.url}
              {change.line > 0 && `:${change.line}`}
            </span>
          </li>
        ))}
      </ul>
    </details>
  );
}
