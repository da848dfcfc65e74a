import { SidescopeError } from '../error.ts';
import { parseComment } from './comment.ts';
import { resolveFamily } from './families.ts';
import type { MetricsFormat } from './format.ts';
import { parseLabels } from './labels.ts';
import type { Exemplar, MetricFamily, MetricsPage, MetricType } from './model.ts';
import { parseMetricValue } from './number.ts';
import { KnownSeries, SeriesCache } from './series-cache.ts';

export interface MetricsLimits {
  readonly bytesMax: number;
  readonly seriesMax: number;
}

export const metricsLimits: MetricsLimits = { bytesMax: 8 * 1024 * 1024, seriesMax: 50_000 };

/** Of one line; the longest of real pages have some kilobytes. */
const lineMax = 64 * 1024;
const exemplarsMax = 1_000;

/**
 * Reads the pages of one target, one after the other, and knows its series from page to page: from the second one on 150 to 250 MB/s. Not for two
 * pages at a time.
 */
export class MetricsParser {
  readonly #cache = new SeriesCache();
  readonly limits: MetricsLimits;
  #pages = 0;
  #types: ReadonlyMap<string, MetricType> = new Map();
  #typesEpoch = 0;

  constructor(limits: Partial<MetricsLimits> = {}) {
    this.limits = { ...metricsLimits, ...limits };
  }

  /** Gives up the page begun before, if it was not finished. */
  begin(format: MetricsFormat): PageReader {
    return new PageReader({
      format,
      limits: this.limits,
      cache: this.#cache,
      page: ++this.#pages,
      onEnd: (types, samples) => this.#end(types, samples),
    });
  }

  /** A whole page at once. Throws `unreadable-metrics`, `metrics-too-large`. */
  parse(page: Uint8Array, format: MetricsFormat): MetricsPage {
    const reader = this.begin(format);
    reader.push(page);
    return reader.finish();
  }

  #end(types: ReadonlyMap<string, MetricType>, samples: readonly KnownSeries[]): void {
    const isSame =
      types.size === this.#types.size && [...types].every(([name, type]) => this.#types.get(name) === type);
    if (!isSame) this.#typesEpoch++;
    this.#types = types;
    for (const series of samples) {
      if (series.typesEpoch === this.#typesEpoch) continue;
      series.typesEpoch = this.#typesEpoch;
      resolveFamily(series, types);
    }
    this.#cache.sweep(this.#pages, samples.length);
  }
}

interface ReaderOptions {
  readonly format: MetricsFormat;
  readonly limits: MetricsLimits;
  readonly cache: SeriesCache;
  readonly page: number;
  onEnd(types: ReadonlyMap<string, MetricType>, samples: readonly KnownSeries[]): void;
}

/** `push` in pieces of any size, cut anywhere, then `finish`. What throws makes the whole page void: half a page has wrong sums. */
export class PageReader {
  readonly #options: ReaderOptions;
  readonly #decoder = new TextDecoder('utf-8', { fatal: true });
  readonly #series: KnownSeries[] = [];
  readonly #values: number[] = [];
  readonly #timestampsMs = new Map<number, number>();
  readonly #exemplars = new Map<number, Exemplar>();
  readonly #families = new Map<string, MetricFamily>();
  readonly #types = new Map<string, MetricType>();
  readonly #retyped = new Set<string>();
  #rest = '';
  #line = 0;
  #sizeBytes = 0;
  #repeated = 0;
  #isEnded = false;

  constructor(options: ReaderOptions) {
    this.#options = options;
  }

  /** Throws `unreadable-metrics` with the line, `metrics-too-large`. */
  push(bytes: Uint8Array): void {
    this.#sizeBytes += bytes.length;
    const { bytesMax } = this.#options.limits;
    if (this.#sizeBytes > bytesMax) throw tooLarge(`the page has more than ${bytesMax} bytes`);
    const text = this.#rest + this.#decode(bytes);
    let at = 0;
    for (let end = text.indexOf('\n'); end !== -1; end = text.indexOf('\n', at)) {
      this.#readLine(text, at, end);
      at = end + 1;
    }
    this.#rest = text.slice(at);
    if (this.#rest.length > lineMax) {
      this.#line++;
      throw this.#unreadable(`longer than ${lineMax} characters`);
    }
  }

  finish(): MetricsPage {
    const rest = this.#rest + this.#decode();
    if (rest !== '') this.#readLine(rest, 0, rest.length);
    if (this.#options.format === 'openmetrics' && !this.#isEnded)
      throw this.#unreadable('the page ends without "# EOF": it is cut');
    this.#options.onEnd(this.#types, this.#series);
    return {
      series: this.#series,
      values: this.#values,
      timestampsMs: this.#timestampsMs,
      exemplars: this.#exemplars,
      families: this.#families,
      sizeBytes: this.#sizeBytes,
      repeated: this.#repeated,
      retyped: [...this.#retyped],
    };
  }

  #decode(bytes?: Uint8Array): string {
    try {
      return bytes === undefined ? this.#decoder.decode() : this.#decoder.decode(bytes, { stream: true });
    } catch (error) {
      throw new SidescopeError('unreadable-metrics', `behind line ${this.#line} the page is not UTF-8`, {
        cause: error,
      });
    }
  }

  #readLine(text: string, start: number, lineEnd: number): void {
    this.#line++;
    const end = lineEnd > start && text.charCodeAt(lineEnd - 1) === carriageReturn ? lineEnd - 1 : lineEnd;
    const at = skipSpace(text, start, end);
    if (at === end) return;
    if (end - at > lineMax) throw this.#unreadable(`longer than ${lineMax} characters`);
    if (this.#isEnded) throw this.#unreadable('there is more behind "# EOF"');
    if (text.charCodeAt(at) === hash) this.#readComment(text.slice(at, end));
    else this.#readSample(text, at, end);
  }

  #readComment(line: string): void {
    const comment = parseComment(line);
    if (comment === undefined) return;
    if (comment.kind === 'end') {
      // In the text format it is a comment like any other.
      this.#isEnded = this.#options.format === 'openmetrics';
      return;
    }
    const { name } = comment;
    const known = this.#families.get(name) ?? { name, type: 'unknown', help: undefined, unit: undefined };
    if (comment.kind === 'type') {
      const earlier = this.#types.get(name);
      if (earlier !== undefined && earlier !== comment.type) {
        if (this.#retyped.size < 20) this.#retyped.add(name);
        return;
      }
      this.#types.set(name, comment.type);
      this.#families.set(name, { ...known, type: comment.type });
    } else if (comment.kind === 'help') this.#families.set(name, { ...known, help: comment.text });
    else this.#families.set(name, { ...known, unit: comment.text });
    if (this.#families.size > this.#options.limits.seriesMax)
      throw tooLarge(`the page has more than ${this.#options.limits.seriesMax} metrics`);
  }

  #readSample(text: string, start: number, end: number): void {
    const identityEnd = this.#identityEnd(text, start, end);
    const series = this.#seriesOf(text.slice(start, identityEnd));
    const valueStart = skipSpace(text, identityEnd, end);
    const valueEnd = tokenEnd(text, valueStart, end);
    const value = parseMetricValue(text, valueStart, valueEnd);
    if (value === undefined)
      throw this.#unreadable(
        `the value of ${series.name.slice(0, 100)} is ${JSON.stringify(text.slice(valueStart, Math.min(valueEnd, valueStart + 40)))}, not a number`,
      );
    const { page, limits } = this.#options;
    if (series.seenOn === page) {
      this.#repeated++;
      return;
    }
    series.seenOn = page;
    if (this.#series.length >= limits.seriesMax) throw tooLarge(`the page has more than ${limits.seriesMax} series`);
    this.#series.push(series);
    this.#values.push(value);
    const restStart = skipSpace(text, valueEnd, end);
    if (restStart < end) this.#readRest(text.slice(restStart, end));
  }

  /** Behind the name, and behind the labels where there are some. Quotes are looked at: a label's value may hold a brace. */
  #identityEnd(text: string, start: number, end: number): number {
    let at = start;
    let code = text.charCodeAt(at);
    while (at < end && code !== openingBrace && code !== space && code !== tab) code = text.charCodeAt(++at);
    const nameEnd = at;
    at = skipSpace(text, at, end);
    if (at === end || text.charCodeAt(at) !== openingBrace) return nameEnd;
    let isQuoted = false;
    for (at++; at < end; at++) {
      code = text.charCodeAt(at);
      if (code === quote) isQuoted = !isQuoted;
      else if (code === backslash && isQuoted) at++;
      else if (code === closingBrace && !isQuoted) return at + 1;
    }
    throw this.#unreadable('the labels have no end');
  }

  #seriesOf(text: string): KnownSeries {
    const known = this.#options.cache.find(text);
    if (known !== undefined) return known;
    const added = this.#options.cache.add(text);
    if (added instanceof KnownSeries) return added;
    throw this.#unreadable(added.problem);
  }

  /** A timestamp, an exemplar, or both. */
  #readRest(rest: string): void {
    const index = this.#series.length - 1;
    const [, timestamp = '', exemplar] = /^([^\s#]*)[ \t]*(?:#(.*))?$/s.exec(rest) ?? [rest, rest];
    if (timestamp !== '') this.#timestampsMs.set(index, this.#timestampMs(timestamp));
    if (exemplar === undefined || this.#exemplars.size >= exemplarsMax) return;
    this.#exemplars.set(index, this.#exemplar(exemplar.trim()));
  }

  #timestampMs(text: string): number {
    const value = parseMetricValue(text, 0, text.length);
    if (value === undefined || !Number.isFinite(value))
      throw this.#unreadable(`${JSON.stringify(text.slice(0, 40))} behind the value is not a time`);
    return this.#options.format === 'openmetrics' ? value * 1000 : value;
  }

  #exemplar(text: string): Exemplar {
    const parsed = text.startsWith('{') ? parseLabels(text, 0) : { problem: 'the exemplar has no labels' };
    if ('problem' in parsed) throw this.#unreadable(parsed.problem);
    const [word = '', time, ...others] = text
      .slice(parsed.end)
      .trim()
      .split(/[ \t]+/);
    const value = parseMetricValue(word, 0, word.length);
    if (value === undefined || others.length > 0) throw this.#unreadable('the exemplar has no value, or too many');
    return { labels: parsed.labels, value, timestampMs: time === undefined ? undefined : this.#timestampMs(time) };
  }

  #unreadable(problem: string): SidescopeError {
    return new SidescopeError('unreadable-metrics', `line ${this.#line}: ${problem}`, {
      details: { line: this.#line },
    });
  }
}

const tab = 9;
const carriageReturn = 13;
const space = 32;
const quote = 34;
const hash = 35;
const backslash = 92;
const openingBrace = 123;
const closingBrace = 125;

function skipSpace(text: string, start: number, end: number): number {
  let at = start;
  for (let code = text.charCodeAt(at); at < end && (code === space || code === tab); code = text.charCodeAt(at)) at++;
  return at;
}

function tokenEnd(text: string, start: number, end: number): number {
  let at = start;
  for (let code = text.charCodeAt(at); at < end && code !== space && code !== tab; code = text.charCodeAt(at)) at++;
  return at;
}

function tooLarge(problem: string): SidescopeError {
  return new SidescopeError('metrics-too-large', `${problem}, which is the limit`);
}
