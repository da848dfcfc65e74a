import { parseLabels, seriesKey } from './labels.ts';
import type { IdentityProblem } from './labels.ts';
import type { Labels, MetricSeries, MetricType, SampleRole } from './model.ts';

/** A series as the parser keeps it: what the page says of its family may change. */
export class KnownSeries implements MetricSeries {
  readonly name: string;
  readonly labels: Labels;
  readonly key: string;
  family: string;
  type: MetricType = 'unknown';
  role: SampleRole = 'value';
  isCumulative = false;
  /** Number of the page that it was last on. */
  seenOn = 0;
  /** Of the types that its family was resolved with. */
  typesEpoch = -1;

  constructor(name: string, labels: Labels, key: string) {
    this.name = name;
    this.labels = labels;
    this.key = key;
    this.family = name;
  }
}

/**
 * The text of a series up to its value, to the series: label sets are parsed on their first page only. Different texts of one series, such as
 * labels in another order, give the same one.
 */
export class SeriesCache {
  readonly #byText = new Map<string, KnownSeries>();
  readonly #byKey = new Map<string, KnownSeries>();

  find(text: string): KnownSeries | undefined {
    return this.#byText.get(text);
  }

  /** `text` has its closing brace, when it has an opening one. */
  add(text: string): KnownSeries | IdentityProblem {
    // A slice would keep the whole piece of the page alive for as long as the series lives.
    const own = decoder.decode(encoder.encode(text));
    const identity = identityOf(own);
    if ('problem' in identity) return identity;
    const { name, labels } = identity;
    const key = seriesKey(name, labels);
    const series = this.#byKey.get(key) ?? new KnownSeries(name, labels, key);
    this.#byKey.set(key, series);
    this.#byText.set(own, series);
    return series;
  }

  /** Forgets what the page of this number did not have, once that is most of it. */
  sweep(page: number, samples: number): void {
    if (this.#byText.size <= 2 * samples + 1_000) return;
    for (const map of [this.#byText, this.#byKey])
      for (const [text, { seenOn }] of map) if (seenOn !== page) map.delete(text);
  }

  get size(): number {
    return this.#byText.size;
  }
}

const encoder = new TextEncoder();
const decoder = new TextDecoder();

function identityOf(text: string): { name: string; labels: Labels } | IdentityProblem {
  const brace = text.indexOf('{');
  const bare = (brace === -1 ? text : text.slice(0, brace)).trimEnd();
  if (bare !== '' && !/^[a-zA-Z_:][a-zA-Z0-9_:]*$/.test(bare))
    return { problem: `${JSON.stringify(bare.slice(0, 100))} is not the name of a metric` };
  if (brace === -1) return { name: bare, labels: {} };
  const parsed = parseLabels(text, brace);
  if ('problem' in parsed) return parsed;
  const name = parsed.name ?? bare;
  if (name === '') return { problem: 'the sample has no name' };
  if (parsed.name !== undefined && bare !== '')
    return { problem: `the sample has two names, ${bare.slice(0, 100)} and another` };
  return { name, labels: parsed.labels };
}
