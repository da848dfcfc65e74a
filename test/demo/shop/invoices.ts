import { pbkdf2Sync } from 'node:crypto';

/** Blocks the event loop for about `durationMs` in native code, some 5 ms at a time. */
export function signInvoice(id: string, durationMs: number): string {
  const endMs = performance.now() + durationMs;
  let seal: Buffer = Buffer.from(id);
  do seal = pbkdf2Sync(seal, 'shop', 10_000, 32, 'sha256');
  while (performance.now() < endMs);
  return seal.toString('hex');
}

/** Blocks in a regular expression that tries every way to split the words: each character more doubles the time. */
export function isProperReference(reference: string): boolean {
  return /^(\w+\s?)*$/.test(reference);
}
