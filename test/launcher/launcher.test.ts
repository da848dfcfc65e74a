import { spawn } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { nodePath, nodeVersions } from '../support/node-versions.ts';
import { waitFor } from '../support/wait-for.ts';

const root = join(import.meta.dirname, '../..');

/** Stands where the agent does: tells how it was started, then does what its first argument says. */
const probe = `
  const { pid, version, execArgv, env } = process;
  const inspector = (await import('node:inspector')).url() ?? null;
  const argv = process.argv.slice(2);
  console.log(JSON.stringify({ pid, version, execArgv, argv, nodeOptions: env.NODE_OPTIONS ?? null, inspector }));
  if (argv[0] === 'exit') process.exit(Number(argv[1]));
  if (argv[0] === 'echo') process.stdin.pipe(process.stdout);
  if (argv[0] === 'wait') {
    setInterval(() => {}, 1000);
    for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP']) process.on(signal, () => { console.log(signal); process.exit(3); });
    console.log('waiting');
  }
`;

interface ProbeReport {
  readonly pid: number;
  readonly version: string;
  readonly execArgv: readonly string[];
  readonly argv: readonly string[];
  readonly nodeOptions: string | null;
  readonly inspector: string | null;
}

interface Installation {
  /** Default true. */
  readonly built?: boolean;
  /** Whether Node 24 came with it. Default true. */
  readonly bundledNode?: boolean;
}

interface Launch extends Installation {
  readonly environment?: Readonly<Record<string, string>>;
}

describe.for(nodeVersions.map(({ major }) => major))('on Node %i', (major) => {
  test('the agent runs on Node 24 or newer, with every argument as it was', async () => {
    const launched = launch(major, ['exit', '7', '--target', 'a b', '', '--x=$HOME']);
    expect(await launched.ended).toEqual({ code: 7, signal: null });
    const report = launched.report();
    expect(Number(report.version.slice(1).split('.')[0])).toBeGreaterThanOrEqual(24);
    expect(report.argv).toEqual(['exit', '7', '--target', 'a b', '', '--x=$HOME']);
    expect(launched.stderr()).toBe('');
  });

  test('nothing opens an inspector on the agent: not SIGUSR1, not NODE_OPTIONS', async () => {
    const launched = launch(major, ['wait'], {
      environment: { NODE_OPTIONS: '--inspect=127.0.0.1:0 --no-warnings --inspect-publish-uid=http' },
    });
    await launched.printed('waiting');
    const { pid, nodeOptions, inspector, execArgv } = launched.report();
    expect({ inspector, execArgv }).toEqual({ inspector: null, execArgv: ['--disable-sigusr1'] });
    expect(nodeOptions).toBe('--no-warnings --inspect-publish-uid=http');
    process.kill(pid, 'SIGUSR1');
    process.kill(pid, 'SIGTERM');
    expect(await launched.ended).toEqual({ code: 3, signal: null });
  });

  test.for(['SIGTERM', 'SIGINT', 'SIGHUP'] as const)(
    '%s reaches the agent once, and its exit code comes back',
    async (signal) => {
      const launched = launch(major, ['wait']);
      await launched.printed('waiting');
      process.kill(launched.pid, signal);
      expect(await launched.ended).toEqual({ code: 3, signal: null });
      expect(
        launched
          .stdout()
          .split('\n')
          .filter((line) => line === signal),
      ).toHaveLength(1);
    },
  );

  test('an agent killed by a signal is seen as killed by that signal', async () => {
    const launched = launch(major, ['wait']);
    await launched.printed('waiting');
    process.kill(launched.report().pid, 'SIGKILL');
    expect(await launched.ended).toEqual({ code: null, signal: 'SIGKILL' });
  });

  test("standard input is the agent's", async () => {
    const launched = launch(major, ['echo']);
    launched.write('hello\n');
    expect(await launched.ended).toEqual({ code: 0, signal: null });
    expect(launched.stdout()).toContain('\nhello\n');
  });

  test('an agent that is not built is one sentence', async () => {
    const launched = launch(major, ['--help'], { built: false });
    expect(await launched.ended).toEqual({ code: 1, signal: null });
    expect(launched.stderr()).toMatch(
      /^sidescope: the agent is not built here \(.*main\.mjs is missing\): run .*\.\n$/,
    );
  });
});

test.for([18, 20, 22])('Node %i without a Node 24 beside it is one sentence', async (major) => {
  const launched = launch(major, ['--help'], { bundledNode: false });
  expect(await launched.ended).toEqual({ code: 1, signal: null });
  expect(launched.stderr()).toMatch(
    /^sidescope: needs Node 24 or newer and found v\d+\.\d+\.\d+: use a newer Node.*\.\n$/,
  );
});

test.for([24, 26])('Node %i needs no other Node', async (major) => {
  const launched = launch(major, ['exit', '0'], { bundledNode: false });
  expect(await launched.ended).toEqual({ code: 0, signal: null });
  expect(launched.report().version).toMatch(new RegExp(`^v${major}\\.`));
});

function launch(major: number, args: string[], { environment = {}, ...installation }: Launch = {}) {
  const launcher = join(install(installation), 'agent/launcher.cjs');
  const child = spawn(nodePath(major), [launcher, ...args], { env: environment });
  const output = { stdout: '', stderr: '' };
  child.stdout.setEncoding('utf8').on('data', (text: string) => (output.stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (output.stderr += text));
  const ended = new Promise<{ code: number | null; signal: string | null }>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code, signal) => resolve({ code, signal }));
  });
  onTestFinished(async () => {
    child.kill('SIGTERM');
    await ended;
  });
  return {
    pid: child.pid ?? 0,
    ended,
    stdout: () => output.stdout,
    stderr: () => output.stderr,
    report: () => JSON.parse(output.stdout.split('\n')[0] ?? '') as ProbeReport,
    write: (text: string) => child.stdin.end(text),
    printed: (line: string) =>
      waitFor(() => output.stdout.split('\n').includes(line), {
        message: () => `the line ${line} in ${JSON.stringify(output)}`,
      }),
  };
}

/** The published layout, with the probe in the agent's place. */
function install({ built = true, bundledNode = true }: Installation): string {
  const directory = mkdtempSync(join(tmpdir(), 'sidescope-launcher-'));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  for (const folder of ['agent', 'dist/agent', 'node_modules']) mkdirSync(join(directory, folder), { recursive: true });
  cpSync(join(root, 'agent/launcher.cjs'), join(directory, 'agent/launcher.cjs'));
  if (built) writeFileSync(join(directory, 'dist/agent/main.mjs'), probe);
  const node = `node_modules/node-linux-${process.arch}`;
  if (bundledNode) symlinkSync(join(root, node), join(directory, node));
  return directory;
}
