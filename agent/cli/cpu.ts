import { SidescopeError } from '../../protocol/error.ts';
import { diffCpuProfiles } from '../../protocol/cpu-profile/diff.ts';
import type { CpuProfile } from '../../protocol/cpu-profile/model.ts';
import { parseCpuProfileBytes } from '../../protocol/cpu-profile/parse.ts';
import { cpuDiffText, cpuSummaryText, summarizeCpu } from '../../protocol/cpu-profile/report.ts';
import type { CommandContext } from './command.ts';
import { commandHelp, readCommandLine } from './command-line.ts';
import { named, parseLimit } from './operands.ts';
import { openProfileFile } from './profile-file.ts';

export const cpuShape = {
  usage: 'sidescope cpu summary|diff FILE... [options]',
  lines: [
    'Reads CPU profiles of any V8 (.cpuprofile, plain or gzip) from files; needs no agent.',
    '  cpu summary FILE   whose code it was, the hottest functions and stacks',
    '  cpu diff A B       functions by change of their share of the busy time',
    'Exit codes: 0 done, 1 a file could not be read, 2 the command line is wrong.',
  ],
  options: {
    limit: { type: 'string', syntax: 'N', default: '20', meaning: 'How many functions.' },
    json: { type: 'boolean', meaning: 'Print one JSON document.' },
  },
} as const;

/** An hour at 1 ms has about 100 MB. */
const FILE_BYTES_MAX = 1024 * 1024 * 1024;

/** `sidescope cpu`. */
export async function analyseCpuFiles(context: CommandContext): Promise<number> {
  const { values, words, help } = readCommandLine(context.argv, cpuShape);
  if (help) {
    context.print(commandHelp(cpuShape));
    return 0;
  }
  const limit = parseLimit(values.limit);
  const answer = (found: object, text: () => string): number => {
    context.print(values.json ? `${JSON.stringify(found)}\n` : text());
    return 0;
  };
  const [verb = '', ...files] = words;
  switch (verb) {
    case 'summary': {
      const [file = ''] = named(files, { verb, least: 1, most: 1 });
      const found = summarizeCpu(await read(file, context.signal), limit);
      return answer(found, () => cpuSummaryText(found, { rows: limit }));
    }
    case 'diff': {
      const [before = '', after = ''] = named(files, { verb, least: 2, most: 2 });
      const first = await read(before, context.signal);
      const found = diffCpuProfiles(first, await read(after, context.signal), limit);
      return answer(found, () => cpuDiffText(found));
    }
    default:
      throw new SidescopeError(
        'invalid-option',
        `${verb === '' ? 'what to do is missing' : `there is no cpu ${JSON.stringify(verb.slice(0, 40))}`}\nUsage: ${cpuShape.usage}`,
      );
  }
}

async function read(path: string, signal: AbortSignal): Promise<CpuProfile> {
  await using file = await openProfileFile(path, signal);
  try {
    const chunks: Buffer[] = [];
    let sizeBytes = 0;
    for await (const chunk of file.chunks()) {
      sizeBytes += chunk.length;
      if (sizeBytes > FILE_BYTES_MAX)
        throw new SidescopeError('analysis-limit', `it has more than ${FILE_BYTES_MAX} B`);
      chunks.push(Buffer.from(chunk));
    }
    return parseCpuProfileBytes(Buffer.concat(chunks));
  } catch (error) {
    if (!(error instanceof SidescopeError)) throw error;
    throw new SidescopeError(error.code, `${path}: ${error.message}`, { cause: error });
  }
}
