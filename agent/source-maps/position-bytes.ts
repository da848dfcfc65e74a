import { deflateRawSync, inflateRawSync } from 'node:zlib';
import type { LineRow, PlaceRow, SourcePositions } from '../../protocol/source-map/original.ts';

/** A profile of a bundle has some thousand functions of about 150 B, and shrinks to a tenth. */
const plainBytesMax = 4 * 1024 * 1024;

/** For the store. Over the bound the places go first to whom they belong: functions before lines; undefined when there is nothing. */
export function encodePositions({ places, lines }: SourcePositions): Uint8Array | undefined {
  if (places.length === 0 && lines.length === 0) return undefined;
  let sizeBytes = 0;
  // JSON of latin1 text; other text counts for more than it takes.
  const fits = (row: PlaceRow | LineRow): boolean => (sizeBytes += JSON.stringify(row).length + 1) < plainBytesMax / 2;
  const kept = { places: places.filter(fits), lines: lines.filter(fits) };
  return deflateRawSync(JSON.stringify(kept));
}

/** Of bytes that `encodePositions` made: the index holds nothing else. */
export function decodePositions(bytes: Uint8Array): SourcePositions {
  return JSON.parse(inflateRawSync(bytes, { maxOutputLength: plainBytesMax * 2 }).toString('utf8')) as SourcePositions;
}
