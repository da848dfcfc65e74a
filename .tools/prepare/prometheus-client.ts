import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { installPackages, say } from './run.ts';
import { unpackPackages } from './unpack-packages.ts';

const directory = join(import.meta.dirname, '../../.cache/prometheus-client');

/** For PYTHONPATH. */
export const prometheusClientPath = join(directory, 'usr/lib/python3/dist-packages');

/** Prometheus' Python client, whose parsers ours is compared with, and what it imports. */
export function preparePrometheusClient(): void {
  if (spawnSync('python3', ['--version'], { stdio: 'ignore' }).status !== 0 && !installPackages(['python3']))
    throw new Error('there is no python3, and apt-get could not install it');
  const needed = ['decorator.py', 'prometheus_client/parser.py'];
  if (needed.every((name) => existsSync(join(prometheusClientPath, name)))) return;
  say("fetching Prometheus' Python client from Debian");
  unpackPackages(['python3-decorator', 'python3-prometheus-client'], directory);
}
