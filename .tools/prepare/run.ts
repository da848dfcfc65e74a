import { spawnSync } from 'node:child_process';

export interface RunOptions {
  readonly cwd?: string;
  readonly env?: NodeJS.ProcessEnv;
}

export function say(line: string): void {
  console.log(`prepare-tests: ${line}`);
}

export function tryRun(command: string, args: readonly string[], options: RunOptions = {}): boolean {
  say(`running ${command} ${args.join(' ')}`);
  const { status, error } = spawnSync(command, args, { stdio: 'inherit', ...options });
  if (error !== undefined) say(error.message);
  return status === 0;
}

export function mustRun(command: string, args: readonly string[], options: RunOptions = {}): void {
  if (!tryRun(command, args, options)) throw new Error(`${command} ${args.join(' ')} failed`);
}

/** Through apt-get, as root or with a sudo that asks nothing; false where that cannot be. */
export function installPackages(names: readonly string[]): boolean {
  if (spawnSync('apt-get', ['--version'], { stdio: 'ignore' }).status !== 0) return false;
  const isRoot = process.getuid?.() === 0;
  const aptGet = (...args: string[]): boolean => {
    const [command = 'apt-get', ...rest] = [
      ...(isRoot ? [] : ['sudo', '--non-interactive', '--preserve-env=DEBIAN_FRONTEND']),
      'apt-get',
      ...args,
    ];
    return tryRun(command, rest, { env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' } });
  };
  return aptGet('update', '--quiet') && aptGet('install', '--quiet', '--yes', '--no-install-recommends', ...names);
}
