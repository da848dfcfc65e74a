import { commands } from './commands.ts';
import { optionTable } from '../options.ts';
import { environmentName } from '../options/sources.ts';
import type { OptionRow } from '../options/sources.ts';
import { wrap } from './wrap.ts';
import { valueTypes } from '../options/value-types.ts';

/** What `--help` prints: at most 100 columns, made from the option table. */
export function helpText(): string {
  const groups = Object.entries(Object.groupBy(rows(), ([, row]) => row.group));
  return [
    'Profiles running Node.js processes from beside them, over the V8 inspector.',
    '',
    '  sidescope --target 127.0.0.1:9229',
    '  sidescope --target api:9229 --target worker:9230 --data-dir /data --disk-budget 1GiB',
    '',
    'Start the target with `node --inspect=127.0.0.1:9229 app.js`. What no flag sets is read from the',
    'environment (SIDESCOPE_DATA_DIR for --data-dir), then from the file that --config names.',
    '',
    'Commands (`sidescope COMMAND --help`):',
    ...Object.entries(commands).flatMap(([name, { summary }]) => [`  ${name}`, ...wrap(summary, 6)]),
    ...groups.flatMap(([group, options]) => ['', `${group}:`, ...(options ?? []).flatMap(helpLines)]),
    '',
  ].join('\n');
}

/** The README's table of options. */
export function optionTableMarkdown(): string {
  const lines = rows().map(([name, row]) =>
    [
      `\`${invocation(name, row)}\``,
      defaultText(row, (text) => `\`${text}\``),
      row.from?.includes('environment') === false ? 'flag only' : `\`${environmentName(name)}\``,
      sentences(row),
    ]
      .map((cell) => cell.replaceAll('|', '\\|'))
      .join(' | '),
  );
  return [
    '| Option | Default | Environment | Meaning |',
    '|---|---|---|---|',
    ...lines.map((line) => `| ${line} |`),
  ].join('\n');
}

function helpLines([name, row]: [string, OptionRow]): string[] {
  const letter = row.short === undefined ? '' : `-${row.short}, `;
  const facts = [`default: ${defaultText(row, String)}`, sources(row)].filter((fact) => fact !== '').join('; ');
  const shown = row.from?.length === 1 ? '' : ` [${facts}]`;
  return [`  ${letter}${invocation(name, row)}`, ...wrap(sentences(row) + shown, 6)];
}

function invocation(name: string, row: OptionRow): string {
  if (row.type === 'flag') return row.from === undefined ? `--[no-]${name}` : `--${name}`;
  return `--${name} ${valueTypes[row.type].syntax}${row.repeatable === true ? ' …' : ''}`;
}

function sentences(row: OptionRow): string {
  return [
    row.meaning,
    row.values === undefined ? '' : `One of ${row.values.join(', ')}.`,
    row.zero === undefined ? '' : `0: ${row.zero}.`,
    row.repeatable === true ? 'May be repeated.' : '',
    row.alsoFrom === undefined ? '' : `${row.alsoFrom.join(', ')} is read too.`,
  ]
    .filter((sentence) => sentence !== '')
    .join(' ');
}

function defaultText(row: OptionRow, write: (text: string) => string): string {
  return row.defaultText ?? (row.default === null ? 'none' : write(row.default));
}

/** Help names only what is not the rule: the rule is in its head. */
function sources(row: OptionRow): string {
  if (row.from === undefined) return '';
  return row.from.length === 1 ? '' : 'not in the file';
}

function rows(): [string, OptionRow][] {
  return Object.entries<OptionRow>(optionTable);
}
