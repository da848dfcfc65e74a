// Fetches what the tests need beyond `npm ci`: the Node versions that targets run on, and Chromium for the page.
// `npm test` runs it first; with everything in place it takes a few milliseconds. Idempotent: run it by hand at any time.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { nodeVersions } from '../test/support/node-versions.ts';
import { chromiumPath } from '../test/support/chromium.ts';

prepareNodeVersions();
prepareChromium();

function prepareNodeVersions(): void {
  const folder = join(import.meta.dirname, '..', 'test', 'node-versions');
  const stamp = join(folder, 'node_modules', '.sidescope-lock-sha256');
  const lockHash = createHash('sha256')
    .update(readFileSync(join(folder, 'package-lock.json')))
    .digest('hex');
  const isInstalled = (): boolean => nodeVersions.length > 0 && nodeVersions.every(({ path }) => existsSync(path));

  if (isInstalled() && existsSync(stamp) && readFileSync(stamp, 'utf8') === lockHash) return;
  say(`installing Node ${nodeVersions.map(({ version }) => version).join(', ')} into test/node-versions`);
  run('npm', ['ci', '--prefix', folder, '--no-update-notifier'], { cwd: folder });
  if (!isInstalled()) {
    fail(
      `npm ci in test/node-versions ended well, yet these are missing on ${process.platform} ${process.arch}: ` +
        (nodeVersions.map(({ path }) => path).find((path) => !existsSync(path)) ??
          'all of them (Linux x64 and arm64 only)'),
    );
  }
  writeFileSync(stamp, lockHash);
}

function prepareChromium(): void {
  if (chromiumPath() !== undefined) return;
  say('no Chromium found, installing one');
  if (!installThroughApt() && !installThroughPlaywright()) {
    fail(
      'Chromium could be installed neither through apt-get nor through playwright-core; the tests of the page need it',
    );
  }
  const path = chromiumPath();
  if (path === undefined) fail('Chromium was installed, yet it is at none of the places where the tests look for it');
  say(`Chromium is at ${path}`);
}

function installThroughApt(): boolean {
  if (spawnSync('apt-get', ['--version'], { stdio: 'ignore' }).status !== 0) return false;
  const aptGet = (...args: string[]): boolean => {
    const isRoot = process.getuid?.() === 0;
    const [command, ...rest] = [
      ...(isRoot ? [] : ['sudo', '--non-interactive', '--preserve-env=DEBIAN_FRONTEND']),
      'apt-get',
      ...args,
    ];
    return tryRun(command ?? 'apt-get', rest, { env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' } });
  };
  return (
    aptGet('update', '--quiet') &&
    aptGet('install', '--quiet', '--yes', '--no-install-recommends', 'chromium', 'fonts-liberation')
  );
}

function installThroughPlaywright(): boolean {
  const cli = join(import.meta.dirname, '..', 'node_modules', 'playwright-core', 'cli.js');
  return tryRun(process.execPath, [cli, 'install', 'chromium'], {});
}

interface RunOptions {
  readonly cwd?: string;
  readonly env?: NodeJS.ProcessEnv;
}

function run(command: string, args: readonly string[], options: RunOptions): void {
  if (!tryRun(command, args, options)) fail(`${command} ${args.join(' ')} failed`);
}

function tryRun(command: string, args: readonly string[], options: RunOptions): boolean {
  say(`running ${command} ${args.join(' ')}`);
  const { status, error } = spawnSync(command, args, { stdio: 'inherit', ...options });
  if (error !== undefined) say(error.message);
  return status === 0;
}

function say(line: string): void {
  console.log(`prepare-tests: ${line}`);
}

function fail(sentence: string): never {
  console.error(`prepare-tests: ${sentence}`);
  process.exit(1);
}
