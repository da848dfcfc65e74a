import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { text } from 'node:stream/consumers';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { commandHelp } from '../../agent/cli/command-line.ts';
import { commands } from '../../agent/cli/commands.ts';
import { cpuShape } from '../../agent/cli/cpu.ts';
import { helpText } from '../../agent/cli/help.ts';
import { version } from '../../agent/version.ts';
import { waitFor } from '../support/wait-for.ts';

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

test.each([
  [['help'], /^Profiles running Node\.js processes/],
  [['help', 'token'], /^Usage: sidescope token /],
])('%j prints help', async (args, text) => {
  expect(await run(args)).toEqual({ code: 0, stdout: expect.stringMatching(text) as string, stderr: '' });
});

test('the help of a command has no broken lines', async () => {
  const { stdout } = await run(['why', '--help']);
  const [, text = ''] = stdout.split('\n\n');
  expect(text).toContain('attaches,\nopening the inspector by SIGUSR1 where it is not open, looks for 3 s,');
});

test('a table in the help of a command keeps its rows', () => {
  const text = commandHelp(cpuShape);
  expect(text).toContain('no agent.\n  cpu summary FILE   whose');
  expect(text).toContain('stacks\n  cpu diff A B       functions');
  expect(text).toContain('busy time\nExit codes: 0 done');
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

describe('with a terminal', () => {
  /** Runs the agent on a terminal of its own, `script`, until it says that it is ready. */
  async function seenOnTerminal(environment: Record<string, string>): Promise<string> {
    const home = mkdtempSync(join(tmpdir(), 'sidescope-terminal-'));
    onTestFinished(() => rmSync(home, { recursive: true, force: true }));
    const args = ['--admin-address', '127.0.0.1:0', '--ops-address', 'off', '--data-dir', join(home, 'data')];
    const command = [process.execPath, main, ...args].map((word) => `'${word}'`).join(' ');
    const child = spawn('script', ['-qec', `exec ${command}`, '/dev/null'], {
      env: { PATH: process.env['PATH'] ?? '', SHELL: '/bin/sh', ...environment },
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    let seen = '';
    child.stdout.setEncoding('utf8').on('data', (chunk: string) => (seen += chunk));
    const ended = new Promise((resolve) => child.on('close', resolve));
    onTestFinished(async () => {
      // Ctrl-C, as a person would.
      child.stdin.write('\u0003');
      await ended;
    });
    await waitFor(() => seen.includes('sidescope is ready'), { message: () => `the agent on a terminal: ${seen}` });
    return seen;
  }

  test('the link to the page has a token in it', async () => {
    expect(await seenOnTerminal({})).toMatch(/Dashboard: http:\/\/127\.0\.0\.1:\d+\/\S+#token=sst_[\w-]{43}\s/);
  });

  test('in a pod, whose log keeps what is printed there, it has none', async () => {
    const seen = await seenOnTerminal({ KUBERNETES_SERVICE_HOST: '10.0.0.1' });
    expect(seen).toMatch(/Dashboard: http:\S+\/ui \(sidescope token prints a link with a token\)/);
    expect(seen).not.toContain('sst_');
  });
});

describe('commands', () => {
  test.for(Object.keys(commands))('help names %s, and it has its own', async (name) => {
    expect(helpText()).toMatch(new RegExp(`^  ${name}$`, 'm'));
    const { code, stdout, stderr } = await run([name, '--help']);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toMatch(new RegExp(`^Usage: sidescope ${name} `));
    expect(stdout).toContain('  -h, --help\n');
    expect(stdout.split('\n').filter((line) => line.length > 100)).toEqual([]);
  });

  test('one that is almost a command is not taken for an agent without options', async () => {
    expect(await run(['tokne'])).toEqual({
      code: 2,
      stdout: '',
      stderr: 'sidescope: there is no command tokne; did you mean token?\n',
    });
  });

  test('a wrong option of a command is named, with how it is called', async () => {
    const { code, stdout, stderr } = await run(['token', '--dat-dir', 'x']);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toMatch(
      /^sidescope token: Unknown option '--dat-dir'; did you mean --data-dir\?\nUsage: sidescope token /,
    );
  });

  test('their code is loaded only when they are called, and that of the agent only for the agent', () => {
    const folder = join(import.meta.dirname, '../../dist/agent');
    const loaded = new Set<string>();
    const load = (file: string): void => {
      if (loaded.has(file)) return;
      loaded.add(file);
      const code = readFileSync(join(folder, file), 'utf8');
      // Only what stands at the top: `import("./x.mjs")` waits for its call.
      for (const [, name = ''] of code.matchAll(/^(?:import|export) .*?from "\.\/([^"]+)";$/gm)) load(name);
      for (const [, name = ''] of code.matchAll(/^import "\.\/([^"]+)";$/gm)) load(name);
    };
    load('main.mjs');
    expect(loaded.size).toBeGreaterThan(1);
    const names = [...loaded].map((file) => file.replace(/-[\w-]{8}\.mjs$/, ''));
    for (const late of ['agent', 'token', 'open', 'control', 'pino']) expect(names).not.toContain(late);
    const all = readdirSync(folder).map((file) => file.replace(/-[\w-]{8}\.mjs$/, ''));
    for (const late of ['agent', 'token', 'open']) expect(all).toContain(late);
  });
});
