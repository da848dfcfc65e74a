import { categorizeFrame, functionNameOf } from '../../protocol/cpu-profile/frame-text.ts';
import type { Frame } from '../../protocol/cpu-profile/model.ts';
import type { ProfileSource, SourceFunction, SourceLine } from '../../protocol/rest/profile-source.ts';

/** The one that is drawn as `frame`; pprof files have no columns. */
export function functionOfFrame(functions: readonly SourceFunction[], frame: Frame): SourceFunction | undefined {
  const same = functions.filter(
    (one) =>
      one.url === frame.url &&
      one.line === frame.line &&
      functionNameOf({ ...one, scriptId: '' }) === functionNameOf(frame),
  );
  return same.find(({ column }) => column === frame.column) ?? same[0];
}

/** Whose text it is. */
export const fromWords: Readonly<Record<NonNullable<SourceFunction['from']>, string>> = {
  'source-map': 'as the source map has it',
  'original-file': 'the original file',
  script: 'the script as V8 runs it',
};

/** Why a function has no lines; null when it has some. */
export function noLinesText(source: ProfileSource, frame: Frame): string | null {
  const found = functionOfFrame(source.functions, frame);
  if (found !== undefined && found.lines.length > 0) return null;
  if (found !== undefined) {
    const why = found.reason ?? 'the lines of hotter functions took the room there is';
    return `No source lines: ${why}. They are kept only when the capture ends with the file readable.`;
  }
  const category = categorizeFrame(frame);
  if (category !== 'app' && category !== 'package') return 'No source lines: it is not in a file of the program.';
  if (source.reason !== null) return `No source lines: ${source.reason}.`;
  return `No source lines: they are kept of the ${source.functions.length} functions with the most self time, and this is none of them.`;
}

/** Lines with what stands between them: `null` where some are left out. */
export function withGaps(lines: readonly SourceLine[]): (SourceLine | null)[] {
  return lines.flatMap((line, index) => {
    const before = lines[index - 1];
    return before !== undefined && before.line + 1 < line.line ? [null, line] : [line];
  });
}

/** Control characters, and marks that turn the direction of what stands beside them; a tab is none. */
const invisible = /[\u0000-\u0008\u000a-\u001f\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g;

/** As it reads in an editor that hides nothing: what would change how the rest is shown stands as its code point. */
export function visibleText({ text, column, isCut }: SourceLine): string {
  const shown = text.replace(
    invisible,
    (mark) => `⟨U+${mark.charCodeAt(0).toString(16).toUpperCase().padStart(4, '0')}⟩`,
  );
  return `${column > 1 ? '…' : ''}${shown}${isCut ? '…' : ''}`;
}

/** For the clipboard: where it is from, and the lines with their numbers. */
export function sourceText({ file, line, lines }: SourceFunction): string {
  const digits = String(lines.at(-1)?.line ?? 0).length;
  const rows = withGaps(lines).map((one) =>
    one === null ? '…' : `${String(one.line).padStart(digits)} | ${visibleText(one)}`,
  );
  return [`${file ?? ''}:${hottestLine(lines)?.line ?? line}`, ...rows].join('\n');
}

/** The line with the most samples. */
export function hottestLine(lines: readonly SourceLine[]): SourceLine | undefined {
  return lines.toSorted((a, b) => b.selfSamples - a.selfSamples)[0];
}
