import { unreadable } from './raw-profile.ts';

/**
 * `startTime` and `endTime` of a .cpuprofile as V8 writes it, without reading the rest: they stand between the nodes and the samples. Microseconds of the target's
 * CLOCK_MONOTONIC. Throws `unreadable-profile` for any other shape.
 */
export function readWindowTimes(bytes: Uint8Array): { startUs: number; endUs: number } {
  // Behind it are only numbers, so the last one is it, whatever the functions are called.
  const at = lastIndexOf(bytes, marker);
  const text = new TextDecoder().decode(bytes.subarray(Math.max(0, at), at + 120));
  const [, start, end] = /^\],"startTime":(-?\d{1,17}),"endTime":(-?\d{1,17}),/.exec(text) ?? [];
  if (at === -1 || start === undefined || end === undefined) throw unreadable('it has no times where V8 writes them');
  return { startUs: Number(start), endUs: Number(end) };
}

const marker = new TextEncoder().encode('],"startTime":');

function lastIndexOf(bytes: Uint8Array, wanted: Uint8Array): number {
  for (let at = bytes.lastIndexOf(wanted[0]!); at !== -1; at = at === 0 ? -1 : bytes.lastIndexOf(wanted[0]!, at - 1)) {
    if (wanted.every((byte, index) => bytes[at + index] === byte)) return at;
  }
  return -1;
}
