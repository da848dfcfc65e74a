import type { LineSamples } from '../../protocol/cpu-profile/hot-lines.ts';
import type { SourceLine } from '../../protocol/rest/profile-source.ts';
import type { ScriptText } from './script-text.ts';

const textCharsMax = 200;
/** In front of the function in a line that is cut. */
const leadChars = 40;
const aroundLines = 6;
/** Where V8 tells only the function, its body is what there is to read. */
const bodyLines = 24;
const hotLinesMax = 10;

export interface Hot {
  readonly samples: LineSamples;
  /** Where the function begins: a line that is too long is cut around it. */
  readonly line: number;
  readonly column: number;
  /** False: all samples stand at `line`. */
  readonly hasLines: boolean;
}

/** The lines with the most samples and those around them, in the order of the text; none where the text has no such lines. */
export function excerptOf(text: ScriptText, { samples, line, column, hasLines }: Hot): SourceLine[] {
  const sum = [...samples.values()].reduce((all, count) => all + count, 0);
  const hottest = [...samples]
    .filter(([hotLine]) => hotLine >= 1 && hotLine <= text.lineCount)
    .toSorted((a, b) => b[1] - a[1])
    .slice(0, hotLinesMax);
  // What stands behind the last line end is none.
  const lastLine = text.line(text.lineCount) === '' ? text.lineCount - 1 : text.lineCount;
  const wanted = new Set<number>();
  for (const [hotLine] of hottest) {
    const last = Math.min(lastLine, hotLine + (hasLines ? aroundLines : bodyLines));
    for (let at = Math.max(1, hotLine - aroundLines); at <= last; at++) wanted.add(at);
  }
  return [...wanted]
    .toSorted((a, b) => a - b)
    .map((number) => {
      const selfSamples = samples.get(number) ?? 0;
      const cut = cutLine(text.line(number) ?? '', number === line ? column : 1);
      return { line: number, ...cut, selfSamples, selfShare: sum > 0 ? selfSamples / sum : 0 };
    });
}

function cutLine(whole: string, column: number): Pick<SourceLine, 'column' | 'text' | 'isCut'> {
  const text = whole.replace(/\r?\n$/, '');
  if (text.length <= textCharsMax) return { column: 1, text, isCut: false };
  let start = Math.max(0, Math.min(column - 1 - leadChars, text.length - textCharsMax));
  let end = Math.min(text.length, start + textCharsMax);
  // Not between the halves of a character.
  if (isSecondHalf(text, start)) start++;
  if (isSecondHalf(text, end)) end--;
  return { column: start + 1, text: text.slice(start, end), isCut: end < text.length };
}

function isSecondHalf(text: string, at: number): boolean {
  const code = text.charCodeAt(at);
  return code >= 0xdc00 && code <= 0xdfff;
}
