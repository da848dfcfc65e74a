// Fetches what the tests need beyond `npm ci`: the Node versions that targets run on, Chromium for the page, kubectl, helm and
// Kubernetes' types for the manifests, older exporters of OpenTelemetry, podman for the pod, Prometheus and its Python client for the metrics, Swift as an S3 that checks signatures.
// `npm test` runs it first; with everything in place it takes a few milliseconds. Idempotent: run it by hand at any time.
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { nodeVersions } from '../test/support/node-versions.ts';
import { chromiumPath } from '../test/support/chromium.ts';
import { prepareContainers } from './prepare/containers.ts';
import { prepareHelm, prepareKubectl, prepareKubernetesTypes } from './prepare/kubernetes.ts';
import { prepareOtelVersions } from './prepare/otel-versions.ts';
import { preparePrometheus } from './prepare/prometheus.ts';
import { preparePrometheusClient } from './prepare/prometheus-client.ts';
import { installPackages, say, tryRun } from './prepare/run.ts';
import { prepareSwift } from './prepare/swift.ts';

prepareNodeVersions();
prepareChromium();
prepareKubectl();
prepareHelm();
prepareKubernetesTypes();
prepareOtelVersions();
prepareContainers();
preparePrometheus();
preparePrometheusClient();
prepareSwift();

function prepareNodeVersions(): void {
  const folder = join(import.meta.dirname, '..', 'test', 'node-versions');
  const stamp = join(folder, 'node_modules', '.sidescope-lock-sha256');
  const lockHash = createHash('sha256')
    .update(readFileSync(join(folder, 'package-lock.json')))
    .digest('hex');
  const isInstalled = (): boolean => nodeVersions.length > 0 && nodeVersions.every(({ path }) => existsSync(path));

  if (isInstalled() && existsSync(stamp) && readFileSync(stamp, 'utf8') === lockHash) return;
  say(`installing Node ${nodeVersions.map(({ version }) => version).join(', ')} into test/node-versions`);
  if (!tryRun('npm', ['ci', '--prefix', folder, '--no-update-notifier'], { cwd: folder })) fail('npm ci failed');
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
  if (!installPackages(['chromium', 'fonts-liberation']) && !installThroughPlaywright()) {
    fail(
      'Chromium could be installed neither through apt-get nor through playwright-core; the tests of the page need it',
    );
  }
  const path = chromiumPath();
  if (path === undefined) fail('Chromium was installed, yet it is at none of the places where the tests look for it');
  say(`Chromium is at ${path}`);
}

function installThroughPlaywright(): boolean {
  const cli = join(import.meta.dirname, '..', 'node_modules', 'playwright-core', 'cli.js');
  return tryRun(process.execPath, [cli, 'install', 'chromium']);
}

function fail(sentence: string): never {
  console.error(`prepare-tests: ${sentence}`);
  process.exit(1);
}
