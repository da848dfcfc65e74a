import uPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';
import { formatDay } from '../format.ts';
import type { ChartPlan } from '../model/charts.ts';
import { dashOf, topOf } from '../model/charts.ts';
import type { Mark } from '../model/marks.ts';
import { bandsOf } from '../model/marks.ts';
import { axisLabelPx, axisStepsSeconds } from '../model/time-range.ts';

export interface ChartHandle extends Disposable {
  /** Columns as `columnsOf` gives them; `range` in milliseconds. */
  show(content: ChartContent): void;
}

export interface ChartContent {
  readonly columns: readonly (readonly (number | null)[])[];
  readonly range: { readonly fromMs: number; readonly toMs: number };
  readonly marks: readonly Mark[];
}

export interface ChartCallbacks {
  /** A part of the time was drawn over with the mouse or the finger. */
  readonly onBrush: (range: { fromMs: number; toMs: number }) => void;
  readonly onReset: () => void;
  /** Index in the columns under the cursor, or null when it left. */
  readonly onCursor: (index: number | null) => void;
}

const heightPx = 130;
/** Narrower is a click with an unsteady hand. */
const leastBrushPx = 6;
const sharedCursor = 'overview';

/** One chart inside `box`, as wide as it. Everything drawn is in the colours that the style sheet has now. */
export function drawChart(box: HTMLElement, plan: ChartPlan<never>, callbacks: ChartCallbacks): ChartHandle {
  let content: ChartContent = { columns: [[], ...plan.series.map(() => [])], range: { fromMs: 0, toMs: 1 }, marks: [] };
  let chart: uPlot | null = null;
  const build = (): void => {
    chart?.destroy();
    chart = new uPlot(optionsOf({ box, plan, callbacks, marks: () => content.marks }), alignedOf(content), box);
    fit(chart, plan, content);
  };
  const onResize = new ResizeObserver(() => {
    const width = box.clientWidth;
    if (chart !== null && width > 0 && chart.width !== width) chart.setSize({ width, height: heightPx });
  });
  const onTheme = new MutationObserver(build);
  const system = matchMedia('(prefers-color-scheme: dark)');
  build();
  onResize.observe(box);
  onTheme.observe(document.documentElement, { attributeFilter: ['data-theme'] });
  system.addEventListener('change', build);
  return {
    show: (next) => {
      content = next;
      if (chart === null) return;
      chart.setData(alignedOf(next), false);
      fit(chart, plan, next);
    },
    [Symbol.dispose]: () => {
      onResize.disconnect();
      onTheme.disconnect();
      system.removeEventListener('change', build);
      chart?.destroy();
      chart = null;
    },
  };
}

function alignedOf({ columns }: ChartContent): uPlot.AlignedData {
  return columns as unknown as uPlot.AlignedData;
}

function fit(chart: uPlot, plan: ChartPlan<never>, { columns, range }: ChartContent): void {
  const [xs = [], ...series] = columns;
  const [from, to] = [range.fromMs / 1000, range.toMs / 1000];
  let highest = 0;
  const limits: number[] = [];
  for (const [index, values] of series.entries()) {
    const isLimit = plan.series[index]?.isLimit === true;
    let last: number | null = null;
    for (const [at, value] of values.entries()) {
      const x = xs[at];
      if (value === null || typeof x !== 'number' || x < from || x > to) continue;
      last = value;
      if (!isLimit && value > highest) highest = value;
    }
    if (isLimit && last !== null) limits.push(last);
  }
  chart.batch(() => {
    chart.setScale('x', { min: from, max: to });
    chart.setScale('y', { min: 0, max: topOf(plan, { highest, limits }) });
  });
}

/** 1 KiB to 512 GiB: an axis of bytes has round numbers of them. */
const binarySteps = Array.from({ length: 30 }, (_, power) => 2 ** (power + 10));

interface Drawing {
  readonly box: HTMLElement;
  readonly plan: ChartPlan<never>;
  readonly callbacks: ChartCallbacks;
  readonly marks: () => readonly Mark[];
}

function optionsOf({ box, plan, callbacks, marks }: Drawing): uPlot.Options {
  const style = getComputedStyle(box);
  const colour = (name: string): string => resolve(box, style.getPropertyValue(name));
  const [text, line] = [colour('--dim'), colour('--line')];
  const font = `11px ${style.fontFamily}`;
  const axis = { stroke: text, font, grid: { stroke: line, width: 1 }, ticks: { show: false } };
  return {
    width: Math.max(box.clientWidth, 200),
    height: heightPx,
    // To the right half a label of the axis: `12:00:00`.
    padding: [8, 22, 0, 0],
    legend: { show: false },
    scales: { x: { time: true, auto: false }, y: { auto: false } },
    cursor: {
      sync: { key: sharedCursor, setSeries: false },
      drag: { x: true, y: false, setScale: false, dist: leastBrushPx },
      points: { size: 6 },
      bind: {
        dblclick: () => () => {
          callbacks.onReset();
          return null;
        },
      },
    },
    axes: [
      {
        ...axis,
        incrs: [...axisStepsSeconds],
        space: axisLabelPx,
        size: 24,
        values: (_chart, splits) => splits.map((at) => clockOf(at, splits)),
      },
      {
        ...axis,
        size: 62,
        space: 26,
        ...(plan.isBinary === true ? { incrs: binarySteps } : {}),
        values: (_chart, splits) => splits.map((value) => plan.format(value)),
      },
    ],
    series: [
      {},
      ...plan.series.map(({ label, isLimit }, index) => ({
        label,
        stroke: isLimit ? colour('--bad') : colour(`--series-${Math.min(index + 1, 3)}`),
        width: isLimit ? 1 : 1.5,
        dash: [...dashOf(plan.series, index)],
        points: { show: true, size: 3, filter: loneValues },
        spanGaps: false,
      })),
    ],
    hooks: {
      setSelect: [
        (chart) => {
          const { left, width } = chart.select;
          if (width < leastBrushPx) return;
          const [from, to] = [chart.posToVal(left, 'x'), chart.posToVal(left + width, 'x')];
          chart.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
          callbacks.onBrush({ fromMs: from * 1000, toMs: to * 1000 });
        },
      ],
      setCursor: [(chart) => callbacks.onCursor(chart.cursor.idx ?? null)],
      drawAxes: [(chart) => drawMarks(chart, marks(), colour)],
    },
  };
}

/** A value with nothing before and after it makes no line: it is drawn as a dot. */
function loneValues(chart: uPlot, seriesIndex: number): number[] {
  const values = chart.data[seriesIndex] ?? [];
  const isThere = (at: number): boolean => typeof values[at] === 'number';
  return Array.from(values.keys()).filter((at) => isThere(at) && !isThere(at - 1) && !isThere(at + 1));
}

/** Behind the lines: a band for what lasted, a line for a moment. */
function drawMarks(chart: uPlot, marks: readonly Mark[], colour: (name: string) => string): void {
  const { ctx, bbox } = chart;
  ctx.save();
  ctx.beginPath();
  ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
  ctx.clip();
  const fill = (fromMs: number, toMs: number | null): void => {
    const left = chart.valToPos(fromMs / 1000, 'x', true);
    const right = toMs === null ? left + uPlot.pxRatio : Math.max(chart.valToPos(toMs / 1000, 'x', true), left + 1);
    if (right >= bbox.left && left <= bbox.left + bbox.width) ctx.fillRect(left, bbox.top, right - left, bbox.height);
  };
  for (const { kind, fromMs, toMs } of bandsOf(marks)) {
    ctx.fillStyle = colour(markColours[kind]);
    ctx.globalAlpha = kind === 'stall' ? 0.25 : 0.1;
    fill(fromMs, toMs);
  }
  // Many of them would hide what is measured.
  ctx.globalAlpha = Math.max(0.25, Math.min(0.8, 6 / marks.length));
  for (const { kind, atMs } of marks) {
    ctx.fillStyle = colour(markColours[kind]);
    fill(atMs, null);
  }
  ctx.restore();
}

const markColours = {
  death: '--bad',
  alert: '--warn',
  stall: '--bad',
  regression: '--warn',
  capture: '--busy',
  start: '--good',
} as const satisfies Record<Mark['kind'], string>;

/** Hours and minutes; the day where the axis is longer than one. */
function clockOf(atSeconds: number, splits: readonly number[]): string {
  const time = new Date(atSeconds * 1000);
  const two = (part: number): string => String(part).padStart(2, '0');
  const clock = `${two(time.getHours())}:${two(time.getMinutes())}`;
  const [first = 0, second = first + 60] = splits;
  const stepSeconds = second - first;
  if (stepSeconds >= 86_400) return formatDay(time);
  return stepSeconds < 60 ? `${clock}:${two(time.getSeconds())}` : clock;
}

/** The canvas knows no `light-dark()`: an element does. */
function resolve(box: HTMLElement, value: string): string {
  const probe = document.createElement('span');
  probe.style.color = value;
  box.append(probe);
  const { color } = getComputedStyle(probe);
  probe.remove();
  return color;
}
