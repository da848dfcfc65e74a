import { posix } from 'node:path';
import { SidescopeError } from '../../protocol/error.ts';
import { findSourceMappingUrl } from '../../protocol/source-map/annotation.ts';
import { countGeneratedLines } from '../../protocol/source-map/find-originals.ts';
import { parseSourceMap, sourceMapBytesMax, type SourceMap } from '../../protocol/source-map/parse.ts';
import { ScriptText } from './script-text.ts';
import type { TargetFiles } from './target-files.ts';

/** Of a script that holds its map as well. */
export const scriptBytesMax = 96 * 1024 * 1024;

export interface ScriptMap {
  readonly text: ScriptText;
  readonly map: SourceMap;
  /** Of the map, or of the script that holds it: what the sources are relative to. */
  readonly mapPath: string;
}

/** Nothing to say (a script that nobody compiled) is null; a `reason` is for a person. */
export type ScriptMapResult = ScriptMap | { readonly reason: string } | null;

/** The source map of a script of the target: the one it names, inside it or beside it, else `<script>.map`. Never fetched from a network. */
export function readScriptMap(
  files: Pick<TargetFiles, 'read'>,
  { path, startedAtMs }: { path: string; startedAtMs: number },
): ScriptMapResult {
  try {
    const script = files.read(path, scriptBytesMax);
    if (script === undefined) return { reason: 'the script is not there' };
    const text = new ScriptText(script.bytes);
    const found = readMap(files, { path, script: script.bytes });
    if (found === undefined) return text.isMinified ? { reason: 'minified, and names no source map' } : null;
    if ('reason' in found) return found;
    // What runs is what was there at the start; a map of what is there now would name the wrong lines.
    if (Math.max(script.modifiedAtMs, found.modifiedAtMs ?? 0) > startedAtMs) {
      return { reason: 'it or its map changed after the process started' };
    }
    const map = parseSourceMap(found.bytes);
    const lines = countGeneratedLines(map);
    if (lines > text.lineCount) {
      return { reason: `its source map is of another build: it has ${lines} lines, the script ${text.lineCount}` };
    }
    return { text, map, mapPath: found.path };
  } catch (error) {
    // Each of these is about one script; the profile has others.
    if (error instanceof SidescopeError) return { reason: error.message };
    if (error instanceof Error && !('code' in error)) return { reason: `it or its map ${error.message}` };
    throw error;
  }
}

interface MapFile {
  readonly bytes: Uint8Array;
  readonly path: string;
  readonly modifiedAtMs?: number;
}

function readMap(
  files: Pick<TargetFiles, 'read'>,
  { path, script }: { path: string; script: Uint8Array },
): MapFile | { reason: string } | undefined {
  const span = findSourceMappingUrl(script);
  const sibling = `${path}.map`;
  if (span === undefined) return readMapFile(files, sibling);
  const annotation = Buffer.from(script.buffer, script.byteOffset + span.start, span.end - span.start);
  if (annotation.subarray(0, 5).toString('latin1') === 'data:') return { bytes: decodeDataUrl(annotation), path };
  const url = annotation.toString('utf8').slice(0, 4096);
  const named = pathOf(url, path);
  const found = (named === undefined ? undefined : readMapFile(files, named)) ?? readMapFile(files, sibling);
  return (
    found ?? { reason: named === undefined ? 'its source map is elsewhere, and nothing is fetched' : `no ${named}` }
  );
}

function readMapFile(files: Pick<TargetFiles, 'read'>, path: string): MapFile | undefined {
  const file = files.read(path, sourceMapBytesMax);
  return file === undefined ? undefined : { ...file, path };
}

/** Relative to the script. Undefined for what is not on the target's disk. */
function pathOf(url: string, scriptPath: string): string | undefined {
  if (/^[a-z][a-z0-9+.-]*:/i.test(url) && !url.startsWith('file:')) return undefined;
  const path = url.startsWith('file:') ? (URL.parse(url)?.pathname ?? '') : url.replace(/[?#].*$/, '');
  try {
    return posix.resolve(posix.dirname(scriptPath), decodeURIComponent(path));
  } catch {
    // A bare percent sign: a file name that nobody has encoded.
    return posix.resolve(posix.dirname(scriptPath), path);
  }
}

function decodeDataUrl(url: Buffer): Uint8Array {
  const comma = url.indexOf(',');
  const isBase64 = url.subarray(0, comma).toString('latin1').endsWith(';base64');
  const content = url.subarray(comma + 1).toString('latin1');
  if (isBase64) return Buffer.from(content, 'base64');
  try {
    return Buffer.from(decodeURIComponent(content), 'utf8');
  } catch {
    throw new SidescopeError('unreadable-source-map', 'not a source map: its data: URL is wrongly encoded');
  }
}
