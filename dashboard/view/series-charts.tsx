import { useMemo, useState } from 'preact/hooks';
import type { Feature } from '../../protocol/rest/info.ts';
import type { SeriesList } from '../../protocol/rest/series.ts';
import type { ChosenSeries } from '../model/chosen-series.ts';
import {
  findSeries,
  historyOfSeries,
  mostChosen,
  planOfSeries,
  readChosen,
  textOfSeries,
  withoutSeries,
  withSeries,
} from '../model/chosen-series.ts';
import type { TimeRange } from '../model/time-range.ts';
import type { TimeAxis } from './chart.tsx';
import { Chart } from './chart.tsx';
import { setQuery } from './navigation.ts';
import { usePage } from './page-context.ts';
import { Marked, ProblemNote } from './parts.tsx';
import { useFresh } from './use-fresh.ts';

interface Place {
  readonly targetId: string;
  readonly query: Readonly<Record<string, string>>;
  /** Of it the axis shows a part. */
  readonly asked: TimeRange;
  readonly axis: TimeAxis;
  readonly nowMs: number;
}

/** A page that is read less often answers the same. */
const readEveryMs = 5_000;
const wantedPoints = 200;
const listed = 30;

/** Series of the target's own metrics page that somebody chose; the choice is in the link. */
export function SeriesCharts(place: Place & { feature: Feature | undefined }) {
  const { feature } = place;
  const chosen = readChosen(place.query);
  const isOff = feature !== undefined && feature.state !== 'on';
  return (
    <section aria-labelledby="series-title">
      <h4 id="series-title">The application’s own metrics</h4>
      {isOff && (
        <p class="empty">
          Not read: {feature.reason}. {feature.remedy && <Marked text={feature.remedy} />}
        </p>
      )}
      {chosen.length > 0 && (
        <div class="charts">
          {chosen.map((one) => (
            <SeriesChart key={one.text} chosen={one} {...place} />
          ))}
        </div>
      )}
      {!isOff && chosen.length < mostChosen && <Picker {...place} />}
      {chosen.length === mostChosen && <p class="hint">At most {mostChosen} at once.</p>}
    </section>
  );
}

function SeriesChart({ chosen, targetId, query, asked, axis, nowMs }: Place & { chosen: ChosenSeries }) {
  const { api } = usePage();
  const { fromMs, toMs, isLive } = asked;
  const step = Math.max(1_000, Math.ceil((toMs - fromMs) / wantedPoints / 1_000) * 1_000);
  const { value, problem } = useFresh({
    key: `${targetId} ${chosen.text} ${isLive ? toMs - fromMs : `${fromMs} ${toMs}`}`,
    tick: isLive ? Math.floor(nowMs / readEveryMs) : 'stands',
    read: (signal) =>
      api.get<SeriesList>(
        '/series',
        {
          target: targetId,
          name: chosen.name,
          match: chosen.match,
          from: new Date(fromMs).toISOString(),
          to: new Date(toMs).toISOString(),
          step,
          limit: 20,
        },
        signal,
      ),
  });
  const series = value === null ? undefined : findSeries(value, chosen);
  const { unit, isCumulative = false } = series ?? {};
  const isKnown = series !== undefined;
  const plan = useMemo(
    () => planOfSeries(chosen, isKnown ? { unit: unit ?? null, isCumulative } : undefined),
    [chosen.text, isKnown, unit, isCumulative],
  );
  const history = useMemo(
    () => (value === null || series === undefined ? null : historyOfSeries(value, series)),
    [value, series],
  );
  return (
    <div>
      {history !== null && <Chart key={plan.id} plan={plan} history={history} {...axis} />}
      {history === null && value !== null && (
        <p class="empty">The metrics page had no {chosen.text.slice(0, 200)} in this time.</p>
      )}
      <ProblemNote problem={problem} />
      <button
        type="button"
        class="quiet"
        aria-label={`Take ${chosen.text.slice(0, 200)} away`}
        onClick={() => setQuery(withoutSeries(query, chosen.text))}
      >
        Take away
      </button>
    </div>
  );
}

/** Asks for names only when it is opened: most pages have hundreds of series. */
function Picker({ targetId, query, nowMs }: Place) {
  const [open, setOpen] = useState(false);
  const [text, setText] = useState('');
  return (
    <details onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary>Choose a series to draw</summary>
      {open && (
        <>
          <label class="field">
            Part of its name
            <input value={text} maxLength={200} onInput={(event) => setText(event.currentTarget.value)} />
          </label>
          <Found targetId={targetId} query={query} text={text.trim()} nowMs={nowMs} />
        </>
      )}
    </details>
  );
}

function Found(props: { targetId: string; query: Readonly<Record<string, string>>; text: string; nowMs: number }) {
  const { targetId, query, text, nowMs } = props;
  const { api } = usePage();
  const { value, problem } = useFresh({
    key: targetId,
    tick: text,
    read: (signal) =>
      api.get<SeriesList>(
        '/series',
        {
          target: targetId,
          name: text === '' ? undefined : `*${text}*`,
          from: new Date(nowMs - 10 * 60_000).toISOString(),
          step: 600_000,
          limit: listed,
        },
        signal,
      ),
  });
  if (value === null) return problem === null ? <p class="hint">Reading…</p> : <ProblemNote problem={problem} />;
  if (value.series.length === 0) {
    return <p class="empty">{text === '' ? 'No series was read in the last ten minutes.' : 'None is named so.'}</p>;
  }
  return (
    <>
      <ul class="list">
        {value.series.map((series) => (
          <li key={textOfSeries(series)}>
            <button type="button" class="quiet" onClick={() => setQuery(withSeries(query, textOfSeries(series)))}>
              <bdi>{textOfSeries(series).slice(0, 200)}</bdi>
            </button>
          </li>
        ))}
      </ul>
      {value.total > value.series.length && (
        <p class="hint">
          {value.series.length} of {value.total}: a part of the name leads to the others.
        </p>
      )}
      <ProblemNote problem={problem} />
    </>
  );
}
