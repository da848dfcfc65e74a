import { randomBytes } from 'node:crypto';
import { basename } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import { SidescopeError } from '../../protocol/error.ts';
import { analysisOf } from '../../protocol/heap-snapshot/analyse.ts';
import type { HeapAnalysis } from '../../protocol/heap-snapshot/analyse.ts';
import { asDiffBase, diffSnapshots } from '../../protocol/heap-snapshot/diff.ts';
import type { DiffBase, HeapDiff } from '../../protocol/heap-snapshot/diff.ts';
import { SnapshotReader } from '../../protocol/heap-snapshot/read.ts';
import { classRetainersText, heapDiffText, heapSummaryText } from '../../protocol/heap-snapshot/report.ts';
import { retainersOfClass } from '../../protocol/heap-snapshot/retainer-groups.ts';
import { summarizeHeap } from '../../protocol/heap-snapshot/summary.ts';
import { nearestName } from '../options/nearest-name.ts';
import type { CommandContext } from './command.ts';
import { commandHelp, readCommandLine } from './command-line.ts';
import { redactFile } from './heap/redact-file.ts';
import { named, parseLimit } from './operands.ts';
import { openProfileFile } from './profile-file.ts';
import { ProgressLine } from './progress.ts';

export const heapShape = {
  usage: 'sidescope heap summary|diff|retainers|redact FILE... [options]',
  lines: [
    'Reads heap snapshots of any V8 (.heapsnapshot, plain or gzip) from files; needs no agent.',
    '  heap summary FILE                  types, classes, biggest objects, what is worth a look',
    '  heap diff A B [C]                  what is new, freed, and grown, by class and by what holds it',
    '  heap retainers FILE --class NAME   what holds the objects of one class',
    '  heap redact IN OUT                 a copy without contents of strings and keys that are data',
    'A 900 MB snapshot takes about 1.3 GB of memory.',
    'Exit codes: 0 done, 1 a file could not be read or written, 2 the command line is wrong.',
  ],
  options: {
    class: { type: 'string', syntax: 'NAME', meaning: 'The class that `retainers` is about, as `summary` names it.' },
    limit: { type: 'string', syntax: 'N', default: '20', meaning: 'How many entries of each list.' },
    salt: {
      type: 'string',
      syntax: 'TEXT',
      meaning: 'Of `redact`: equal contents get equal replacements in all files with one salt. Random unless told.',
    },
    force: { type: 'boolean', meaning: 'Of `redact`: write over OUT when it is there already.' },
    json: { type: 'boolean', meaning: 'Print one JSON document.' },
  },
} as const;

type Values = ReturnType<typeof readCommandLine<typeof heapShape.options>>['values'];

interface Run {
  readonly context: CommandContext;
  readonly values: Values;
  readonly limit: number;
  readonly progress: ProgressLine;
}

/** `sidescope heap`. */
export async function analyseHeapFiles(context: CommandContext): Promise<number> {
  const { values, words, help } = readCommandLine(context.argv, heapShape);
  if (help) {
    context.print(commandHelp(heapShape));
    return 0;
  }
  const [verb = '', ...files] = words;
  using progress = new ProgressLine(process.stderr.isTTY ? context.say : undefined);
  const run = { context, values, limit: parseLimit(values.limit), progress };
  switch (verb) {
    case 'summary':
      return await summary(run, named(files, { verb, least: 1, most: 1 }));
    case 'diff':
      return await diff(run, named(files, { verb, least: 2, most: 3 }));
    case 'retainers':
      return await retainers(run, named(files, { verb, least: 1, most: 1 }));
    case 'redact':
      return await redact(run, named(files, { verb, least: 2, most: 2 }));
    default:
      throw new SidescopeError(
        'invalid-option',
        `${verb === '' ? 'what to do is missing' : `there is no heap ${JSON.stringify(verb.slice(0, 40))}`}\nUsage: ${heapShape.usage}`,
      );
  }
}

async function summary(run: Run, [file = '']: readonly string[]): Promise<number> {
  const found = summarizeHeap(await analyse(file, run), run.limit);
  return answer(run, found, () => heapSummaryText(found, { rows: run.limit }));
}

async function diff(run: Run, files: readonly string[]): Promise<number> {
  const bases: DiffBase[] = [];
  // One after the other: only what a diff needs of the earlier ones is kept.
  for (const file of files.slice(0, -1)) bases.push(asDiffBase(await analyse(file, run)));
  const last = await analyse(files.at(-1)!, run);
  const [first, middle] = bases;
  const found = diffSnapshots(middle === undefined ? [first!] : [first!, middle], last);
  const cut: HeapDiff = {
    ...found,
    classes: found.classes.slice(0, run.limit),
    grown: found.grown.slice(0, run.limit),
  };
  return answer(run, cut, () => heapDiffText(cut, { rows: run.limit }));
}

async function retainers(run: Run, [file = '']: readonly string[]): Promise<number> {
  const className = run.values.class;
  if (className === undefined) throw new SidescopeError('invalid-option', 'retainers needs --class NAME');
  const analysis = await analyse(file, run);
  const found = retainersOfClass(analysis, className, run.limit);
  if (found === undefined) {
    const near = nearestName(
      className,
      analysis.histogram.slice(0, 5_000).map(({ name }) => name),
    );
    const hint = near === undefined ? '' : `; did you mean ${near}?`;
    throw new SidescopeError(
      'invalid-option',
      `${file} has no object of the class ${JSON.stringify(className)}${hint}`,
    );
  }
  return answer(run, found, () => classRetainersText(found));
}

async function redact(
  { context, values, progress }: Run,
  [input = '', output = '']: readonly string[],
): Promise<number> {
  const salt = values.salt === undefined ? randomBytes(16) : new TextEncoder().encode(values.salt);
  const { force: isForced = false } = values;
  const counts = await redactFile({ input, output, isForced, salt, progress, signal: context.signal });
  if (values.json) context.print(`${JSON.stringify({ output, ...counts })}\n`);
  else
    context.say(
      `${output}: of ${counts.strings} strings ${counts.replacedContents} contents and ${counts.replacedKeys} keys replaced\n`,
    );
  return 0;
}

async function analyse(path: string, { context: { signal }, progress }: Run): Promise<HeapAnalysis> {
  await using file = await openProfileFile(path, signal);
  const reader = new SnapshotReader({ sizeBytes: file.plainBytes });
  const name = basename(path);
  try {
    for await (const chunk of file.chunks()) {
      reader.push(chunk);
      progress.show(`${name}: read ${Math.floor((100 * file.readBytes) / file.sizeBytes)} %`);
    }
    const steps = analysisOf(reader.finish());
    for (;;) {
      const step = steps.next();
      if (step.done === true) return step.value;
      progress.show(`${name}: ${step.value}`, { isDue: true });
      // Ctrl-C is heard between two steps.
      await turn();
      signal.throwIfAborted();
    }
  } catch (error) {
    if (!(error instanceof SidescopeError)) throw error;
    throw new SidescopeError(error.code, `${path}: ${error.message}`, { cause: error });
  }
}

function answer({ context, values, progress }: Run, found: object, text: () => string): number {
  progress[Symbol.dispose]();
  context.print(values.json ? `${JSON.stringify(found)}\n` : text());
  return 0;
}
