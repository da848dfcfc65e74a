import { useEffect, useRef } from 'preact/hooks';
import { formatTime, formatUtc } from '../format.ts';
import type { ChartPlan, ChartSeries } from '../model/charts.ts';
import { dashOf } from '../model/charts.ts';
import type { History } from '../model/history.ts';
import { columnsOf } from '../model/history.ts';
import type { Mark } from '../model/marks.ts';
import type { Outlook } from '../model/outlook.ts';
import { columnsWithOutlook, rangeWithOutlook } from '../model/outlook.ts';
import type { TimeRange } from '../model/time-range.ts';
import type { ChartHandle } from './uplot-chart.ts';
import { drawChart } from './uplot-chart.ts';

/** What all charts of a view have in common. */
export interface TimeAxis {
  readonly range: TimeRange;
  readonly marks: readonly Mark[];
  readonly onBrush: (range: { fromMs: number; toMs: number }) => void;
  readonly onReset: () => void;
}

/** A chart with its legend; the values are those under the cursor, else the newest. */
export function Chart<Values>(
  props: TimeAxis & { plan: ChartPlan<Values>; history: History<Values>; outlook?: Outlook | undefined },
) {
  const { plan, history, marks } = props;
  const outlook = plan.series.at(-1)?.isOutlook === true ? props.outlook : undefined;
  const range = rangeWithOutlook(props.range, outlook);
  const box = useRef<HTMLDivElement>(null);
  const handle = useRef<ChartHandle | null>(null);
  const values = useRef<(HTMLElement | null)[]>([]);
  const time = useRef<HTMLTimeElement>(null);
  const columns = useRef<(number | null)[][]>([]);
  const latest = useRef(props);
  latest.current = props;

  // Written past the components: the cursor moves sixty times a second, over all charts at once.
  const tell = (index: number | null): void => {
    for (const [place, element] of values.current.entries()) {
      if (element === null) continue;
      const column = columns.current[place + 1] ?? [];
      const value = index === null ? lastOf(column) : (column[index] ?? null);
      element.textContent = value === null ? '–' : plan.format(value);
    }
    const atSeconds = index === null ? undefined : columns.current[0]?.[index];
    if (time.current !== null) tellTime(time.current, atSeconds ?? null);
  };

  useEffect(() => {
    if (box.current === null) return;
    const drawn = drawChart(box.current, plan, {
      onBrush: (chosen) => latest.current.onBrush(chosen),
      onReset: () => latest.current.onReset(),
      onCursor: tell,
    });
    handle.current = drawn;
    return () => {
      handle.current = null;
      drawn[Symbol.dispose]();
    };
  }, [plan]);

  const { fromMs, toMs } = range;
  useEffect(() => {
    const read = columnsOf(
      history,
      plan.series.map((one) => one.read),
    );
    columns.current = outlook === undefined ? read : columnsWithOutlook(read, outlook, toMs);
    handle.current?.show({ columns: columns.current, range: { fromMs, toMs }, marks });
    tell(null);
  }, [plan, history, fromMs, toMs, marks, outlook]);

  const known = plan.series.map(({ read, isOutlook }) =>
    isOutlook === true ? outlook !== undefined : history.points.some((point) => read(point.values) !== null),
  );
  return (
    <figure class="chart" aria-label={plan.title}>
      <figcaption>
        <strong>{plan.title}</strong>
        {plan.series.map(({ label, isLimit }, index) => (
          <span key={label} class="key" hidden={!known[index]}>
            <svg
              class={isLimit ? 'series-limit' : `series-${Math.min(index + 1, 3)}`}
              width="18"
              height="8"
              aria-hidden="true"
            >
              <path d="M0 4h18" stroke="currentColor" stroke-width="2" stroke-dasharray={swatch(plan.series, index)} />
            </svg>
            {label}{' '}
            <b
              ref={(element) => {
                values.current[index] = element;
              }}
            />
          </span>
        ))}
      </figcaption>
      <div class="plot" ref={box}>
        <time class="cursor-time" ref={time} aria-hidden="true" />
      </div>
    </figure>
  );
}

/** The moment under the cursor, local and as UTC. */
function tellTime(element: HTMLTimeElement, atSeconds: number | null): void {
  if (atSeconds === null) {
    element.textContent = '';
    return;
  }
  const iso = new Date(atSeconds * 1000).toISOString();
  element.textContent = `${formatTime(iso, Date.now())} (${formatUtc(iso).slice(11)})`;
}

function swatch(series: readonly ChartSeries<never>[], index: number): string {
  return dashOf(series, index).join(' ') || 'none';
}

function lastOf(column: readonly (number | null)[]): number | null {
  return column.findLast((value) => value !== null) ?? null;
}
