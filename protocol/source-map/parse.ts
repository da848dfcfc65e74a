import { SidescopeError } from '../error.ts';
import { decodeValue, readElements, readMembers, skipSpace, unreadable, type Span } from './json-fields.ts';

/** Maps of real bundles have up to some 40 MB. */
export const sourceMapBytesMax = 64 * 1024 * 1024;
const sectionsMax = 10_000;

/** A map as it lies in its bytes: `mappings` are decoded when they are asked (./find-originals.ts). */
export interface SourceMap {
  /** In the order of the generated text. A map without sections is one section that begins at 0, 0. */
  readonly sections: readonly SourceMapSection[];
  readonly debugId: string | undefined;
}

export interface SourceMapSection {
  /** Where its text begins in the generated one, 0-based. */
  readonly line: number;
  readonly column: number;
  /** Base64 VLQ, within the map's bytes. */
  readonly mappings: Uint8Array;
  /** Of the first byte of `mappings` in the file, for messages. */
  readonly mappingsOffset: number;
  /** With `sourceRoot`, not resolved against the map's own place. Null: the generator did not tell. */
  readonly sources: readonly (string | null)[];
  readonly names: readonly string[];
  /** The bytes of `sourcesContent`, not decoded: see ./contents.ts. */
  readonly contents: Uint8Array | undefined;
}

/**
 * Reads a source map (ECMA-426; version 3), with sections or without. The bytes are kept, nothing else of their size is made. Throws
 * `unreadable-source-map` with the offset of what is wrong, `analysis-limit` over a bound.
 */
export function parseSourceMap(bytes: Uint8Array): SourceMap {
  if (bytes.length > sourceMapBytesMax) {
    throw new SidescopeError(
      'analysis-limit',
      `the source map has ${bytes.length} B, the limit is ${sourceMapBytesMax} B`,
    );
  }
  const start = skipPrefix(bytes);
  const { members, end } = readMembers(bytes, start);
  const rest = skipSpace(bytes, end);
  if (rest !== bytes.length) throw unreadable('something after the end', rest);
  checkVersion(bytes, members, start);
  const debugId = optionalText(bytes, members.get('debugId') ?? members.get('debug_id'));
  const sections = members.get('sections');
  if (sections === undefined)
    return { sections: [readSection(bytes, { members, line: 0, column: 0, start })], debugId };
  return { sections: readSections(bytes, sections), debugId };
}

function readSections(bytes: Uint8Array, span: Span): SourceMapSection[] {
  const elements = readElements(bytes, span);
  if (elements.length > sectionsMax) {
    throw new SidescopeError(
      'analysis-limit',
      `the source map has ${elements.length} sections, the limit is ${sectionsMax}`,
    );
  }
  const sections = elements.map(({ start }) => {
    const { members } = readMembers(bytes, start);
    const map = members.get('map');
    if (map === undefined) throw unreadable('a section without `map`', start);
    const place = readMembers(bytes, required(members, 'offset', start).start).members;
    const inner = readMembers(bytes, map.start).members;
    if (inner.has('sections')) throw unreadable('sections within a section', map.start);
    return readSection(bytes, {
      members: inner,
      line: whole(bytes, required(place, 'line', start)),
      column: whole(bytes, required(place, 'column', start)),
      start: map.start,
    });
  });
  sections.forEach((section, index) => {
    const before = sections[index - 1];
    if (before === undefined || before.line < section.line) return;
    if (before.line === section.line && before.column <= section.column) return;
    throw unreadable(`section ${index} begins before section ${index - 1}`, span.start);
  });
  return sections;
}

function readSection(
  bytes: Uint8Array,
  { members, line, column, start }: { members: Map<string, Span>; line: number; column: number; start: number },
): SourceMapSection {
  const mappings = required(members, 'mappings', start);
  const sourceRoot = optionalText(bytes, members.get('sourceRoot')) ?? '';
  const root = sourceRoot === '' || sourceRoot.endsWith('/') ? sourceRoot : `${sourceRoot}/`;
  const sources = texts(bytes, members.get('sources'), true).map((source) => (source === null ? null : root + source));
  // The generator knows no name of it: V8's is as good.
  const names = texts(bytes, members.get('names'), false).map((name) => name ?? '');
  const contents = members.get('sourcesContent');
  return {
    line,
    column,
    mappings: mappingBytes(bytes, mappings),
    mappingsOffset: mappings.start + 1,
    sources,
    names,
    contents: contents === undefined ? undefined : bytes.subarray(contents.start, contents.end),
  };
}

/** Between the quotes. VLQ needs no escapes; JSON allows them, so what has some is decoded. */
function mappingBytes(bytes: Uint8Array, span: Span): Uint8Array {
  if (bytes[span.start] !== 0x22) throw unreadable('`mappings` is no text', span.start);
  const raw = bytes.subarray(span.start + 1, span.end - 1);
  return raw.includes(0x5c) ? new TextEncoder().encode(String(decodeValue(bytes, span))) : raw;
}

function checkVersion(bytes: Uint8Array, members: Map<string, Span>, start: number): void {
  const span = members.get('version');
  const version = span === undefined ? undefined : decodeValue(bytes, span);
  // Old generators wrote it as text.
  if (Number(version) !== 3) throw unreadable('`version` is not 3', span?.start ?? start);
}

function texts(bytes: Uint8Array, span: Span | undefined, allowsNull: boolean): (string | null)[] {
  if (span === undefined) return [];
  const value = decodeValue(bytes, span);
  const isGood = (item: unknown): item is string | null => typeof item === 'string' || (allowsNull && item === null);
  if (Array.isArray(value) && value.every(isGood)) return value;
  throw unreadable('expected a list of texts', span.start);
}

function optionalText(bytes: Uint8Array, span: Span | undefined): string | undefined {
  const value = span === undefined ? undefined : decodeValue(bytes, span);
  return typeof value === 'string' ? value : undefined;
}

function whole(bytes: Uint8Array, span: Span): number {
  const value = decodeValue(bytes, span);
  if (typeof value === 'number' && Number.isInteger(value) && value >= 0 && value < 2 ** 31) return value;
  throw unreadable('expected a line or column', span.start);
}

function required(members: Map<string, Span>, name: string, start: number): Span {
  const span = members.get(name);
  if (span === undefined) throw unreadable(`no \`${name}\` in the object`, start);
  return span;
}

/** A byte order mark, and the line `)]}'` that keeps JSON from being run as a script. */
function skipPrefix(bytes: Uint8Array): number {
  const afterMark = bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf ? 3 : 0;
  if (bytes[afterMark] !== 0x29) return afterMark;
  const lineEnd = bytes.indexOf(0x0a, afterMark);
  return lineEnd === -1 ? afterMark : lineEnd + 1;
}
