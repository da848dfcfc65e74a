import { SidescopeError } from '../error.ts';
import { ByteWriter } from './byte-writer.ts';
import { readPprofFile } from './pprof-file.ts';
import type { PprofFile } from './pprof-file.ts';

export type PprofLabels = Readonly<Record<string, string>>;

/** Stacks with their labels; one of 30 s has some thousands, so this is for hundreds of pods. */
const SAMPLES_MAX = 5_000_000;

/**
 * Several pprof files as one: values of equal stacks with equal labels are added up, and `labels` of each file stand at its samples, so that `pprof -tagfocus`
 * or `-tagroot` takes them apart again. What it holds grows with what is different in them: equal functions, places and stacks are kept once. For files of
 * V8: mappings and addresses are left out, stacks are told apart by function and line.
 */
export class PprofMerger {
  #head: Head | undefined;
  readonly #texts = new Numbered<string>(['']);
  readonly #functions = new Numbered<string>();
  readonly #functionRows: (readonly number[])[] = [];
  readonly #locations = new Numbered<string>();
  readonly #locationRows: (readonly (readonly [fn: number, line: number])[])[] = [];
  readonly #stacks = new Numbered<string>();
  readonly #stackRows: (readonly number[])[] = [];
  readonly #labelSets = new Numbered<string>();
  readonly #labelRows: (readonly LabelNumbers[])[] = [];
  readonly #samples = new Map<number, number>();
  readonly #sampleRows: [stack: number, labels: number][] = [];
  readonly #values: number[] = [];
  #files = 0;

  /** Gives the sum of its first value: for CPU the samples, for heap sampling the bytes. `bytes` is not compressed. Throws `unreadable-profile`; `unmergeable-profiles` when its values are of another kind than those before. */
  add(bytes: Uint8Array, labels: PprofLabels = {}): number {
    const file = readPprofFile(bytes);
    const types = file.sampleTypes.map(({ type, unit }) => `${file.texts[type] ?? ''}/${file.texts[unit] ?? ''}`);
    this.#join(file, types);
    const stackOf = this.#places(file);
    const own = Object.entries(labels).map(([key, value]): LabelNumbers => [this.#text(key), this.#text(value), 0, 0]);
    for (const sample of file.samples) {
      const stack = stackOf(sample.locations);
      const set = [
        ...sample.labels.map(([key, text, number, unit]): LabelNumbers => [
          this.#text(file.texts[key] ?? ''),
          this.#text(file.texts[text] ?? ''),
          number,
          this.#text(file.texts[unit] ?? ''),
        ]),
        ...own,
      ];
      this.#addSample(stack, this.#labelSet(set), sample.values);
    }
    this.#files++;
    return file.samples.reduce((sum, { values }) => sum + (values[0] ?? 0), 0);
  }

  get files(): number {
    return this.#files;
  }

  /** Not compressed. Throws `unmergeable-profiles` when none was added. */
  finish(): Uint8Array<ArrayBuffer> {
    const head = this.#head;
    if (head === undefined) throw new SidescopeError('unmergeable-profiles', 'there is no profile to merge');
    const writer = new ByteWriter();
    const [defaultText, periodType] = [this.#text(head.defaultType), head.periodType.map((text) => this.#text(text))];
    const pair = (field: number, [type = 0, unit = 0]: readonly number[]): void =>
      writer.messageField(field, (inner) => {
        inner.varintField(1, type);
        inner.varintField(2, unit);
      });
    for (const type of head.types)
      pair(
        1,
        type.split('/').map((text) => this.#text(text)),
      );
    this.#writeSamples(writer, head.types.length);
    this.#writePlaces(writer);
    writer.varintField(9, BigInt(Math.round(head.timeNs)));
    writer.varintField(10, Math.round(head.durationNs));
    pair(11, periodType);
    writer.varintField(12, head.periodNs);
    writer.packedField(
      13,
      [...head.comments].map((comment) => this.#text(comment)),
    );
    writer.varintField(14, defaultText);
    for (const text of this.#texts.keys) writer.textField(6, text);
    return writer.bytes;
  }

  #join(file: PprofFile, types: readonly string[]): void {
    const text = (index: number): string => file.texts[index] ?? '';
    const head = (this.#head ??= {
      types,
      defaultType: text(file.defaultType),
      periodType: [text(file.periodType.type), text(file.periodType.unit)],
      periodNs: file.period,
      timeNs: file.timeNs,
      durationNs: 0,
      comments: new Set(),
    });
    if (head.types.join() !== types.join()) {
      throw new SidescopeError(
        'unmergeable-profiles',
        `a profile has the values ${types.join(', ')}, those before have ${head.types.join(', ')}`,
      );
    }
    // 0: it says no time.
    if (file.timeNs > 0) head.timeNs = head.timeNs === 0 ? file.timeNs : Math.min(head.timeNs, file.timeNs);
    head.periodNs = Math.max(head.periodNs, file.period);
    // As Go's pprof does: the share of busy time is then of the time of all of them.
    head.durationNs += file.durationNs;
    for (const comment of file.comments) head.comments.add(text(comment));
  }

  /** What the numbers of this file's places are here. */
  #places(file: PprofFile): (locations: readonly number[]) => number {
    const functionOf = new Map<number, number>();
    for (const [id, { name, systemName, file: path, line }] of file.functions) {
      const row = [name, systemName, path].map((text) => this.#text(file.texts[text] ?? ''));
      row.push(line);
      functionOf.set(
        id,
        this.#functions.of(row.join(), () => this.#functionRows.push(row)),
      );
    }
    const locationOf = new Map<number, number>();
    for (const [id, lines] of file.locations) {
      const rows = lines.map(([fn, line]) => [functionOf.get(fn) ?? 0, line] as const);
      locationOf.set(
        id,
        this.#locations.of(rows.join(';'), () => this.#locationRows.push(rows)),
      );
    }
    return (locations) => {
      const stack = locations.map((id) => (locationOf.get(id) ?? -1) + 1);
      return this.#stacks.of(stack.join(), () => this.#stackRows.push(stack));
    };
  }

  #labelSet(labels: readonly LabelNumbers[]): number {
    return this.#labelSets.of(labels.join(';'), () => this.#labelRows.push(labels));
  }

  #addSample(stack: number, labels: number, values: readonly number[]): void {
    const width = this.#head!.types.length;
    // Both are far below 2^26.
    const key = stack * 2 ** 26 + labels;
    let index = this.#samples.get(key);
    if (index === undefined) {
      index = this.#sampleRows.push([stack, labels]) - 1;
      if (index === SAMPLES_MAX) {
        throw new SidescopeError(
          'unmergeable-profiles',
          `the profiles have more than ${SAMPLES_MAX} different stacks; take fewer`,
        );
      }
      this.#samples.set(key, index);
      for (let at = 0; at < width; at++) this.#values.push(0);
    }
    for (let at = 0; at < width; at++) this.#values[index * width + at]! += values[at] ?? 0;
  }

  #text(value: string): number {
    return this.#texts.of(value);
  }

  #writeSamples(writer: ByteWriter, width: number): void {
    this.#sampleRows.forEach(([stack, labels], index) => {
      writer.messageField(2, (sample) => {
        sample.packedField(1, this.#stackRows[stack]!);
        sample.packedField(2, this.#values.slice(index * width, (index + 1) * width));
        for (const numbers of this.#labelRows[labels]!) {
          sample.messageField(3, (label) => numbers.forEach((number, at) => label.varintField(at + 1, number)));
        }
      });
    });
  }

  #writePlaces(writer: ByteWriter): void {
    this.#locationRows.forEach((lines, index) => {
      writer.messageField(4, (location) => {
        location.varintField(1, index + 1);
        for (const [fn, line] of lines) {
          location.messageField(4, (inner) => {
            inner.varintField(1, fn + 1);
            inner.varintField(2, line);
          });
        }
      });
    });
    this.#functionRows.forEach((row, index) => {
      writer.messageField(5, (inner) => {
        inner.varintField(1, index + 1);
        row.forEach((number, at) => inner.varintField(at + 2, number));
      });
    });
  }
}

interface Head {
  readonly types: readonly string[];
  readonly defaultType: string;
  readonly periodType: readonly string[];
  readonly comments: Set<string>;
  periodNs: number;
  timeNs: number;
  durationNs: number;
}

/** As in the file: key, text, number, unit of the number. */
type LabelNumbers = readonly [number, number, number, number];

/** Numbers from 0 on, in order of first sight. */
class Numbered<Key> {
  readonly #numbers: Map<Key, number>;

  constructor(first: readonly Key[] = []) {
    this.#numbers = new Map(first.map((key, index) => [key, index]));
  }

  of(key: Key, onNew?: () => void): number {
    const known = this.#numbers.get(key);
    if (known !== undefined) return known;
    const number = this.#numbers.size;
    this.#numbers.set(key, number);
    onNew?.();
    return number;
  }

  get keys(): Iterable<Key> {
    return this.#numbers.keys();
  }
}
