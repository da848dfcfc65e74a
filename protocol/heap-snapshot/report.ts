import { joinLines, sizeText, textTable } from '../text-table/table.ts';
import type { HeapSummary } from './summary.ts';
import { growth } from './class-changes.ts';
import { SUSPECT_COUNT } from './diff.ts';
import type { GrownPath, HeapDiff } from './diff.ts';
import type { ClassRetainers } from './retainer-groups.ts';

/** Fewer than 200 lines of at most 160 characters, the same for the same snapshot; more only where `rows` asks for more of each list. */
export function heapSummaryText(summary: HeapSummary, { rows = 0 }: { rows?: number } = {}): string {
  const { biggest, duplicates, hints } = summary;
  const classes = summary.classes.slice(0, Math.max(30, rows));
  return lines(
    `Heap snapshot: ${sizeText(summary.selfBytes)} in ${summary.nodes} objects, ${summary.edges} references`,
    ...section(
      'Worth a look: what often leaks, and as often does not',
      textTable(hints.slice(0, Math.max(30, rows)), {
        retained: ({ retainedBytes }) => sizeText(retainedBytes),
        what: ({ text }) => text,
        path: ({ path }) => path,
      }),
    ),
    '',
    `Classes by retained size (${classes.length} of ${summary.classCount})`,
    ...textTable(classes, {
      retained: ({ retainedBytes }) => sizeText(retainedBytes),
      self: ({ selfBytes }) => sizeText(selfBytes),
      count: ({ count }) => String(count),
      class: ({ name }) => name,
    }),
    '',
    'Biggest objects',
    ...textTable(biggest.slice(0, Math.max(30, rows)), {
      retained: ({ retainedBytes }) => sizeText(retainedBytes),
      object: ({ className, id }) => `${className} @${id}`,
      path: ({ path }) => path,
    }),
    '',
    'By type',
    ...textTable(summary.types.slice(0, 16), {
      size: ({ selfBytes }) => sizeText(selfBytes),
      count: ({ count }) => String(count),
      type: ({ type }) => type,
    }),
    ...section(
      'Duplicate strings',
      textTable(duplicates.slice(0, Math.max(20, rows)), {
        wasted: ({ wastedBytes }) => sizeText(wastedBytes),
        count: ({ count }) => String(count),
        text: ({ text, isPrefix }) => `${JSON.stringify(text.slice(0, 60))}${isPrefix ? ' (begin alike)' : ''}`,
      }),
    ),
  );
}

/** The same bounds. */
export function heapDiffText(
  { snapshots, warning, totals, classes, grown }: HeapDiff,
  { rows = 0 }: { rows?: number } = {},
): string {
  const suspects = grown.filter(({ isSuspect }) => isSuspect);
  return lines(
    `Heap diff of ${snapshots} snapshots: new ${sizeText(totals.newBytes)} in ${totals.newCount} objects, freed ${sizeText(totals.freedBytes)} in ${totals.freedCount}, stayed ${sizeText(totals.survivedBytes)} in ${totals.survivedCount}`,
    ...(warning === null ? [] : ['', warning]),
    ...(warning === null || grown.length > 0 ? suspectLines(suspects, snapshots) : []),
    '',
    'Classes that changed, by growth of their retained size',
    ...textTable(classes.slice(0, Math.max(30, rows)), {
      retained: ({ retainedBytes }) => signed(growth(retainedBytes)),
      count: ({ counts }) => counts.join(' > '),
      new: ({ newCount }) => `+${newCount}`,
      freed: ({ freedCount }) => `-${freedCount}`,
      class: ({ name, isGrowingSteadily }) => `${name}${isGrowingSteadily ? ' (steadily)' : ''}`,
    }),
    ...section(
      `New objects ${snapshots > 2 ? 'that stayed to the last, ' : ''}by what holds them`,
      textTable(grown.slice(0, Math.max(40, rows)), {
        retained: ({ retainedBytes }) => sizeText(retainedBytes),
        count: ({ count }) => String(count),
        class: ({ className }) => className,
        path: ({ path }) => path,
      }),
    ),
  );
}

function suspectLines(suspects: readonly GrownPath[], snapshots: number): string[] {
  if (snapshots <= 2) return ['', 'A third snapshot, taken later, tells what stays from what comes and goes.'];
  if (suspects.length === 0)
    return ['', `No suspects: no class that grows in every snapshot has ${SUSPECT_COUNT} new objects that stayed.`];
  return section(
    'Suspects: class grows in every snapshot, and its new objects stay',
    textTable(suspects.slice(0, 20), {
      retained: ({ retainedBytes }) => sizeText(retainedBytes),
      class: ({ className, count, chainedCount }) =>
        chainedCount > count ? `${chainedCount} ${className} in a chain` : `${count} ${className}`,
      example: ({ example, exampleId }) => `${example} @${exampleId}`,
    }),
  );
}

export function classRetainersText({ className, count, unreachedCount, groups }: ClassRetainers): string {
  return lines(
    `${count} objects of ${className}${unreachedCount === 0 ? '' : `, ${unreachedCount} of them held weakly or by nothing`}`,
    '',
    ...textTable(groups, {
      retained: ({ retainedBytes }) => sizeText(retainedBytes),
      count: (group) => String(group.count),
      path: ({ path }) => path,
      example: ({ exampleId }) => `@${exampleId}`,
    }),
  );
}

function section(title: string, rows: readonly string[]): string[] {
  return rows.length <= 1 ? [] : ['', title, ...rows];
}

function signed(bytes: number): string {
  return `${bytes > 0 ? '+' : ''}${sizeText(bytes)}`;
}

function lines(...parts: readonly string[]): string {
  return joinLines(parts);
}
