import { noCuts } from './cuts.ts';
import type { Cuts } from './cuts.ts';
import { stringBytesMax } from './limits.ts';
import type { TextSource } from './text.ts';

const slotCount = 2_048;
const idSlotCount = 1_024;
/** Holds attribute keys, span names and nearly all values; statements up to this length too. */
const internedBytesMax = 128;

/**
 * Strings that were seen lately, found by their bytes: keys, names and most values of one body repeat, and then no string is made. Direct-mapped, so a
 * flood of different values costs one slot each and no memory.
 *
 *     slot:   length  |  128 bytes  |  string
 */
export class InternTable {
  readonly #text: TextSource;
  readonly #cuts: Cuts;
  readonly #arena = new Uint8Array(slotCount * internedBytesMax);
  readonly #lengths = new Uint8Array(slotCount);
  readonly #strings = new Array<string>(slotCount).fill('');
  readonly #ids = new Int32Array(idSlotCount * 4);
  readonly #idStrings = new Array<string>(idSlotCount).fill('');

  constructor(text: TextSource, cuts = noCuts()) {
    this.#text = text;
    this.#cuts = cuts;
  }

  /** The UTF-8 between two offsets; cut at `stringBytesMax`, between two characters. */
  utf8(bytes: Uint8Array, start: number, end: number): string {
    const length = end - start;
    if (length === 0) return '';
    if (length > internedBytesMax) {
      if (length <= stringBytesMax) return this.#text.utf8(bytes, start, end);
      this.#cuts.strings++;
      return this.#text.utf8(bytes, start, characterEnd(bytes, start + stringBytesMax));
    }
    return this.#find(bytes, start, length) ?? this.#keep(this.#text.utf8(bytes, start, end), { bytes, start, length });
  }

  /**
   * An id of 8 or 16 bytes in lower-case hex; empty for one of zeros, which stands for none. Of neighbours in a body the trace id is mostly the same, and a parent's id is mostly there as a span's:
   * one string serves all, which the store gains from too.
   */
  hex(bytes: Uint8Array, start: number, end: number): string {
    const ids = this.#ids;
    const a = word(bytes, start);
    const b = word(bytes, start + 4);
    const isLong = end - start > 8;
    const c = isLong ? word(bytes, start + 8) : 0;
    const d = isLong ? word(bytes, start + 12) : 0;
    if ((a | b | c | d) === 0) return '';
    const slot = (a ^ (a >>> 15) ^ b ^ (b >>> 13)) & (idSlotCount - 1);
    const at = slot * 4;
    const known = this.#idStrings[slot] ?? '';
    if (
      ids[at] === a &&
      ids[at + 1] === b &&
      ids[at + 2] === c &&
      ids[at + 3] === d &&
      known.length === (end - start) * 2
    )
      return known;
    ids[at] = a;
    ids[at + 1] = b;
    ids[at + 2] = c;
    ids[at + 3] = d;
    return (this.#idStrings[slot] = this.#text.hex(bytes, start, end));
  }

  #slot = 0;

  #find(bytes: Uint8Array, start: number, length: number): string | undefined {
    const last = start + length - 1;
    // Lengths, both ends and the middle tell keys and values apart; what collides is compared, and replaced.
    let hash = (length * 0x9e3779b1) ^ ((bytes[start] ?? 0) * 0x85ebca6b) ^ ((bytes[last] ?? 0) * 0xc2b2ae35);
    hash =
      Math.imul(hash ^ (bytes[start + (length >> 1)] ?? 0), 0x27d4eb2f) ^ ((bytes[start + (length >> 2)] ?? 0) << 7);
    hash = Math.imul(hash ^ (bytes[last - (length >> 2)] ?? 0), 0x165667b1) ^ ((bytes[last - 1] ?? 0) << 3);
    const slot = (hash ^ (hash >>> 15)) & (slotCount - 1);
    this.#slot = slot;
    if (this.#lengths[slot] !== length) return undefined;
    const arena = this.#arena;
    for (let from = start, at = slot * internedBytesMax; from <= last; from++, at++)
      if (bytes[from] !== arena[at]) return undefined;
    return this.#strings[slot];
  }

  #keep(text: string, { bytes, start, length }: { bytes: Uint8Array; start: number; length: number }): string {
    const slot = this.#slot;
    this.#lengths[slot] = length;
    this.#strings[slot] = text;
    const arena = this.#arena;
    for (let from = start, at = slot * internedBytesMax; from < start + length; from++, at++)
      arena[at] = bytes[from] ?? 0;
    return text;
  }
}

/** The last offset at or before `end` where a character begins. */
function characterEnd(bytes: Uint8Array, end: number): number {
  while (((bytes[end] ?? 0) & 0xc0) === 0x80) end--;
  return end;
}

function word(bytes: Uint8Array, at: number): number {
  return (bytes[at] ?? 0) | ((bytes[at + 1] ?? 0) << 8) | ((bytes[at + 2] ?? 0) << 16) | ((bytes[at + 3] ?? 0) << 24);
}
