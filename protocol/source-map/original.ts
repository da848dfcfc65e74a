/** What V8 says of a function or a running frame: URL of the script, 1-based place, name (empty when it has none). */
export interface RawPlace {
  readonly url: string;
  readonly line: number;
  readonly column: number;
  readonly functionName: string;
}

/**
 * Where the places of one profile come from: what is kept beside it, since the target's files go with the target. `places` are
 * `[url, line, column, function, original url, line, column, function]`, `lines` are `[url, line, original url, line]`. Only what a source
 * map knew is here.
 */
export interface SourcePositions {
  readonly places: readonly PlaceRow[];
  readonly lines: readonly LineRow[];
}

export type PlaceRow = readonly [string, number, number, string, string, number, number, string];
export type LineRow = readonly [string, number, string, number];

export function keyOfPlace({ url, line, column, functionName }: RawPlace): string {
  return `${line}:${column}\n${url}\n${functionName}`;
}

/**
 * The source of a map as a URL or path in the form that the script has: `file:` for what V8 names so, else a path. `mapPath` is the path of
 * the map, or of the script that holds it.
 */
export function resolveSource(source: string, { mapPath, scriptUrl }: { mapPath: string; scriptUrl: string }): string {
  const base = new URL('file:///');
  base.pathname = mapPath.replaceAll('%', '%25');
  // A path with a drive is no scheme of a URL.
  const resolved = URL.parse(/^[a-z]:[\\/]/i.test(source) ? `file:///${source}` : source, base);
  if (resolved === null) return source;
  if (resolved.protocol !== 'file:' || scriptUrl.startsWith('file:')) return resolved.href;
  try {
    return decodeURIComponent(resolved.pathname);
  } catch {
    // A name with a bare percent sign: readable as it is.
    return resolved.pathname;
  }
}

/** The path of a script on the target's disk; undefined for what is no file: builtins, `eval`, WebAssembly, `https:`. */
export function scriptPathOf(url: string): string | undefined {
  if (url.startsWith('/')) return url;
  if (!url.startsWith('file:///')) return undefined;
  try {
    return decodeURIComponent(new URL(url).pathname);
  } catch {
    // Made by hand by the program, with a bare percent sign: no file that Node could have loaded.
    return undefined;
  }
}
