import type { Profile } from '../../protocol/rest/profile.ts';
import type { ProfileMetrics, ProfileMetricsQuery } from '../../protocol/rest/series.ts';
import { overRows, quantileIn, secondsOf } from './row-sums.ts';
import type { ScrapeRow } from './scrape-row.ts';
import { described, matcher, numberOrNull } from './series-query.ts';
import type { KeptSeries, SeriesStore } from './series-store.ts';

/** What is compared with: long enough for five pages at the usual interval. */
const besideMs = 5 * 60_000;
/** A page further from the profile than that says nothing about it. */
const farthestMs = 10 * 60_000;
const limitDefault = 50;

type Item = ProfileMetrics['series'][number];

/** What the series did before, while and after a profile was taken: `GET /profiles/:id/metrics`. Throws `invalid-request`, `storage-failed`. */
export function metricsOfProfile(
  store: SeriesStore,
  profile: Pick<Profile, 'id' | 'targetId' | 'startedAt' | 'endedAt'>,
  query: ProfileMetricsQuery,
): ProfileMetrics {
  const { id: profileId, targetId } = profile;
  const [startMs, endMs] = [Date.parse(profile.startedAt), Date.parse(profile.endedAt)];
  const first = near(store.rowBeside(targetId, { atMs: startMs, side: 'before' }), startMs);
  const last = near(store.rowBeside(targetId, { atMs: endMs, side: 'after' }), endMs);
  const [fromMs, toMs] = [first?.atMs ?? startMs, last?.atMs ?? endMs];
  const spans = {
    before: store.rows(targetId, { fromMs: fromMs - besideMs, toMs: fromMs }),
    during: store.rows(targetId, { fromMs, toMs }),
    after: store.rows(targetId, { fromMs: toMs, toMs: toMs + besideMs }),
  };
  const series = store.series(targetId).filter(matcher(query));
  const items = itemsOf(spans, series);
  return {
    profileId,
    targetId,
    before: spanOf(spans.before),
    during: spanOf(spans.during),
    after: spanOf(spans.after),
    series: items.slice(0, query.limit ?? limitDefault),
    total: items.length,
    note: noteOf(spans, { first, last }),
  };
}

type Spans = Readonly<Record<'before' | 'during' | 'after', readonly ScrapeRow[]>>;

function itemsOf(spans: Spans, series: readonly KeptSeries[]): Item[] {
  // A bucket by itself tells nothing that its histogram's quantiles do not.
  const plain = series.filter(({ role }) => role !== 'bucket');
  const [before, during, after] = [spans.before, spans.during, spans.after].map((rows) => overRows(rows, plain));
  const amounts = plain.map((one, index): Item => {
    const amount = (over: typeof before) =>
      (one.isCumulative ? over?.[index]?.ratePerSecond : over?.[index]?.mean) ?? null;
    const measure = one.isCumulative ? 'rate' : 'value';
    return item(one, { measure, before: amount(before), during: amount(during), after: amount(after) });
  });
  return [...amounts, ...histogramItems(spans, series)]
    .filter(({ before, during, after }) => [before, during, after].some((amount) => amount !== null && amount !== 0))
    .sort((a, b) => size(b) - size(a));
}

/** Three quantiles of each histogram and label set. */
function histogramItems(spans: Spans, series: readonly KeptSeries[]): Item[] {
  const groups = Map.groupBy(
    series.filter(({ role }) => role === 'bucket'),
    ({ family, labels: { le: _, ...labels } }) => `${family} ${JSON.stringify(labels)}`,
  );
  return [...groups.values()].flatMap((buckets) => {
    const [one] = buckets;
    if (one === undefined) return [];
    const { le: _, ...labels } = one.labels;
    return ([0.5, 0.95, 0.99] as const).map((q) => {
      const at = (rows: readonly ScrapeRow[]) => quantileIn(rows, { q, buckets });
      const measure = q === 0.5 ? 'p50' : q === 0.95 ? 'p95' : 'p99';
      const { before, during, after } = spans;
      return item(
        { ...one, name: one.family, labels },
        { measure, before: at(before), during: at(during), after: at(after) },
      );
    });
  });
}

function item(series: KeptSeries, amounts: Pick<Item, 'measure' | 'before' | 'during' | 'after'>): Item {
  const [before, during, after] = [amounts.before, amounts.during, amounts.after].map((amount) =>
    amount === null ? null : numberOrNull(amount),
  );
  const known = typeof before === 'number' && typeof during === 'number' && before !== 0;
  return {
    ...described(series),
    measure: amounts.measure,
    before: before ?? null,
    during: during ?? null,
    after: after ?? null,
    change: known ? numberOrNull((during - before) / Math.abs(before)) : null,
  };
}

/** What came from nothing goes first: it is the largest change there is, though no number. */
function size({ before, during, change }: Item): number {
  if (before === 0 && during !== null && during !== 0) return Infinity;
  return Math.abs(change ?? 0);
}

function near(row: ScrapeRow | undefined, atMs: number): ScrapeRow | undefined {
  return row !== undefined && Math.abs(row.atMs - atMs) <= farthestMs ? row : undefined;
}

function spanOf(rows: readonly ScrapeRow[]): ProfileMetrics['during'] {
  const [first, last] = [rows[0], rows.at(-1)];
  if (first === undefined || last === undefined) return null;
  return { from: new Date(first.atMs).toISOString(), to: new Date(last.atMs).toISOString(), pages: rows.length };
}

function noteOf(
  spans: Spans,
  { first, last }: Readonly<Record<'first' | 'last', ScrapeRow | undefined>>,
): string | null {
  if (spans.during.length === 0) return 'the metrics page was not read around this profile';
  if (last === undefined) return 'the metrics page was not read since the profile ended';
  if (first === undefined) return 'the metrics page was not read before the profile began';
  return secondsOf(spans.before) === undefined
    ? 'there are no two pages from before the profile to compare with'
    : null;
}
