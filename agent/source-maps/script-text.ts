const newline = 0x0a;

/** The lines of a script, decoded when they are asked for: often one line is all there is, and megabytes long. */
export class ScriptText {
  readonly #bytes: Uint8Array;
  readonly #starts: readonly number[];
  #last: { line: number; text: string } | undefined;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    const starts = [0];
    for (let at = bytes.indexOf(newline); at !== -1; at = bytes.indexOf(newline, at + 1)) starts.push(at + 1);
    this.#starts = starts;
  }

  get lineCount(): number {
    return this.#starts.length;
  }

  /** Lines of a formatter have some 40 characters, those of a hand at most a few hundred. */
  get isMinified(): boolean {
    return this.#bytes.length > 10_000 && this.#bytes.length / this.lineCount > 400;
  }

  /** 1-based; undefined beyond the end. */
  line(line: number): string | undefined {
    const start = this.#starts[line - 1];
    if (start === undefined) return undefined;
    if (this.#last?.line !== line) {
      const end = this.#starts[line] ?? this.#bytes.length;
      this.#last = { line, text: new TextDecoder().decode(this.#bytes.subarray(start, end)) };
    }
    return this.#last.text;
  }
}
