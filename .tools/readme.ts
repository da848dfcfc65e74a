// Writes what the code knows into README.md, between `<!-- name:begin -->` and `<!-- name:end -->`, and the chart's schema of options.
//   node .tools/readme.ts [--check]
import { readFileSync, writeFileSync } from 'node:fs';
import { optionTableMarkdown } from '../agent/cli/help.ts';
import { problemKinds } from '../protocol/rest/problem.ts';
import { apiPath, routes } from '../protocol/rest/routes.ts';
import type { Route } from '../protocol/rest/route.ts';
import { writeValuesSchema } from './chart.ts';

const path = new URL('../README.md', import.meta.url);

const blocks: Readonly<Record<string, () => string>> = {
  options: optionTableMarkdown,
  codes: codeTableMarkdown,
  routes: routeTableMarkdown,
};

if (import.meta.main) {
  const before = readFileSync(path, 'utf8');
  const after = renderReadme(before);
  if (!process.argv.includes('--check')) {
    writeFileSync(path, after);
    writeValuesSchema();
  } else if (after !== before) {
    console.error('README.md is not what the code says: run `node .tools/readme.ts`');
    process.exitCode = 1;
  }
}

/** The same text with every block made anew. Throws when a block has no place, or a place has no block. */
export function renderReadme(text: string): string {
  const places = [...text.matchAll(/<!-- (\w+):begin -->/g)].map(([, name]) => name ?? '');
  const missing = Object.keys(blocks).filter((name) => !places.includes(name));
  if (missing.length > 0) throw new Error(`README.md has no place for: ${missing.join(', ')}`);
  return places.reduce((rendered, name) => {
    const block = blocks[name];
    const place = new RegExp(`(<!-- ${name}:begin -->\n)[^]*?(<!-- ${name}:end -->)`);
    if (block === undefined || !place.test(rendered))
      throw new Error(`README.md: the block ${name} is unknown or open`);
    return rendered.replace(place, (_, begin: string, end: string) => `${begin}\n${asItIs(block())}\n\n${end}`);
  }, text);
}

/** The formatter would pad every cell to the width of the widest. */
function asItIs(block: string): string {
  return `<!-- prettier-ignore-start -->\n${block}\n<!-- prettier-ignore-end -->`;
}

function codeTableMarkdown(): string {
  const rows = Object.entries(problemKinds)
    .sort(([a], [b]) => a.localeCompare(b))
    .map(([code, { status, cause, remedy }]) => [`\`${code}\``, String(status), cause, remedy]);
  return table(['Code', 'Status', 'Cause', 'What to do'], rows);
}

function routeTableMarkdown(): string {
  const rows = Object.values<Route>(routes)
    .filter((route) => route.hidden !== true)
    .map((route) => [
      `\`${route.method} ${apiPath}${route.path}\``,
      route.heapScope === undefined ? route.scope : `${route.scope}; ${route.heapScope} for heap profiles`,
      route.summary,
    ]);
  return table(['Route', 'Scope', 'What it does'], rows);
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n');
}
