import { SidescopeError } from '../../protocol/error.ts';
import { findOriginals } from '../../protocol/source-map/find-originals.ts';
import {
  keyOfPlace,
  resolveSource,
  scriptPathOf,
  type LineRow,
  type PlaceRow,
  type RawPlace,
  type SourcePositions,
} from '../../protocol/source-map/original.ts';
import { readScriptMap } from './script-map.ts';
import { TargetFiles, type PathMapping } from './target-files.ts';
import type { TargetProcess } from './target-root.ts';

/** What a worker needs to find the target's files. */
export interface SourceMapContext {
  readonly process: TargetProcess;
  /** Files that changed later are not what runs. */
  readonly startedAtMs: number;
  readonly mappings: readonly PathMapping[];
}

export interface PositionsQuery {
  readonly places: readonly RawPlace[];
  /** Generated lines whose origin is asked. */
  readonly lines: readonly { readonly url: string; readonly line: number }[];
}

export interface FoundPositions {
  readonly positions: SourcePositions;
  /** How many scripts were mapped. */
  readonly mapped: number;
  /** Scripts that should have a map, and have none that can be used. */
  readonly missing: readonly { readonly path: string; readonly reason: string }[];
  /** Why files of the target could not be looked for; null when they could. */
  readonly problem: string | null;
}

/** One profile has some hundred; each is read whole, for what its last line says. */
const scriptsMax = 2_000;

/**
 * Original places of all that a source map knows, in one go. Reads files of the target, never the target itself. Synchronous, some 3 ms per MB
 * of map: for a worker thread. What is wrong with one map is told in `missing`, and costs only that script.
 */
export function findPositions(query: PositionsQuery, context: SourceMapContext): FoundPositions {
  const scripts = groupByScript(query);
  const places: PlaceRow[] = [];
  const lines: LineRow[] = [];
  const missing: { path: string; reason: string }[] = [];
  if (scripts.size === 0) return { positions: { places, lines }, mapped: 0, missing, problem: null };
  const files = new TargetFiles(context);
  let mapped = 0;
  let uncovered = 0;
  for (const script of [...scripts.values()].slice(0, scriptsMax)) {
    if (!files.covers(script.path)) {
      uncovered++;
      continue;
    }
    const result = mapScript(script, { files, startedAtMs: context.startedAtMs, places, lines });
    if (result === 'mapped') mapped++;
    else if (result !== null) missing.push({ path: script.path, reason: result.reason });
  }
  const problem = problemOf({ files, uncovered, scripts: scripts.size });
  return { positions: { places, lines }, mapped, missing, problem };
}

interface Mapping {
  readonly files: TargetFiles;
  readonly startedAtMs: number;
  readonly places: PlaceRow[];
  readonly lines: LineRow[];
}

/** Adds to the rows. Null: no map is expected. */
function mapScript(
  script: Script,
  { files, startedAtMs, places, lines }: Mapping,
): 'mapped' | { reason: string } | null {
  const found = readScriptMap(files, { path: script.path, startedAtMs });
  if (found === null || 'reason' in found) return found;
  const { text, map, mapPath } = found;
  const lineNumbers = [...script.lines];
  let originals: ReturnType<typeof findOriginals>;
  try {
    const textOfLine = (line: number): string | undefined => text.line(line);
    originals = findOriginals(map, { places: script.places, lines: lineNumbers, textOfLine });
  } catch (error) {
    // Mappings are read only here.
    if (error instanceof SidescopeError) return { reason: error.message };
    throw error;
  }
  const resolved = new Map<string, string>();
  const resolve = (source: string): string => {
    const url = resolved.get(source) ?? resolveSource(source, { mapPath, scriptUrl: script.url });
    resolved.set(source, url);
    return url;
  };
  originals.places.forEach((original, index) => {
    if (original === undefined) return;
    const { url, line, column, functionName } = script.places[index]!;
    const name = original.functionName ?? functionName;
    places.push([url, line, column, functionName, resolve(original.source), original.line, original.column, name]);
  });
  originals.lines.forEach((original, index) => {
    if (original !== undefined) lines.push([script.url, lineNumbers[index]!, resolve(original.source), original.line]);
  });
  return 'mapped';
}

interface Script {
  readonly url: string;
  readonly path: string;
  readonly places: RawPlace[];
  readonly lines: Set<number>;
}

function groupByScript({ places, lines }: PositionsQuery): Map<string, Script> {
  const scripts = new Map<string, Script>();
  const scriptOf = (url: string): Script | undefined => {
    const known = scripts.get(url);
    const path = known === undefined ? scriptPathOf(url) : undefined;
    if (known !== undefined || path === undefined) return known;
    const script = { url, path, places: [], lines: new Set<number>() };
    scripts.set(url, script);
    return script;
  };
  const seen = new Set<string>();
  for (const place of places) {
    const key = keyOfPlace(place);
    if (place.line < 1 || place.column < 1 || seen.has(key)) continue;
    seen.add(key);
    scriptOf(place.url)?.places.push(place);
  }
  for (const { url, line } of lines) scriptOf(url)?.lines.add(line);
  return scripts;
}

function problemOf({
  files,
  uncovered,
  scripts,
}: {
  files: TargetFiles;
  uncovered: number;
  scripts: number;
}): string | null {
  if (scripts > scriptsMax) return `only ${scriptsMax} of ${scripts} scripts were looked at`;
  if (uncovered === 0) return null;
  return `no source maps for ${uncovered} of ${scripts} scripts: ${files.rootProblem ?? 'they are not files'}, and no --source-map-path leads to them`;
}
