import { createHash } from 'node:crypto';
import { SidescopeError } from '../../../protocol/error.ts';

/** From 0 up to 1, the same for the same pod whoever asks: a pod's place in the order of choice, and in time. */
export function placeOf(uid: string, purpose: string): number {
  return createHash('sha256').update(`${purpose}\n${uid}`).digest().readUIntBE(0, 6) / 2 ** 48;
}

/** So many of the pods, rounded up, by the hash of their uid; the order is that of `pods`. */
export function chooseShare<Pod extends { readonly uid: string }>(pods: readonly Pod[], share: number): Pod[] {
  // 0.07 * 100 is a hair above 7.
  const count = Math.ceil(pods.length * share - 1e-9);
  const chosen = new Set(pods.toSorted((a, b) => placeOf(a.uid, 'share') - placeOf(b.uid, 'share')).slice(0, count));
  return pods.filter((pod) => chosen.has(pod));
}

/** `10%` or `0.1`: above 0, at most 1. */
export function parseShare(text: string): number {
  const [, digits = '', percent] = /^(\d{1,3}(?:\.\d{1,4})?)(%)?$/.exec(text) ?? [];
  const share = Number(digits === '' ? 'NaN' : digits) / (percent === undefined ? 1 : 100);
  if (share > 0 && share <= 1) return share;
  throw new SidescopeError(
    'invalid-option',
    `--share ${JSON.stringify(text.slice(0, 40))} is no share such as 10% or 0.1`,
  );
}
