import { globSync, mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { mustRun } from './run.ts';

/** Debian's packages, unpacked and not installed: without their services and what else they would bring. In their order, so that the last one's files can be the mark that all are there. */
export function unpackPackages(names: readonly string[], directory: string): void {
  mkdirSync(directory, { recursive: true });
  // As the machine's own user: apt's sandbox user may not write here.
  mustRun('apt-get', ['-o', 'APT::Sandbox::User=', '--quiet', 'download', ...names], { cwd: directory });
  for (const name of names) {
    const [archive = ''] = globSync(`${name}_*.deb`, { cwd: directory });
    mustRun('dpkg-deb', ['--extract', archive, '.'], { cwd: directory });
    rmSync(join(directory, archive));
  }
  rmSync(join(directory, 'usr/share'), { recursive: true, force: true });
}
