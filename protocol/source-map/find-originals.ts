import { readMappings, type Segment } from './mappings.ts';
import type { SourceMap, SourceMapSection } from './parse.ts';
import { nameDistance, nameReach } from './function-name.ts';

/** A place in the generated text as V8 tells it, 1-based. */
export interface GeneratedPlace {
  readonly line: number;
  readonly column: number;
  /** V8's name of the function that begins here; empty when it has none, or when no name is asked for. */
  readonly functionName: string;
}

/** 1-based. `source` as in the map: still to be resolved against the map's own place. */
export interface OriginalPlace {
  readonly source: string;
  readonly line: number;
  readonly column: number;
  /** What the function is called there; undefined when the map does not say. */
  readonly functionName: string | undefined;
}

/** Where the text of one generated line comes from. */
export interface OriginalLine {
  readonly source: string;
  readonly line: number;
}

export interface OriginalsQuery {
  readonly places: readonly GeneratedPlace[];
  /** Generated lines, 1-based. */
  readonly lines: readonly number[];
  /** The generated text, to tell a function's name from the other names around it; undefined beyond the end. */
  readonly textOfLine: (line: number) => string | undefined;
}

/**
 * Looks all of them up in one pass over the mappings, at some 300 MB/s, without a table of them: memory is that of the questions. What the
 * map knows nothing about is undefined. A line counts as known when its whole text comes from one place of one source, a statement at most:
 * a minified line is not. Throws `unreadable-source-map`, `analysis-limit`.
 */
export function findOriginals(
  map: SourceMap,
  query: OriginalsQuery,
): { places: (OriginalPlace | undefined)[]; lines: (OriginalLine | undefined)[] } {
  const places = new PlaceSearch(query);
  const lines = new LineSearch(query.lines);
  const lastLine = Math.max(places.lastLine, lines.lastLine);
  map.sections.forEach((section, index) => {
    if (section.line > lastLine) return;
    const next = map.sections[index + 1];
    let columnOffset = section.column;
    readMappings(section.mappings, section.mappingsOffset, {
      line: (line) => {
        columnOffset = line === 0 ? section.column : 0;
        const generated = line + section.line;
        places.begin(generated, index);
        lines.begin(generated);
        return generated <= lastLine;
      },
      segment: (segment) => {
        const column = segment.column + columnOffset;
        if (next !== undefined && isBeyond(segment.line + section.line, { column, next })) return;
        places.add(segment, { column, section });
        lines.add(segment, { column, section });
      },
    });
  });
  return { places: places.finish(map), lines: lines.finish() };
}

/** How many generated lines the map speaks of: more than the script has says that it belongs to another build. */
export function countGeneratedLines({ sections }: SourceMap): number {
  const last = sections.at(-1);
  if (last === undefined) return 0;
  let end = last.mappings.length;
  while (last.mappings[end - 1] === 0x3b) end--;
  if (end === 0) return last.line;
  let lines = last.line + 1;
  for (let at = last.mappings.indexOf(0x3b); at !== -1 && at < end; at = last.mappings.indexOf(0x3b, at + 1)) lines++;
  return lines;
}

function isBeyond(line: number, { column, next }: { column: number; next: SourceMapSection }): boolean {
  return line > next.line || (line === next.line && column >= next.column);
}

interface Where {
  readonly column: number;
  readonly section: SourceMapSection;
}

/**
 * The questions in the order of the text. A segment is remembered at the first question at or behind it, the last such segment counts; in
 * the end each question without one of its own takes that of the question before it on its line.
 */
class PlaceSearch {
  readonly lastLine: number;
  readonly #query: OriginalsQuery;
  /** Questions in the order of the text, by index in the query. */
  readonly #order: Uint32Array;
  /** Per question in that order, 0-based. */
  readonly #columns: Uint32Array;
  readonly #ranges = new Map<number, { start: number; end: number }>();
  readonly #best: FoundSegments;
  /** Of segments with the same column the first counts where the question is exactly there, else the last: as other readers have it. */
  readonly #exact: FoundSegments;
  readonly #names: { name: string; distance: number }[];
  #section = 0;
  #start = 0;
  #end = 0;
  #at = 0;
  #text: string | undefined;

  constructor(query: OriginalsQuery) {
    const { places } = query;
    this.#query = query;
    this.#order = Uint32Array.from(places.keys()).sort(
      (a, b) => places[a]!.line - places[b]!.line || places[a]!.column - places[b]!.column,
    );
    this.#columns = this.#order.map((index) => places[index]!.column - 1);
    this.#best = new FoundSegments(places.length);
    this.#exact = new FoundSegments(places.length);
    this.#names = places.map(() => ({ name: '', distance: Infinity }));
    this.#order.forEach((index, position) => {
      const line = places[index]!.line - 1;
      const range = this.#ranges.get(line);
      if (range === undefined) this.#ranges.set(line, { start: position, end: position + 1 });
      else range.end = position + 1;
    });
    this.lastLine = places.reduce((last, { line }) => Math.max(last, line - 1), -1);
  }

  begin(line: number, section: number): void {
    const range = this.#ranges.get(line);
    this.#section = section;
    this.#start = this.#at = range?.start ?? 0;
    this.#end = range?.end ?? 0;
    this.#text = range === undefined ? undefined : this.#query.textOfLine(line + 1);
  }

  add(segment: Segment, { column, section }: Where): void {
    if (this.#start === this.#end) return;
    const columns = this.#columns;
    // Generators go forward; what goes back is legal, and starts again.
    if (this.#at > this.#start && columns[this.#at - 1]! >= column) this.#at = this.#start;
    while (this.#at < this.#end && columns[this.#at]! < column) this.#at++;
    if (segment.name !== -1 && this.#text !== undefined) this.#offerName(column, section.names[segment.name]);
    if (this.#at === this.#end) return;
    const known = this.#best.columns[this.#at]!;
    if (known <= column) this.#best.set(this.#at, segment, { column, section: this.#section });
    if (columns[this.#at] === column && this.#exact.columns[this.#at] === -1)
      this.#exact.set(this.#at, segment, { column, section: this.#section });
  }

  finish(map: SourceMap): (OriginalPlace | undefined)[] {
    const found = new Array<OriginalPlace | undefined>(this.#order.length).fill(undefined);
    for (const { start, end } of this.#ranges.values()) {
      let best = start;
      for (let at = start; at < end; at++) {
        if (this.#best.columns[at]! >= this.#best.columns[best]!) best = at;
        const place = this.#exact.columns[at] === -1 ? this.#best.place(best, map) : this.#exact.place(at, map);
        if (place !== undefined)
          found[this.#order[at]!] = { ...place, functionName: this.#names[at]!.name || undefined };
      }
    }
    return found;
  }

  #offerName(column: number, name: string | undefined): void {
    if (name === undefined || name === '') return;
    let first = this.#at;
    while (first > this.#start && this.#columns[first - 1]! >= column - nameReach.before) first--;
    for (let at = first; at < this.#end && this.#columns[at]! <= column + nameReach.after; at++) {
      const { functionName } = this.#query.places[this.#order[at]!]!;
      const known = this.#names[at]!;
      const distance = nameDistance(this.#text!, { column, place: this.#columns[at]!, functionName });
      if (distance < known.distance) this.#names[at] = { name, distance };
    }
  }
}

/** A segment per question, as columns: an object per segment that is seen would take twice the time of all the rest. */
class FoundSegments {
  /** -1: none. */
  readonly columns: Int32Array;
  readonly #sections: Int32Array;
  readonly #sources: Int32Array;
  readonly #lines: Int32Array;
  readonly #originalColumns: Int32Array;

  constructor(length: number) {
    this.columns = new Int32Array(length).fill(-1);
    this.#sections = new Int32Array(length);
    this.#sources = new Int32Array(length);
    this.#lines = new Int32Array(length);
    this.#originalColumns = new Int32Array(length);
  }

  set(at: number, segment: Segment, { column, section }: { column: number; section: number }): void {
    this.columns[at] = column;
    this.#sections[at] = section;
    this.#sources[at] = segment.source;
    this.#lines[at] = segment.originalLine;
    this.#originalColumns[at] = segment.originalColumn;
  }

  place(at: number, { sections }: SourceMap): { source: string; line: number; column: number } | undefined {
    if (this.columns[at] === -1) return undefined;
    const source = sections[this.#sections[at]!]?.sources[this.#sources[at]!] ?? undefined;
    return source === undefined
      ? undefined
      : { source, line: this.#lines[at]! + 1, column: this.#originalColumns[at]! + 1 };
  }
}

/** A statement that a formatter broke over more lines than this is rare; a minified line spans far more. */
const statementLinesMax = 8;

class LineSearch {
  readonly lastLine: number;
  readonly #lines: readonly number[];
  readonly #found = new Map<number, FoundLine>();
  #current: FoundLine | undefined;

  constructor(lines: readonly number[]) {
    this.#lines = lines;
    for (const line of lines)
      this.#found.set(line - 1, { column: Infinity, source: null, line: 0, from: Infinity, to: -1, isMixed: false });
    this.lastLine = lines.reduce((last, line) => Math.max(last, line - 1), -1);
  }

  begin(line: number): void {
    this.#current = this.#found.get(line);
  }

  add(segment: Segment, { column, section }: Where): void {
    const found = this.#current;
    if (found === undefined || segment.source === -1) return;
    const source = section.sources[segment.source] ?? null;
    if (found.to !== -1 && source !== found.source) found.isMixed = true;
    if (column < found.column) Object.assign(found, { column, source, line: segment.originalLine });
    found.from = Math.min(found.from, segment.originalLine);
    found.to = Math.max(found.to, segment.originalLine);
  }

  finish(): (OriginalLine | undefined)[] {
    return this.#lines.map((asked) => {
      const { source, line, from, to, isMixed } = this.#found.get(asked - 1)!;
      if (source === null || isMixed || to - from >= statementLinesMax) return undefined;
      return { source, line: line + 1 };
    });
  }
}

interface FoundLine {
  column: number;
  source: string | null;
  line: number;
  from: number;
  to: number;
  isMixed: boolean;
}
