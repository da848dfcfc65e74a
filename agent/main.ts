import { helpText } from './cli/help.ts';
import { resolveOptions } from './options.ts';
import { readSmallFile } from './options/config-file.ts';
import type { OptionProblem } from './options/sources.ts';
import { version } from './version.ts';

/** As shells and getopt have it: the command line was wrong. */
const usageExitCode = 2;

const { options, problems } = await resolveOptions({
  argv: process.argv.slice(2),
  environment: process.env,
  readFile: readSmallFile,
  isTerminal: process.stderr.isTTY,
});

if (options.help) {
  process.stdout.write(helpText());
} else if (options.version) {
  process.stdout.write(`sidescope ${version}\n`);
} else {
  printProblems(problems);
  if (options.strict && problems.some(({ severity }) => severity === 'error')) process.exitCode = usageExitCode;
}

function printProblems(problems: readonly OptionProblem[]): void {
  for (const { severity, message } of problems) process.stderr.write(`sidescope: ${severity}: ${message}\n`);
  if (problems.length > 0) process.stderr.write('sidescope: see --help for the options\n');
}
