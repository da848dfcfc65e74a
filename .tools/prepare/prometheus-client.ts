import { spawnSync } from 'node:child_process';
import { existsSync, globSync, mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { installPackages, mustRun, say } from './run.ts';

const directory = join(import.meta.dirname, '../../.cache/prometheus-client');

/** For PYTHONPATH. */
export const prometheusClientPath = join(directory, 'usr/lib/python3/dist-packages');

/** Prometheus' Python client, whose parsers ours is compared with: Debian's, unpacked and not installed. */
export function preparePrometheusClient(): void {
  if (spawnSync('python3', ['--version'], { stdio: 'ignore' }).status !== 0 && !installPackages(['python3']))
    throw new Error('there is no python3, and apt-get could not install it');
  if (existsSync(join(prometheusClientPath, 'prometheus_client', 'parser.py'))) return;
  say("fetching Prometheus' Python client from Debian");
  mkdirSync(directory, { recursive: true });
  // As the machine's own user: apt's sandbox user may not write here.
  const options = ['-o', 'APT::Sandbox::User=', '--quiet'];
  mustRun('apt-get', [...options, 'download', 'python3-prometheus-client'], { cwd: directory });
  const [archive = ''] = globSync('python3-prometheus-client_*.deb', { cwd: directory });
  mustRun('dpkg-deb', ['--extract', archive, '.'], { cwd: directory });
  rmSync(join(directory, archive));
}
