import { decodeValue, readElements } from './json-fields.ts';
import type { SourceMapSection } from './parse.ts';

const openBracket = 0x5b;

/** The text of a source as its map holds it; undefined where it holds none. `index` is that in `sources`. Throws `unreadable-source-map`. */
export function sourceContent({ contents }: Pick<SourceMapSection, 'contents'>, index: number): string | undefined {
  if (contents?.[0] !== openBracket) return undefined;
  const span = readElements(contents, { start: 0, end: contents.length })[index];
  const value = span === undefined ? undefined : decodeValue(contents, span);
  return typeof value === 'string' ? value : undefined;
}
