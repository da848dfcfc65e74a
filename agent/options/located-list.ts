import { z } from 'zod';

export interface FileProblem {
  /** 1-based, in the file. */
  readonly line: number;
  readonly message: string;
}

export interface LocatedList {
  readonly items: readonly unknown[];
  /** Of what is at a path in the whole file, or of the nearest thing above it. */
  readonly lineOf: (path: readonly PropertyKey[]) => number;
}

/** The list under one key of a YAML or JSON configuration file; an empty one when the key is not there. The parser is loaded only here. */
export async function readLocatedList(
  text: string,
  { key, max }: { key: string; max: number },
): Promise<LocatedList | FileProblem> {
  const { LineCounter, isMap, isNode, parseDocument } = await import('yaml');
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  const [error] = document.errors;
  if (error !== undefined) return { line: lines.linePos(error.pos[0]).line, message: error.message };
  const lineOf = (path: readonly PropertyKey[]): number => {
    for (let length = path.length; length > 0; length--) {
      const node = document.getIn(path.slice(0, length), true);
      if (isNode(node) && node.range) return lines.linePos(node.range[0]).line;
    }
    return 1;
  };
  if (!isMap(document.contents)) return { items: [], lineOf };
  const contents = plainContents(document);
  if (contents === undefined) return { line: 1, message: 'aliases (*name) cannot be used in this file' };
  const list = (contents as Record<string, unknown>)[key] ?? [];
  const items = z.array(z.unknown()).max(max).safeParse(list);
  if (!items.success) return { line: lineOf([key]), message: `${key} must be a list of at most ${max} ${key}` };
  return { items: items.data, lineOf };
}

/** As a sentence: where in the item, and what. */
export function issueText({ path, message }: { path: readonly PropertyKey[]; message: string }): string {
  return path.length === 0 ? message : `${path.join('.')}: ${message}`;
}

/** Aliases could make a small file endless. */
function plainContents(document: { toJS(options: { maxAliasCount: number }): unknown }): unknown {
  try {
    return document.toJS({ maxAliasCount: 0 });
  } catch (error) {
    if (error instanceof ReferenceError) return undefined;
    throw error;
  }
}
