import { spawn } from 'node:child_process';
import { text } from 'node:stream/consumers';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { helpText } from '../../agent/cli/help.ts';
import { version } from '../../agent/version.ts';

const main = join(import.meta.dirname, '../../agent/main.ts');

async function run(args: readonly string[], environment: Record<string, string> = {}) {
  const child = spawn(process.execPath, [main, ...args], { env: environment, stdio: ['ignore', 'pipe', 'pipe'] });
  const exit = new Promise<number | null>((resolve, reject) => child.on('error', reject).on('close', resolve));
  const [code, stdout, stderr] = await Promise.all([exit, text(child.stdout), text(child.stderr)]);
  return { code, stdout, stderr };
}

test('--help prints the options and starts nothing, whatever else is given', async () => {
  expect(await run(['--target', 'nonsense', '--help'])).toEqual({ code: 0, stdout: helpText(), stderr: '' });
});

test('--version prints the version of package.json', async () => {
  expect(version).toMatch(/^\d+\.\d+\.\d+$/);
  expect(await run(['-v'])).toEqual({ code: 0, stdout: `sidescope ${version}\n`, stderr: '' });
});

test('with --strict every problem is printed and the exit code is 2', async () => {
  const { code, stdout, stderr } = await run(['--strict', '--taget', 'a:1', '--disk-budget', '2'], {
    SIDESCOPE_RETENTION_AGE: 'week',
    SIDESCOPE_TYPO: '1',
  });
  expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
  for (const fact of [
    'unknown option "--taget"; did you mean --target?',
    '--disk-budget "2" needs a unit',
    'SIDESCOPE_RETENTION_AGE "week" must be a number with a unit',
    'unknown variable "SIDESCOPE_TYPO"',
  ]) {
    expect(stderr).toContain(fact);
  }
});
