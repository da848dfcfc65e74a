import type { Labels } from './model.ts';

export interface ParsedIdentity {
  /** Undefined when the braces hold none: then it stands before them. */
  readonly name: string | undefined;
  readonly labels: Labels;
  /** Behind the closing brace. */
  readonly end: number;
}

/** What a label set must hold; a problem is a phrase for behind "line 7: ". */
export type IdentityProblem = { readonly problem: string };

/** Prometheus' own bound is 128 by default where one is set; a label set longer than that is a fault of the page. */
const labelsMax = 128;

/**
 * `{a="b",c="d"}` from its opening brace on, also `{"my.metric","my.label"="v"}`. Spaces and a last comma may be anywhere; an escape that is
 * none stays as it is. Labels with an empty value are dropped: they are the same as none.
 */
export function parseLabels(text: string, start: number): ParsedIdentity | IdentityProblem {
  const labels = new Map<string, string>();
  let name: string | undefined;
  let at = skipSpace(text, start + 1);
  while (text.charCodeAt(at) !== closingBrace) {
    const isQuoted = text.charCodeAt(at) === quote;
    const key = isQuoted ? readQuoted(text, at) : readBare(text, at);
    if (key === undefined) return { problem: `a label name is missing at column ${at + 1}` };
    at = skipSpace(text, key.end);
    if (text.charCodeAt(at) === equals) {
      const value = readQuoted(text, skipSpace(text, at + 1));
      if (value === undefined) return { problem: `the value of label ${key.text.slice(0, 100)} is not in quotes` };
      if (labels.has(key.text)) return { problem: `label ${key.text.slice(0, 100)} is there twice` };
      if (labels.size >= labelsMax) return { problem: `more than ${labelsMax} labels` };
      labels.set(key.text, value.text);
      at = skipSpace(text, value.end);
    } else if (isQuoted && name === undefined && labels.size === 0) name = key.text;
    else return { problem: `label ${key.text.slice(0, 100)} has no value` };
    if (text.charCodeAt(at) === comma) at = skipSpace(text, at + 1);
    else if (text.charCodeAt(at) !== closingBrace) return { problem: `the labels do not end at column ${at + 1}` };
  }
  return { name, labels: orderedLabels(labels), end: at + 1 };
}

/** Equal for equal series: `http_requests_total{code="200",method="GET"}`. */
export function seriesKey(name: string, labels: Labels): string {
  const pairs = Object.keys(labels).map((label) => `${label}=${JSON.stringify(labels[label])}`);
  return pairs.length === 0 ? name : `${name}{${pairs.join(',')}}`;
}

/** Without a prototype: a label may be called `__proto__`. */
export function orderedLabels(labels: Iterable<readonly [string, string]>): Labels {
  const ordered = Object.create(null) as Record<string, string>;
  const sorted = [...labels].filter(([, value]) => value !== '').sort(([a], [b]) => (a < b ? -1 : 1));
  for (const [label, value] of sorted) ordered[label] = value;
  return ordered;
}

const quote = 34;
const comma = 44;
const equals = 61;
const backslash = 92;
const closingBrace = 125;

function skipSpace(text: string, start: number): number {
  let at = start;
  while (text.charCodeAt(at) === 32 || text.charCodeAt(at) === 9) at++;
  return at;
}

function readBare(text: string, start: number): { text: string; end: number } | undefined {
  bareName.lastIndex = start;
  const match = bareName.exec(text);
  return match === null ? undefined : { text: match[0], end: bareName.lastIndex };
}

const bareName = /[a-zA-Z_][a-zA-Z0-9_]*/y;

function readQuoted(text: string, start: number): { text: string; end: number } | undefined {
  if (text.charCodeAt(start) !== quote) return undefined;
  let hasEscapes = false;
  let at = start + 1;
  for (let code = text.charCodeAt(at); code !== quote; code = text.charCodeAt(at)) {
    if (Number.isNaN(code)) return undefined;
    if (code === backslash) {
      hasEscapes = true;
      at++;
    }
    at++;
  }
  const inner = text.slice(start + 1, at);
  return { text: hasEscapes ? unescape(inner) : inner, end: at + 1 };
}

const escapes: Readonly<Record<string, string>> = { n: '\n', '"': '"', '\\': '\\' };

function unescape(text: string): string {
  return text.replace(/\\(.)/gs, (whole, letter: string) => escapes[letter] ?? whole);
}
