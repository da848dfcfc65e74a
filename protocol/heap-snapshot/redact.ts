import { notSnapshot } from './layout.ts';
import { isDataKey, Redactor } from './redact-text.ts';
import { RedactionUses } from './redact-uses.ts';
import { SnapshotScanner } from './scan.ts';
import type { SnapshotSink } from './scan.ts';

export interface RedactionOptions {
  /** Equal contents get equal replacements under one salt: keep it to compare two files, forget it to make them unrelated. */
  readonly salt: Uint8Array;
  /** Takes the output, in order; the bytes are the callee's. */
  readonly write: (bytes: Uint8Array<ArrayBuffer>) => void;
}

export interface RedactionCounts {
  readonly strings: number;
  /** Contents of strings, numbers and patterns. */
  readonly replacedContents: number;
  /** Names of properties and functions that look like data. */
  readonly replacedKeys: number;
}

/**
 * Copies a .heapsnapshot, byte for byte up to its `"strings"`, and those with data replaced: a machine like SnapshotReader.
 * Replacements have the length of the original (in UTF-16 units), so that sizes still fit; graph, ids and sizes are untouched.
 *
 * - Replaced: what is the content of a string, number, BigInt or regular expression, and nothing else in the graph.
 * - Replaced: property keys and names of functions that look like data (digits, separators, long), and keys that only one
 *   object has which has many such: a dictionary by name.
 * - Kept: names of classes, variables, files and V8's own structures, and property keys that look like a programmer's.
 *
 * A plain word that is a key of a small object is taken for a property's name. Holds 6 bytes per node and 6 per string.
 */
export class SnapshotRedactor {
  readonly #scanner: SnapshotScanner;
  readonly #sink: RedactingSink;

  constructor(options: RedactionOptions) {
    this.#sink = new RedactingSink(options);
    this.#scanner = new SnapshotScanner(this.#sink);
  }

  push(bytes: Uint8Array): void {
    this.#sink.begin(bytes);
    this.#scanner.push(bytes);
    this.#sink.end(bytes.length);
  }

  /** Throws when the snapshot is not whole: the output must then be thrown away. */
  finish(): RedactionCounts {
    this.#scanner.finish();
    return this.#sink.counts();
  }
}

const OUTPUT_BYTES = 256 * 1024;
const OPENING_PARENTHESIS = 0x28;

class RedactingSink implements SnapshotSink {
  readonly strings = {
    open: (at: number): void => this.#open(at),
    add: (bytes: Uint8Array, from: number, to: number): void => this.#add(bytes.subarray(from, to)),
    close: (at: number): void => this.#close(at),
  };
  readonly #write: RedactionOptions['write'];
  readonly #redactor: Redactor;
  #uses: RedactionUses | undefined;
  #chunk: Uint8Array = new Uint8Array(0);
  /** Of the chunk, what is not written yet; -1 while a string is open. */
  #copied = 0;
  #kept: Uint8Array[] = [];
  #index = 0;
  #replacedContents = 0;
  #replacedKeys = 0;
  readonly #decoder = new TextDecoder('utf-8', { ignoreBOM: true });
  readonly #encoder = new TextEncoder();
  #output = new Uint8Array(OUTPUT_BYTES);
  #outputLength = 0;

  constructor({ salt, write }: RedactionOptions) {
    this.#write = write;
    this.#redactor = new Redactor(salt);
  }

  header(value: unknown): void {
    this.#uses = new RedactionUses(value);
  }

  section(name: 'nodes' | 'edges' | 'locations') {
    if (name === 'locations') return undefined;
    if (this.#uses === undefined) throw notSnapshot(`"${name}" stands before "snapshot", which says how to read it`);
    return name === 'nodes' ? this.#uses.nodes() : this.#uses.edges();
  }

  begin(chunk: Uint8Array): void {
    this.#chunk = chunk;
    if (this.#copied !== -1) this.#copied = 0;
  }

  end(length: number): void {
    if (this.#copied !== -1) this.#copy(this.#chunk.subarray(this.#copied, length));
    // The chunk is the caller's, who fills it anew; `slice` of a Buffer would not copy.
    else this.#kept = [new Uint8Array(concat(this.#kept))];
    this.#chunk = new Uint8Array(0);
  }

  counts(): RedactionCounts {
    this.#flush();
    return { strings: this.#index, replacedContents: this.#replacedContents, replacedKeys: this.#replacedKeys };
  }

  /** `at`: of the first byte behind the opening quote. */
  #open(at: number): void {
    if (this.#uses?.isComplete !== true) throw notSnapshot('"strings" stands before "nodes" and "edges"');
    this.#copy(this.#chunk.subarray(this.#copied, at));
    this.#copied = -1;
    this.#kept = [];
  }

  #add(bytes: Uint8Array): void {
    if (bytes.length > 0) this.#kept.push(bytes);
  }

  /** `at`: of the closing quote. */
  #close(at: number): void {
    this.#copied = at;
    const index = this.#index++;
    const use = this.#uses!.of(index);
    const raw = this.#kept.length === 1 ? this.#kept[0]! : concat(this.#kept);
    if (use === 'label' || (use.startsWith('internal') && !raw.includes(OPENING_PARENTHESIS))) return this.#copy(raw);
    const text = JSON.parse(`"${this.#decoder.decode(raw)}"`) as string;
    const replaced = this.#replacement(text, use);
    if (replaced === text) return this.#copy(raw);
    if (use === 'content') this.#replacedContents++;
    else this.#replacedKeys++;
    this.#copy(this.#encoder.encode(JSON.stringify(replaced).slice(1, -1)));
  }

  #replacement(text: string, use: 'content' | 'key' | 'rare-key' | 'internal' | 'internal-to-string'): string {
    switch (use) {
      case 'content':
        return this.#redactor.content(text);
      case 'key':
        return isDataKey(text) ? this.#redactor.replace(text) : text;
      case 'rare-key':
        return this.#redactor.rareKey(text);
      case 'internal':
      case 'internal-to-string':
        return this.#redactor.ephemeron(text, use === 'internal-to-string');
    }
  }

  #copy(bytes: Uint8Array): void {
    for (let from = 0; from < bytes.length;) {
      if (this.#outputLength === OUTPUT_BYTES) this.#flush();
      const part = bytes.subarray(from, from + OUTPUT_BYTES - this.#outputLength);
      this.#output.set(part, this.#outputLength);
      this.#outputLength += part.length;
      from += part.length;
    }
  }

  #flush(): void {
    if (this.#outputLength === 0) return;
    this.#write(this.#output.subarray(0, this.#outputLength));
    this.#output = new Uint8Array(OUTPUT_BYTES);
    this.#outputLength = 0;
  }
}

function concat(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
