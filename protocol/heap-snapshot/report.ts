import type { HeapSummary } from './summary.ts';
import { growth } from './diff.ts';
import type { HeapDiff } from './diff.ts';
import type { ClassRetainers } from './retainer-groups.ts';

/** Fewer than 200 lines of at most 160 characters, the same for the same snapshot. */
export function heapSummaryText(summary: HeapSummary): string {
  const { classes, biggest, duplicates, hints } = summary;
  return lines(
    `Heap snapshot: ${size(summary.selfBytes)} in ${summary.nodes} objects, ${summary.edges} references`,
    '',
    'By type',
    ...table(summary.types.slice(0, 16), {
      size: ({ selfBytes }) => size(selfBytes),
      count: ({ count }) => String(count),
      type: ({ type }) => type,
    }),
    '',
    `Classes by retained size (${classes.length} of ${summary.classCount})`,
    ...table(classes.slice(0, 30), {
      retained: ({ retainedBytes }) => size(retainedBytes),
      self: ({ selfBytes }) => size(selfBytes),
      count: ({ count }) => String(count),
      class: ({ name }) => name,
    }),
    '',
    'Biggest objects',
    ...table(biggest.slice(0, 30), {
      retained: ({ retainedBytes }) => size(retainedBytes),
      object: ({ className, id }) => `${className} @${id}`,
      path: ({ path }) => path,
    }),
    ...section(
      'Worth a look',
      table(hints.slice(0, 30), {
        retained: ({ retainedBytes }) => size(retainedBytes),
        what: ({ text }) => text,
        path: ({ path }) => path,
      }),
    ),
    ...section(
      'Duplicate strings',
      table(duplicates.slice(0, 20), {
        wasted: ({ wastedBytes }) => size(wastedBytes),
        count: ({ count }) => String(count),
        text: ({ text, isPrefix }) => `${JSON.stringify(text.slice(0, 60))}${isPrefix ? ' (begin alike)' : ''}`,
      }),
    ),
  );
}

/** The same bounds. */
export function heapDiffText({ snapshots, totals, classes, grown }: HeapDiff): string {
  const suspects = grown.filter(({ isSuspect }) => isSuspect);
  const isOneProcess = totals.survivedCount >= totals.freedCount / 10;
  return lines(
    `Heap diff of ${snapshots} snapshots: new ${size(totals.newBytes)} in ${totals.newCount} objects, freed ${size(totals.freedBytes)} in ${totals.freedCount}, stayed ${size(totals.survivedBytes)} in ${totals.survivedCount}`,
    ...(isOneProcess ? [] : ['Hardly any object is in both: are they of one process, the earlier first?']),
    '',
    'Classes that changed, by growth of their retained size',
    ...table(classes.slice(0, 30), {
      retained: ({ retainedBytes }) => signed(growth(retainedBytes)),
      count: ({ counts }) => counts.join(' > '),
      new: ({ newCount }) => `+${newCount}`,
      freed: ({ freedCount }) => `-${freedCount}`,
      class: ({ name, isGrowingSteadily }) => `${name}${isGrowingSteadily ? ' (steadily)' : ''}`,
    }),
    '',
    `New objects ${snapshots > 2 ? 'that stayed to the last, ' : ''}by what holds them`,
    ...table(grown.slice(0, 40), {
      retained: ({ retainedBytes }) => size(retainedBytes),
      count: ({ count }) => String(count),
      class: ({ className }) => className,
      path: ({ path }) => path,
    }),
    ...section(
      'Suspects: class grows in every snapshot, and its new objects stay',
      table(suspects.slice(0, 20), {
        retained: ({ retainedBytes }) => size(retainedBytes),
        class: ({ className, count }) => `${count} ${className}`,
        example: ({ example, exampleId }) => `${example} @${exampleId}`,
      }),
    ),
    ...(snapshots > 2 ? [] : ['', 'A third snapshot, taken later, tells what stays from what comes and goes.']),
  );
}

export function classRetainersText({ className, count, unreachedCount, groups }: ClassRetainers): string {
  return lines(
    `${count} objects of ${className}${unreachedCount === 0 ? '' : `, ${unreachedCount} of them held weakly or by nothing`}`,
    '',
    ...table(groups, {
      retained: ({ retainedBytes }) => size(retainedBytes),
      count: (group) => String(group.count),
      path: ({ path }) => path,
      example: ({ exampleId }) => `@${exampleId}`,
    }),
  );
}

function section(title: string, rows: readonly string[]): string[] {
  return rows.length <= 1 ? [] : ['', title, ...rows];
}

const COLUMN_MAX = 90;
const LINE_MAX = 160;

/** Columns in the order of `cells`, those of sizes and counts to the right; a head, then one line each. */
export function table<Row>(rows: readonly Row[], cells: Readonly<Record<string, (row: Row) => string>>): string[] {
  const names = Object.keys(cells);
  const body = rows.map((row) => names.map((name) => clip(cells[name]!(row), COLUMN_MAX)));
  const widths = names.map((name, column) => Math.max(name.length, ...body.map((row) => row[column]!.length)));
  return [names, ...body].map((row) =>
    clip(
      `  ${row.map((cell, column) => (isNumeric(body[0]?.[column]) ? cell.padStart(widths[column]!) : cell.padEnd(widths[column]!))).join('  ')}`.trimEnd(),
      LINE_MAX,
    ),
  );
}

function isNumeric(cell: string | undefined): boolean {
  return cell !== undefined && /^[+-]?\d[\d.]*( (B|kB|MB|GB|ms|s|%))?$/.test(cell);
}

function clip(text: string, length: number): string {
  // One line each, whatever a name holds.
  const plain = text.replace(/[\p{Cc}\u2028\u2029]/gu, ' ');
  return plain.length <= length ? plain : `${plain.slice(0, length - 1)}…`;
}

export function size(bytes: number): string {
  const absolute = Math.abs(bytes);
  if (absolute < 1_000) return `${bytes} B`;
  if (absolute < 1e6) return `${(bytes / 1e3).toFixed(1)} kB`;
  return absolute < 1e9 ? `${(bytes / 1e6).toFixed(1)} MB` : `${(bytes / 1e9).toFixed(2)} GB`;
}

function signed(bytes: number): string {
  return `${bytes > 0 ? '+' : ''}${size(bytes)}`;
}

function lines(...parts: readonly string[]): string {
  return `${parts.map((part) => part.trimEnd()).join('\n')}\n`;
}
