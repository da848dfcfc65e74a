import { useState } from 'preact/hooks';
import type { BaselineView } from '../../protocol/rest/baseline.ts';
import type { Reference, RegressionCheck } from '../../protocol/rest/regressions.ts';
import type { ApiProblem } from '../api.ts';
import { formatCount, formatShare } from '../format.ts';
import { changeWords } from '../model/diff-words.ts';
import {
  amountOf,
  baselineWords,
  changeOf,
  checkAsText,
  compareRows,
  referenceWords,
  significanceWords,
  verdictWords,
  type CompareRow,
} from '../model/regression-words.ts';
import { startObstacle } from '../model/words.ts';
import { CopyText } from './copy-text.tsx';
import { useAction, useNow, usePage } from './page-context.ts';
import { ActionButton, Badge, Facts, ProblemNote, Time } from './parts.tsx';
import { RegressionHistory } from './regression-history.tsx';
import { Sparkline } from './sparkline.tsx';
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
          {check.value && <CopyText label="Copy as text" text={() => checkAsText(check.value as RegressionCheck)} />}
        </div>
        <Missing problem={check.problem} />
        {check.value && <Comparison check={check.value} />}
      </section>
      {history.value && (
        <RegressionHistory
          regressions={history.value.regressions}
          hasMore={history.value.nextCursor !== null}
          profiles={state.profiles.items}
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
              <th scope="col">Over time</th>
              <th scope="col">Verdict</th>
            </tr>
          </thead>
          <tbody>
            {rows.map((row) => (
              <MeasureRow key={row.metric} row={row} references={check.comparisons.map(({ reference }) => reference)} />
            ))}
          </tbody>
        </table>
      )}
      <Functions check={check} />
    </>
  );
}

function RowPicture({ row: { title, cells } }: { row: CompareRow }) {
  const cell = cells.find((one) => one !== null && one.windows.length > 1);
  if (cell === null || cell === undefined) return <span class="dim">–</span>;
  const words = `${title} over ${cell.windows.length} windows, beside the usual`;
  return <Sparkline windows={cell.windows} baseline={cell.baseline} size="small" words={words} />;
}

function nameOf(reference: Reference | undefined): string {
  return reference === undefined ? 'Before' : referenceWords(reference);
}

function MeasureRow({ row, references }: { row: CompareRow; references: readonly Reference[] }) {
  const [tone, word] = verdictWords[row.worst];
  const explanation = row.cells.find((cell) => cell?.explanation)?.explanation ?? null;
  return (
    <tr>
      <td data-label="Kind">{row.title}</td>
      <td class="num" data-label="Now">
        {amountOf(row.now, row.unit)}
      </td>
      {row.cells.map((cell, index) => (
        <td key={index} class="num" data-label={nameOf(references[index])}>
          {cell === null ? (
            <span class="dim">not known</span>
          ) : (
            <>
              {amountOf(cell.baseline.median, row.unit)} <span class="dim">{changeOf(cell.change)}</span>
              <br />
              <span class="dim" title={significanceWords(cell.significance)}>
                {cell.significance.toFixed(1)} σ
              </span>
            </>
          )}
        </td>
      ))}
      <td class="over-time" data-label="Over time">
        <RowPicture row={row} />
      </td>
      <td data-label="Verdict">
        <Badge tone={tone}>{word}</Badge> {explanation !== null && <span class="dim">{explanation}</span>}
      </td>
    </tr>
  );
}

/** By all CPU profiles of each version: what the new one does more of. */
function Functions({ check: { functions, functionsReason } }: { check: RegressionCheck }) {
  if (functions === null) return functionsReason === null ? null : <p class="hint">{functionsReason}</p>;
  const { beforeVersion, afterVersion, samplesBefore, samplesAfter, changes } = functions;
  return (
    <details open={changes.some(({ isSignificant }) => isSignificant)}>
      <summary>
        Functions: version {beforeVersion ?? 'before'} to {afterVersion ?? 'now'}
      </summary>
      <p class="hint">
        Shares of the CPU time, of {formatCount(samplesBefore)} and {formatCount(samplesAfter)} samples.
      </p>
      <table class="profiles compare">
        <thead>
          <tr>
            <th scope="col">Function</th>
            <th scope="col" class="num">
              Before
            </th>
            <th scope="col" class="num">
              Now
            </th>
            <th scope="col">Change</th>
          </tr>
        </thead>
        <tbody>
          {changes.map((change, index) => (
            <tr key={index}>
              <td data-label="Kind">
                <code>{change.functionName || '(anonymous)'}</code>{' '}
                <span class="dim">
                  {change.url}
                  {change.line > 0 && `:${change.line}`}
                </span>
              </td>
              <td class="num" data-label="Before">
                {formatShare(change.shareBefore)}
              </td>
              <td class="num" data-label="Now">
                {formatShare(change.shareAfter)}
              </td>
              <td data-label="Change">
                {changeWords(change)} {!change.isSignificant && <span class="dim">within chance</span>}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </details>
  );
}
