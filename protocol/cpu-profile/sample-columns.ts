const blockLength = 65_536;

/** Samples as they come, in blocks, so that a growing list is never copied. */
export class SampleColumns {
  readonly #ids: Int32Array[] = [];
  readonly #timesUs: Float64Array[] = [];
  #length = 0;
  lastTimeUs = 0;

  get length(): number {
    return this.#length;
  }

  push(id: number, timeUs: number): void {
    const at = this.#length % blockLength;
    if (at === 0) {
      this.#ids.push(new Int32Array(blockLength));
      this.#timesUs.push(new Float64Array(blockLength));
    }
    this.#ids.at(-1)![at] = id;
    this.#timesUs.at(-1)![at] = timeUs;
    this.#length += 1;
    this.lastTimeUs = timeUs;
  }

  /** The ids with commas, in pieces. */
  *idTexts(pieceLength: number): Generator<string> {
    yield* pieces(
      this.#length,
      pieceLength,
      (index) => this.#ids[Math.floor(index / blockLength)]![index % blockLength]!,
    );
  }

  /** The times from one to the next, the first from `startUs`, with commas. */
  *deltaTexts(startUs: number, pieceLength: number): Generator<string> {
    let beforeUs = startUs;
    yield* pieces(this.#length, pieceLength, (index) => {
      const timeUs = this.#timesUs[Math.floor(index / blockLength)]![index % blockLength]!;
      const delta = timeUs - beforeUs;
      beforeUs = timeUs;
      return delta;
    });
  }
}

function* pieces(length: number, pieceLength: number, valueOf: (index: number) => number): Generator<string> {
  let text = '';
  for (let index = 0; index < length; index++) {
    text += `${index === 0 ? '' : ','}${valueOf(index)}`;
    if (text.length < pieceLength) continue;
    yield text;
    text = '';
  }
  yield text;
}
