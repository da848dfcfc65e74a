/** Of each string this many bytes of its JSON text are kept: names are shorter, contents are only shown. */
const KEPT_BYTES_MAX = 256;
/** Beyond this much text only the beginnings are kept: millions of long distinct strings. */
const AMPLE_BYTES = 256 * 1024 * 1024;
const KEPT_BYTES_SCARCE = 32;
const CHUNK_BYTES = 128 * 1024;

/** The strings of a snapshot as bytes: decoded only when shown. */
export class StringTable {
  readonly #decoder = new TextDecoder('utf-8', { ignoreBOM: true });
  readonly #chunks: Uint8Array[] = [];
  #room = 0;
  #starts = new Uint32Array(1024);
  /** Kept bytes; the highest bit says that the string goes on. */
  #lengths = new Uint16Array(1024);
  #length = 0;
  #openLength = 0;
  #openLimit = 0;
  #isCut = false;

  get length(): number {
    return this.#length;
  }

  /** Begins the next string; its JSON text without quotes follows in `add`, in any pieces. */
  open(): void {
    if (this.#length === this.#starts.length) this.#grow();
    const keptBytes = this.#chunks.length * CHUNK_BYTES;
    this.#openLimit = keptBytes < AMPLE_BYTES ? KEPT_BYTES_MAX : KEPT_BYTES_SCARCE;
    // A string never lies in two chunks.
    if (this.#room < this.#openLimit) {
      this.#chunks.push(new Uint8Array(CHUNK_BYTES));
      this.#room = CHUNK_BYTES;
    }
    this.#starts[this.#length] = this.#chunks.length * CHUNK_BYTES - this.#room;
    this.#openLength = 0;
    this.#isCut = false;
  }

  add(bytes: Uint8Array, from: number, to: number): void {
    let end = to;
    if (end - from > this.#openLimit - this.#openLength) {
      end = from + this.#openLimit - this.#openLength;
      this.#isCut = true;
    }
    const chunk = this.#chunks.at(-1)!;
    let at = CHUNK_BYTES - this.#room;
    this.#openLength += end - from;
    this.#room -= end - from;
    for (let index = from; index < end; index++) chunk[at++] = bytes[index]!;
  }

  close(): void {
    const index = this.#length++;
    this.#lengths[index] = this.#openLength;
    if (this.#isCut) this.#lengths[index] = this.#wholeLength(index) | 0x8000;
  }

  /** The text, or its beginning and `…` when only that was kept. `<no string 12>` beyond the table. */
  text(index: number): string {
    if (index >= this.#length) return `<no string ${index}>`;
    const length = this.#lengths[index]!;
    const text = JSON.parse(`"${this.#decoder.decode(this.#bytes(index, length & 0x7fff))}"`) as string;
    return length >= 0x8000 ? `${text}…` : text;
  }

  isCut(index: number): boolean {
    return this.#lengths[index]! >= 0x8000;
  }

  #bytes(index: number, length: number): Uint8Array {
    const start = this.#starts[index]!;
    const inChunk = start % CHUNK_BYTES;
    return this.#chunks[(start - inChunk) / CHUNK_BYTES]!.subarray(inChunk, inChunk + length);
  }

  /** Up to the last escape sequence and UTF-8 character that is complete. */
  #wholeLength(index: number): number {
    const bytes = this.#bytes(index, this.#openLength);
    let end = 0;
    for (let at = 0; at < bytes.length;) {
      const byte = bytes[at]!;
      if (byte === 0x5c) at += bytes[at + 1] === 0x75 ? 6 : 2;
      else at += byte < 0x80 ? 1 : byte < 0xe0 ? 2 : byte < 0xf0 ? 3 : 4;
      if (at <= bytes.length) end = at;
    }
    return end;
  }

  #grow(): void {
    const starts = new Uint32Array(this.#starts.length * 2);
    starts.set(this.#starts);
    this.#starts = starts;
    const lengths = new Uint16Array(this.#lengths.length * 2);
    lengths.set(this.#lengths);
    this.#lengths = lengths;
  }
}
