import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { say } from './run.ts';
import { unpackPackages } from './unpack-packages.ts';

const directory = join(import.meta.dirname, '../../.cache/prometheus');

export const prometheusPath = join(directory, 'usr/bin/prometheus');
export const promtoolPath = join(directory, 'usr/bin/promtool');

/** The package would start a service and brings a dozen others for its page. */
export function preparePrometheus(): void {
  if (existsSync(promtoolPath) && existsSync(prometheusPath)) return;
  say('fetching Prometheus from Debian');
  unpackPackages(['prometheus'], directory);
}
