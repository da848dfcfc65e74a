import { deflateRawSync, inflateRawSync } from 'node:zlib';
import type { ProfileSource, SourceFunction, SourceLine } from '../../protocol/rest/profile-source.ts';

/** Some 60 lines of 20 functions; it shrinks to a quarter. */
const plainBytesMax = 64 * 1024;
/** Of JSON text, whatever is in it: the bound is on what is kept, and this is at most twice that and braces. */
const inflatedBytesMax = 4 * plainBytesMax;

export type KeptSource = Pick<ProfileSource, 'functions' | 'omittedLines'>;

export interface EncodedSource {
  readonly bytes: Uint8Array;
  readonly omittedLines: number;
}

/** For the store; undefined when there is nothing. Over the bound the hottest functions keep their lines, the hottest lines first. */
export function encodeSourceLines(found: readonly SourceFunction[]): EncodedSource | undefined {
  if (found.length === 0) return undefined;
  let leftBytes = plainBytesMax;
  let omittedLines = 0;
  const fits = (value: unknown): boolean => {
    const sizeBytes = Buffer.byteLength(JSON.stringify(value)) + 1;
    if (sizeBytes > leftBytes) return false;
    leftBytes -= sizeBytes;
    return true;
  };
  const functions = found.flatMap((one) => {
    const isKept = fits({ ...one, lines: [] });
    const lines = isKept ? byHeat(one.lines).filter(fits) : [];
    omittedLines += one.lines.length - lines.length;
    return isKept ? [{ ...one, lines: lines.toSorted((a, b) => a.line - b.line) }] : [];
  });
  const kept: KeptSource = { functions, omittedLines };
  return { bytes: deflateRawSync(JSON.stringify(kept)), omittedLines };
}

/** Of bytes that `encodeSourceLines` made: the index holds nothing else. */
export function decodeSourceLines(bytes: Uint8Array): KeptSource {
  return JSON.parse(inflateRawSync(bytes, { maxOutputLength: inflatedBytesMax }).toString('utf8')) as KeptSource;
}

function byHeat(lines: readonly SourceLine[]): SourceLine[] {
  return lines.toSorted((a, b) => b.selfSamples - a.selfSamples);
}
