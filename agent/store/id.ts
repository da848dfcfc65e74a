import { randomBytes } from 'node:crypto';

/** Crockford's base 32, in lower case: file names stay the same on systems that fold case. */
const alphabet = '0123456789abcdefghjkmnpqrstvwxyz';
/** 26 digits hold 130 bits and an id has 128, so the first digit is at most 7. */
const idPattern = /^[0-7][0-9a-hjkmnp-tv-z]{25}$/;

let lastMs = 0;
let lastRandom = 0n;

/** A lower-case ULID. Later ids of one process sort after earlier ones, also within a millisecond and when the clock goes back. */
export function newId(nowMs: number = Date.now()): string {
  if (nowMs > lastMs) {
    lastMs = nowMs;
    // 79 of 80 bits, so that counting up within the millisecond does not overflow.
    lastRandom = BigInt(`0x${randomBytes(10).toString('hex')}`) >> 1n;
  } else {
    lastRandom += 1n;
  }
  let rest = (BigInt(lastMs) << 80n) | lastRandom;
  let id = '';
  for (let digit = 0; digit < 26; digit++) {
    id = alphabet.charAt(Number(rest & 31n)) + id;
    rest >>= 5n;
  }
  return id;
}

/** Nothing else is ever made into a path. */
export function isId(text: string): boolean {
  return idPattern.test(text);
}
