/** Names that V8 gives to what has no content of its own. */
const neutral: ReadonlySet<string> = new Set([
  '',
  '<dummy>',
  '(concatenated string)',
  '(sliced string)',
  '(internalized string)',
  'heap number',
  'smi number',
  'double number',
  'number',
  'bigint',
]);

/** Programmers' names are shorter; minified ones too. */
const LABEL_MAX = 48;

/**
 * Is a property's key or a function's name data rather than a programmer's word? Everything with three digits in a row or
 * four in all, with separators that no name has, with a run of letters and digits mixed as in ids, or very long.
 */
export function isDataKey(text: string): boolean {
  if (neutral.has(text)) return false;
  const name = text.replace(/^<symbol (.*)>$/s, '$1').replace(/^(?:get|set|bound|async|static) /, '');
  if (name.length > LABEL_MAX) return true;
  const rest = name.replace(knownNumbers, '');
  if (/\d{3}/.test(rest) || rest.replace(/\D/g, '').length >= 4) return true;
  // Hexadecimal and base 36: letters and digits that change places more than a name does.
  if ((rest.match(/[a-z](?=\d)|\d(?=[a-z])/gi) ?? []).length >= 4) return true;
  // Base 62: capitals within words, and a digit.
  if (/\d/.test(rest) && rest.length >= 14 && (rest.match(/[a-z][A-Z]/g) ?? []).length >= 3) return true;
  // `node:fs`, `Symbol.iterator`, `content-type`, `[nodejs.util.inspect.custom]`, `#private`, `<anonymous>`, `./a.js` are names.
  return !/^[\p{L}\p{N}_$#.<>[\]:/-]*$/u.test(rest) || /-\p{L}*\d/u.test(rest);
}

/** Numbers that are part of a programmer's words: `utf16le`, `sha256`, `readBigUInt64LE`, `x509`, `es2024`. */
const knownNumbers =
  /(?:utf|ucs|latin|iso|sha|md|aes|rsa|base|int|float|http|ipv|win|es|crc|x)[-_]?(?:1|2|3|4|5|6|7|8|16|24|32|48|64|86|128|160|192|224|256|384|509|512|1252|8859|20\d\d)(?!\d)/gi;

/** Replaces texts by letters, equal ones by equal ones: xxHash-like mixing of the salt, the text and the place. */
export class Redactor {
  readonly #seed: number;
  readonly #seed2: number;

  constructor(salt: Uint8Array) {
    let [a, b] = [0x811c9dc5, 0x9e3779b9];
    for (const byte of salt) {
      a = mix(a ^ byte);
      b = mix(b + byte + 0x7f4a7c15);
    }
    this.#seed = a;
    this.#seed2 = b;
  }

  content(text: string): string {
    return neutral.has(text) ? text : this.replace(text);
  }

  /** Of an object with many properties that no other object has: kept when it is written as code is. */
  rareKey(text: string): string {
    return isDataKey(text) || !isCodeWord(text) ? this.replace(text) : text;
  }

  /** `12 / part of key (Object @7) -> value (a string @9) pair in WeakMap (table @5)`: V8 quotes both. */
  ephemeron(text: string, isValueString: boolean): string {
    const match = /^(.*part of key \()(.*)( @\d+\) -> value \()(.*)( @\d+\) pair in WeakMap.*)$/s.exec(text);
    if (match === null) return text;
    const [, head = '', key = '', middle = '', value = '', tail = ''] = match;
    const shown = (name: string): string =>
      /^[\p{L}_$][\p{L}\d_$ /.()]*$/u.test(name) && !isDataKey(name) ? name : this.replace(name);
    return `${head}${shown(key)}${middle}${isValueString ? this.replace(value) : shown(value)}${tail}`;
  }

  /** As many UTF-16 units, all of them letters a to z. */
  replace(text: string): string {
    let h = this.#seed;
    let g = this.#seed2;
    for (let at = 0; at < text.length; at++) {
      const unit = text.charCodeAt(at);
      h = mix(h ^ unit);
      g = mix((g + unit) | 0);
    }
    let replaced = '';
    for (let at = 0; at < text.length; at++) {
      h = mix((h + g + at) | 0);
      replaced += letters[(h >>> 8) % 26]!;
    }
    return replaced;
  }
}

const letters = 'abcdefghijklmnopqrstuvwxyz';

function mix(value: number): number {
  let x = Math.imul(value ^ (value >>> 16), 0x85ebca6b);
  x = Math.imul(x ^ (x >>> 13), 0xc2b2ae35);
  return (x ^ (x >>> 16)) | 0;
}

/** camelCase, snake_case, CONSTANTS, `get size`, symbols: `Alice` and `invoice` may be anybody's. */
function isCodeWord(text: string): boolean {
  return /^(?:<symbol .*>|(?:get|set) .*|[_$#].*|.*[a-z][A-Z].*|[A-Z][A-Z\d]+|.*_.*)$/s.test(text);
}
