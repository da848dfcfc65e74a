import { SidescopeError } from '../../protocol/error.ts';
import type { GeneratedFunction, HotLines } from '../../protocol/cpu-profile/hot-lines.ts';
import type { SourceFunction } from '../../protocol/rest/profile-source.ts';
import { SourceContents } from '../../protocol/source-map/contents.ts';
import { resolveSource, scriptPathOf } from '../../protocol/source-map/original.ts';
import { excerptOf } from './excerpt.ts';
import type { SourceMapContext } from './find-positions.ts';
import { readScriptMap, scriptBytesMax, type ScriptMap } from './script-map.ts';
import { ScriptText } from './script-text.ts';
import { TargetFiles } from './target-files.ts';

/** Sources that people write have some 10 kB, generated ones up to some MB. */
const originalBytesMax = 16 * 1024 * 1024;

/**
 * The text around the hot lines of functions, in their order: from the source map that holds it, else the original file, else the script itself.
 * Only files that the profile or its maps name are read, and only those that are named as source code. Synchronous, for a worker
 * process; each script and map is read once more, at most `bytesMax` of each, and none is held longer than its functions take.
 */
export function findSourceLines(
  hot: readonly HotLines[],
  { bytesMax, ...context }: SourceMapContext & { readonly bytesMax: number },
): SourceFunction[] {
  if (hot.length === 0) return [];
  const all = new TargetFiles(context);
  const files: Files = {
    covers: (path) => all.covers(path),
    read: (path, maxBytes) => all.read(path, Math.min(maxBytes, bytesMax)),
    rootProblem: all.rootProblem,
  };
  const found = new Map<HotLines, SourceFunction>();
  const byScript = Map.groupBy(hot, ({ generated }) => generated.frame.url);
  for (const functions of byScript.values()) {
    const script = new HotScript(functions[0]!.generated, { files, startedAtMs: context.startedAtMs });
    for (const one of functions) found.set(one, describe(one, script.read(one)));
  }
  return hot.map((one) => found.get(one)!);
}

type Files = Pick<TargetFiles, 'covers' | 'read' | 'rootProblem'>;
type Text = Pick<SourceFunction, 'from' | 'file' | 'hasChanged'> & { readonly text: ScriptText };
type TextResult = Text | { readonly reason: string };

/** One script of the target and what its map leads to, read when a function of it asks. */
class HotScript {
  readonly #url: string;
  readonly #path: string;
  readonly #files: Files;
  readonly #startedAtMs: number;
  #contents: ReadonlyMap<string, () => string | undefined> | null | undefined;
  #script: TextResult | undefined;

  constructor({ frame, path }: GeneratedFunction, { files, startedAtMs }: { files: Files; startedAtMs: number }) {
    this.#url = frame.url;
    this.#path = path;
    this.#files = files;
    this.#startedAtMs = startedAtMs;
  }

  read(one: HotLines): TextResult {
    if (!this.#files.covers(this.#path)) {
      return { reason: this.#files.rootProblem ?? 'it is no file, and no --source-map-path leads to it' };
    }
    const original = one.isMapped ? this.#original(one.frame.url) : undefined;
    return original ?? (this.#script ??= this.#file(this.#path, { from: 'script', maxBytes: scriptBytesMax }));
  }

  #original(url: string): Text | undefined {
    if (this.#contents === undefined) {
      const map = readScriptMap(this.#files, { path: this.#path, startedAtMs: this.#startedAtMs });
      this.#contents = map === null || 'reason' in map ? null : contentsByUrl(map, this.#url);
    }
    // It changed since the positions were found.
    if (this.#contents === null) return undefined;
    const path = scriptPathOf(url);
    const content = contentOf(this.#contents.get(url));
    if (content !== undefined) {
      return { text: new ScriptText(Buffer.from(content)), from: 'source-map', file: path ?? url, hasChanged: false };
    }
    if (path === undefined) return undefined;
    const file = this.#file(path, { from: 'original-file', maxBytes: originalBytesMax });
    return 'text' in file ? file : undefined;
  }

  #file(path: string, { from, maxBytes }: { from: SourceFunction['from']; maxBytes: number }): TextResult {
    // A program chooses the names that a profile has: this keeps keys and settings of its machine out of it.
    if (!sourceName.test(path)) return { reason: 'it is not named as source code' };
    try {
      const file = this.#files.read(path, maxBytes);
      if (file === undefined) return { reason: `there is no ${path}` };
      const hasChanged = file.modifiedAtMs > this.#startedAtMs;
      return { text: new ScriptText(file.bytes), from, file: path, hasChanged };
    } catch (error) {
      // Of one file; its reason is for a person. A code would be a fault of ours.
      if (error instanceof Error && !('code' in error)) return { reason: `${path} ${error.message}` };
      throw error;
    }
  }
}

const sourceName = /\.(?:[cm]?[jt]sx?|vue|svelte|astro|coffee|civet|marko|mdx|re|res|ml|elm|cljs|kt|scala|dart)$/i;

function contentsByUrl({ map, mapPath }: ScriptMap, scriptUrl: string): Map<string, () => string | undefined> {
  const contents = new Map<string, () => string | undefined>();
  for (const section of map.sections) {
    if (section.contents === undefined) continue;
    const texts = new SourceContents(section);
    section.sources.forEach((source, index) => {
      if (source !== null) contents.set(resolveSource(source, { mapPath, scriptUrl }), () => texts.of(index));
    });
  }
  return contents;
}

function contentOf(read: (() => string | undefined) | undefined): string | undefined {
  try {
    return read?.();
  } catch (error) {
    // The mappings were good; the original file may be there.
    if (!(error instanceof SidescopeError)) throw error;
    return undefined;
  }
}

function describe(one: HotLines, found: TextResult): SourceFunction {
  const { functionName, url, line, column } = one.frame;
  const facts = {
    functionName,
    url,
    line,
    column,
    selfSamples: one.selfSamples,
    selfMs: one.selfUs / 1_000,
    hasLines: one.hasLines,
  };
  const none = { ...facts, from: null, file: null, hasChanged: false, lines: [] };
  if ('reason' in found) return { ...none, reason: found.reason };
  const { text, from, file, hasChanged } = found;
  const isScript = from === 'script';
  const place = isScript ? one.generated.frame : one.frame;
  const samples = isScript ? one.generated.lines : one.lines;
  const hasLines = isScript ? !text.isMinified : one.hasLines;
  const lines = excerptOf(text, { samples, line: place.line, column: place.column, hasLines });
  if (lines.length === 0) {
    const reason = `${file} has ${text.lineCount} lines, and none that was executing: it is of another version`;
    return { ...none, hasChanged, reason: samples.size === 0 ? 'V8 told no line of it' : reason };
  }
  return { ...facts, hasLines, from, file, hasChanged, reason: null, lines };
}
