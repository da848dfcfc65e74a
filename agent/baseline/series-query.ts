import { invalidParameter } from '../../protocol/rest/invalid-request.ts';
import { parseLabels } from '../../protocol/prometheus/labels.ts';
import type { Labels } from '../../protocol/prometheus/model.ts';
import type { SeriesList, SeriesQuery } from '../../protocol/rest/series.ts';
import { columnsOf, isRestart } from './scrape-row.ts';
import type { ScrapeRow } from './scrape-row.ts';
import type { KeptSeries, SeriesStore } from './series-store.ts';

const pointsDefault = 720;
const pointsMax = 2_000;
/** Values in one answer: 100,000 numbers are about a megabyte. */
const valuesMax = 100_000;
const limitDefault = 100;

export interface SeriesReading {
  readonly store: SeriesStore;
  readonly targetId: string;
  /** Wall clock in ms. */
  readonly nowMs: number;
}

/** `GET /series` but for `scrape`. Throws `invalid-request`, `storage-failed`. */
export function listSeries({ store, targetId, nowMs }: SeriesReading, query: SeriesQuery): Omit<SeriesList, 'scrape'> {
  const toMs = query.to === undefined ? nowMs : Date.parse(query.to);
  const fromMs = query.from === undefined ? toMs - 3_600_000 : Date.parse(query.from);
  if (fromMs >= toMs) throw invalidParameter('from', `must be before \`to\`, ${iso(toMs)}`, iso(fromMs));
  const found = store.series(targetId).filter(matcher(query));
  const page = pageOf(found, query);
  const points = Math.min(pointsMax, Math.max(1, Math.floor(valuesMax / Math.max(1, page.series.length))));
  const span = { fromMs, toMs };
  const isAll = query.step === undefined && store.rowCount(targetId, span) <= Math.min(points, pointsDefault);
  const leastMs = Math.ceil((toMs - fromMs) / points);
  const stepMs = isAll ? 0 : Math.max(query.step ?? Math.ceil((toMs - fromMs) / pointsDefault), leastMs);
  const rows = store.rows(targetId, { ...span, stepMs: Math.max(1, stepMs) });
  const columns = columnsOf(
    rows,
    page.series.map(({ id }) => id),
  );
  return {
    targetId,
    from: iso(fromMs),
    to: iso(toMs),
    stepMs,
    times: rows.map(({ atMs }) => iso(atMs)),
    series: page.series.map((series, index) => {
      const column = columns[index] ?? new Float64Array();
      return {
        ...described(series),
        values: Array.from(column, numberOrNull),
        rates: series.isCumulative ? ratesOf(rows, column) : null,
      };
    }),
    total: found.length,
    nextCursor: page.nextCursor,
  };
}

/** By name, in which `*` stands for anything, and by labels that must be equal. Throws `invalid-request`. */
export function matcher({ name, match }: { name?: string | undefined; match?: string | undefined }) {
  const labels = match === undefined ? {} : selectorLabels(match);
  const hasName = name === undefined ? () => true : nameMatcher(name);
  return (series: KeptSeries): boolean =>
    hasName(series.name) && Object.entries(labels).every(([label, value]) => (series.labels[label] ?? '') === value);
}

export function described({ name, labels, family, type, isCumulative, unit }: KeptSeries) {
  return { name, labels, family, type, isCumulative, unit };
}

/** JSON has neither NaN nor infinities. Nine digits say more than was measured, and keep the answer short. */
export function numberOrNull(value: number): number | null {
  if (!Number.isFinite(value)) return null;
  return Number.isInteger(value) ? value : Number(value.toPrecision(9));
}

/** Pieces between stars, one after the other: no pattern of a client is ever run as one. */
function nameMatcher(pattern: string): (name: string) => boolean {
  const [first = '', ...rest] = pattern.split('*');
  const last = rest.pop();
  if (last === undefined) return (name) => name === first;
  return (name) => {
    if (!name.startsWith(first) || !name.endsWith(last)) return false;
    let at = first.length;
    for (const piece of rest) {
      const found = name.indexOf(piece, at);
      if (found === -1) return false;
      at = found + piece.length;
    }
    return at <= name.length - last.length;
  };
}

function selectorLabels(match: string): Labels {
  const parsed = parseLabels(match, 0);
  if ('problem' in parsed) throw invalidParameter('match', parsed.problem, match);
  if (parsed.end !== match.length || parsed.name !== undefined)
    throw invalidParameter('match', 'must be labels in braces, such as {method="GET"}', match);
  return parsed.labels;
}

function pageOf(found: readonly KeptSeries[], { limit = limitDefault, cursor }: SeriesQuery) {
  const start = cursor === undefined ? 0 : startBehind(found, cursor);
  const series = found.slice(start, start + limit);
  const last = series.at(-1);
  return { series, nextCursor: last === undefined || start + limit >= found.length ? null : `s${last.id}` };
}

function startBehind(found: readonly KeptSeries[], cursor: string): number {
  const lastId = idOf(cursor);
  const index = found.findIndex(({ id }) => id === lastId);
  if (index === -1)
    throw invalidParameter('cursor', 'must be of this query; its series may be gone: begin anew', cursor);
  return index + 1;
}

function idOf(cursor: string): number {
  const id = /^s(\d{1,15})$/.exec(cursor)?.[1];
  if (id === undefined) throw invalidParameter('cursor', 'must be the `nextCursor` of an earlier answer', cursor);
  return Number(id);
}

/** As `increaseOf` has it, from one row to the next. */
function ratesOf(rows: readonly ScrapeRow[], column: Float64Array): (number | null)[] {
  let last = 0;
  return Array.from(column, (value, index) => {
    if (Number.isNaN(value)) return null;
    const increase = value < last || isRestart(rows, index) ? value : value - last;
    last = value;
    const seconds = ((rows[index]?.elapsedMs ?? 0) - (rows[index - 1]?.elapsedMs ?? Infinity)) / 1000;
    return seconds > 0 ? numberOrNull(increase / seconds) : null;
  });
}

function iso(ms: number): string {
  return new Date(ms).toISOString();
}
