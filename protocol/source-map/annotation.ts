import type { Span } from './json-fields.ts';

const newline = 0x0a;
/** Comments may follow the one that is looked for, such as `//# debugId=`. */
const linesMax = 20;
/** Of a line that begins with code; what is minified in one line may end with the comment. */
const tailBytes = 8 * 1024;

/**
 * Where a script names its map: `//# sourceMappingURL=app.js.map` at its end, or a whole map as `data:` URL. Looks at the last lines only,
 * as debuggers do: the same words in the middle are somebody's text. Undefined when there is none.
 */
export function findSourceMappingUrl(script: Uint8Array): Span | undefined {
  let end = script.length;
  for (let lines = 0; end > 0 && lines < linesMax; lines++) {
    const lineStart = end === 0 ? 0 : script.lastIndexOf(newline, end - 1) + 1;
    const begin = skipBlank(script, lineStart, end);
    if (begin < end) {
      const isComment = script[begin] === slash && (script[begin + 1] === slash || script[begin + 1] === star);
      const from = isComment ? begin : Math.max(begin, end - tailBytes);
      const span = findInLine(script, { start: from, end });
      if (span !== undefined || !isComment) return span;
    }
    end = lineStart - 1;
  }
  return undefined;
}

const slash = 0x2f;
const star = 0x2a;
/** After the slash: `/# `, `/@ `, `*# `, as latin1. */
const pattern = /\/[/*][#@][ \t]+sourceMappingURL=/g;
const headBytes = 64;

function findInLine(script: Uint8Array, { start, end }: Span): Span | undefined {
  // A data: URL can have megabytes; of a comment only the head is made a string.
  const isLong = end - start > tailBytes;
  const text = latin1(script.subarray(start, isLong ? start + headBytes : end));
  const match = [...text.matchAll(pattern)].at(-1);
  if (match === undefined) return undefined;
  const urlStart = start + match.index + match[0].length;
  let urlEnd = urlStart;
  // Up to a blank or a quote, or the end of the comment.
  while (urlEnd < end && script[urlEnd]! > 0x20 && script[urlEnd] !== 0x22 && script[urlEnd] !== 0x27) {
    if (script[urlEnd] === star && script[urlEnd + 1] === slash) break;
    urlEnd++;
  }
  return urlEnd === urlStart ? undefined : { start: urlStart, end: urlEnd };
}

function latin1(bytes: Uint8Array): string {
  return new TextDecoder('latin1').decode(bytes);
}

function skipBlank(script: Uint8Array, start: number, end: number): number {
  let at = start;
  while (at < end && script[at]! <= 0x20) at++;
  return at;
}
