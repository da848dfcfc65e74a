import { metricTypes } from './model.ts';
import type { MetricType } from './model.ts';

export type MetricComment =
  | { readonly kind: 'type'; readonly name: string; readonly type: MetricType }
  | { readonly kind: 'help' | 'unit'; readonly name: string; readonly text: string }
  | { readonly kind: 'end' };

/** Help is for people, and kept for as long as the page: no more of it. */
const helpMax = 500;

/** Undefined for what is only a comment. A type that is none of the known ones is `unknown`, as is `untyped`. */
export function parseComment(line: string): MetricComment | undefined {
  const [, keyword, quoted, bare = '', text = ''] =
    /^#[ \t]*(HELP|TYPE|UNIT|EOF)(?:[ \t]+(?:"((?:[^"\\]|\\.)*)"|(\S+))(?:[ \t]+(.*))?)?[ \t]*$/s.exec(line) ?? [];
  if (keyword === undefined) return undefined;
  const name = quoted === undefined ? bare : unescape(quoted);
  if (keyword === 'EOF') return name === '' ? { kind: 'end' } : undefined;
  if (name === '') return undefined;
  if (keyword === 'TYPE') {
    const type = metricTypes.find((known) => known === text.trimEnd().toLowerCase()) ?? 'unknown';
    return { kind: 'type', name, type };
  }
  return { kind: keyword === 'HELP' ? 'help' : 'unit', name, text: unescape(text).slice(0, helpMax) };
}

const escapes: Readonly<Record<string, string>> = { n: '\n', '"': '"', '\\': '\\' };

function unescape(text: string): string {
  return text.includes('\\') ? text.replace(/\\(.)/gs, (whole, letter: string) => escapes[letter] ?? whole) : text;
}
