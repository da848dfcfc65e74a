import { existsSync, globSync, mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { mustRun, say } from './run.ts';

const directory = join(import.meta.dirname, '../../.cache/prometheus');

export const prometheusPath = join(directory, 'usr/bin/prometheus');
export const promtoolPath = join(directory, 'usr/bin/promtool');

/** Debian's, unpacked and not installed: the package would start a service and brings a dozen others for its page. */
export function preparePrometheus(): void {
  if (existsSync(promtoolPath) && existsSync(prometheusPath)) return;
  say('fetching Prometheus from Debian');
  mkdirSync(directory, { recursive: true });
  // As the machine's own user: apt's sandbox user may not write here.
  mustRun('apt-get', ['-o', 'APT::Sandbox::User=', '--quiet', 'download', 'prometheus'], { cwd: directory });
  const [archive = ''] = globSync('prometheus_*.deb', { cwd: directory });
  mustRun('dpkg-deb', ['--extract', archive, '.'], { cwd: directory });
  rmSync(join(directory, archive));
  rmSync(join(directory, 'usr/share'), { recursive: true, force: true });
}
