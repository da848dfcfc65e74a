import { useMemo } from 'preact/hooks';
import type { Target } from '../../protocol/rest/target.ts';
import type { ChartPlan } from '../model/charts.ts';
import { chartPlans } from '../model/charts.ts';
import type { History } from '../model/history.ts';
import type { Mark } from '../model/marks.ts';
import { markedSince, marksOf } from '../model/marks.ts';
import type { Outlook } from '../model/outlook.ts';
import type { PageState } from '../model/page-state.ts';
import { maxStalls } from '../model/page-state.ts';
import type { RangeName } from '../model/time-range.ts';
import type { TimeRange } from '../model/time-range.ts';
import { drawnRange, ranges, readRange, writeRange, zoomed } from '../model/time-range.ts';
import { Chart } from './chart.tsx';
import { MarksLane } from './marks-lane.tsx';
import { hrefTo, setQuery } from './navigation.ts';
import { useNow } from './page-context.ts';
import { ProblemNote, Time } from './parts.tsx';
import { RequestCharts } from './request-charts.tsx';
import { SeriesCharts } from './series-charts.tsx';
import { useHistory } from './use-history.ts';
import '../style/charts.css';

const tickMs = 5_000;

/** How one target was: charts over one time axis, with what happened marked on it. */
export function ChartsSection(props: {
  state: PageState;
  target: Target;
  query: Readonly<Record<string, string>>;
  /** Default: those of the overview, with requests and chosen series below them. */
  plans?: readonly ChartPlan[];
  /** For the plan that has a series for it. */
  outlook?: Outlook | undefined;
}) {
  const { state, target, query, plans = chartPlans } = props;
  const nowMs = useNow(state.clockOffsetMs, tickMs);
  const range = readRange(query, nowMs);
  const { history, problem } = useHistory({ state, targetId: target.id, range });
  const { profiles, stalls, alerts, deaths, regressions } = state;
  const marks = useMemo(
    () => marksOf({ profiles: profiles.items, stalls, alerts, deaths, regressions, target, nowMs }),
    [profiles.items, stalls, alerts, deaths, regressions, target, nowMs],
  );
  const show = (chosen: { fromMs: number; toMs: number } | null): void => setQuery(writeRange(chosen));
  const drawn = drawnRange(range, {
    firstMs: firstOf(history, marks, range),
    lastMs: history?.points.at(-1)?.atMs ?? null,
    isChosen: query['range'] !== undefined,
  });
  const { fromMs } = drawn;
  const unmarked = [
    ['Stalls', '/stacks', markedSince(stalls, { isCut: stalls.length >= maxStalls, fromMs })],
    ['Captures', '/captures', markedSince(profiles.items, { isCut: profiles.nextCursor !== null, fromMs })],
  ] as const;
  const axis = { range: drawn, marks, onBrush: show, onReset: () => show(null) };
  return (
    <section id="charts" aria-labelledby="charts-title">
      <div class="title">
        <h3 id="charts-title">{target.name} over time</h3>
        <fieldset class="choices views">
          <legend class="sr">How far back</legend>
          {ranges.map(([name, words]) => (
            <label key={name} class="choice">
              <input
                type="radio"
                name="range"
                checked={range.isLive && range.name === name}
                onChange={() => chooseRange(name)}
              />
              <span>{words}</span>
            </label>
          ))}
        </fieldset>
        <button type="button" onClick={() => show(zoomed(drawn, 0.5, nowMs))}>
          Zoom in
        </button>
        <button type="button" onClick={() => show(zoomed(drawn, 2, nowMs))}>
          Zoom out
        </button>
        {!range.isLive && (
          <>
            <button type="button" class="primary" onClick={() => show(null)}>
              Back to live
            </button>
            <span class="dim">
              <Time iso={new Date(range.fromMs).toISOString()} nowMs={nowMs} /> to{' '}
              <Time iso={new Date(range.toMs).toISOString()} nowMs={nowMs} />
            </span>
          </>
        )}
      </div>
      <ProblemNote problem={problem} />
      <MarksLane marks={marks} range={drawn} nowMs={nowMs} />
      {unmarked.map(([what, path, since]) =>
        since === null ? null : (
          <p key={what} class="hint">
            {what} before <Time iso={since} nowMs={nowMs} /> are not marked: <a href={hrefTo(path)}>their list</a> has
            them.
          </p>
        ),
      )}
      {history === null ? (
        problem === null && <p class="hint">Reading…</p>
      ) : (
        <>
          {history.points.length === 0 && (
            <p class="empty">
              No reading in this time:{' '}
              {range.isLive ? 'the first comes some seconds after the agent attached.' : 'choose another.'}
            </p>
          )}
          <div class="charts">
            {plans.map((plan) => (
              <Chart key={plan.id} plan={plan} history={history} outlook={props.outlook} {...axis} />
            ))}
          </div>
        </>
      )}
      {plans === chartPlans && (
        <>
          <RequestCharts state={state} targetId={target.id} asked={range} axis={axis} />
          <SeriesCharts
            feature={state.info?.features.find(({ name }) => name === 'metrics')}
            targetId={target.id}
            query={query}
            asked={range}
            axis={axis}
            nowMs={nowMs}
          />
        </>
      )}
    </section>
  );
}

function firstOf(history: History | null, marks: readonly Mark[], { fromMs }: TimeRange): number | null {
  if (history === null) return null;
  const times = [...marks.map(({ atMs }) => atMs), ...history.points.slice(0, 1).map(({ atMs }) => atMs)];
  return times.reduce<number | null>((first, at) => (at < fromMs || at > (first ?? Infinity) ? first : at), null);
}

function chooseRange(name: RangeName): void {
  setQuery({ range: name, from: null, to: null });
}
