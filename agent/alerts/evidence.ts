import type { Evidence } from './condition.ts';

/** Of one alert in all: what a sink takes as attachments, and what is still read. */
export const evidenceMaxBytes = 100_000;
const maxPieces = 16;
/** For the line that tells of a cut. */
const noteBytes = 100;

/** The same within the bound: small pieces whole, the big ones share what is left and end with a line that says so. */
export function boundEvidence(given: readonly Evidence[]): Evidence[] {
  const kept = given.slice(0, maxPieces);
  const shares = sharesOf(kept.map(({ text }) => Buffer.byteLength(text)));
  const bounded = kept.map((piece, index) => cut(piece, shares[index] ?? 0));
  const omitted = given.length - kept.length;
  if (omitted === 0) return bounded;
  const text = `${omitted} more pieces of evidence are left out; ${maxPieces} is the limit\n`;
  return [...bounded.slice(0, -1), { name: 'left-out.txt', mediaType: 'text/plain', text }];
}

/** Bytes for each: the smallest first, so that nothing is cut that is below its part. */
function sharesOf(sizesBytes: readonly number[]): number[] {
  const shares = new Array<number>(sizesBytes.length).fill(0);
  let leftBytes = evidenceMaxBytes;
  const smallestFirst = sizesBytes.map((size, index) => ({ size, index })).toSorted((a, b) => a.size - b.size);
  for (const [place, { size, index }] of smallestFirst.entries()) {
    const share = Math.min(size, Math.floor(leftBytes / (smallestFirst.length - place)));
    shares[index] = share;
    leftBytes -= share;
  }
  return shares;
}

function cut(piece: Evidence, shareBytes: number): Evidence {
  const bytes = Buffer.from(piece.text);
  if (bytes.length <= shareBytes) return piece;
  // `stream`: a character that the cut splits is left out, not replaced.
  const kept = new TextDecoder().decode(bytes.subarray(0, Math.max(0, shareBytes - noteBytes)), { stream: true });
  return {
    // Cut again, because more came.
    name: piece.name.endsWith('.cut.txt') ? piece.name : `${piece.name}.cut.txt`,
    mediaType: 'text/plain',
    text: `${kept}\n[cut here: ${Buffer.byteLength(kept)} of ${bytes.length} bytes]\n`,
  };
}
