import { createHash } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { say, tryRun } from './run.ts';

/** The exporters of an older OpenTelemetry, which cannot lie beside the repository's own. */
export function prepareOtelVersions(): void {
  const folder = join(import.meta.dirname, '../../test/otel-versions');
  const stamp = join(folder, 'node_modules/.sidescope-lock-sha256');
  const lockHash = createHash('sha256')
    .update(readFileSync(join(folder, 'package-lock.json')))
    .digest('hex');
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === lockHash) return;
  say('installing the exporters of OpenTelemetry 0.22x into test/otel-versions');
  if (!tryRun('npm', ['ci', '--no-update-notifier'], { cwd: folder }))
    throw new Error('npm ci in test/otel-versions failed');
  writeFileSync(stamp, lockHash);
}
