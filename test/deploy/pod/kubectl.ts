import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Forwarding } from './forward.ts';
import type { Pod } from './pod.ts';

/** An executable that takes kubectl's `exec` and `port-forward` for this pod, and lists it as the only one. */
export function kubectlFor(pod: Pod, admin: Forwarding): Disposable & { readonly path: string } {
  const directory = mkdtempSync(join(tmpdir(), 'sidescope-kubectl-'));
  const cluster = join(directory, 'cluster.json');
  const forwardedPorts = { 7777: Number(new URL(admin.url).port) };
  const { command, environment } = pod.execCommand('sidescope');
  writeFileSync(
    cluster,
    JSON.stringify({ execCommands: { sidescope: command }, environment, forwardedPorts, pods: podList }),
  );
  const path = join(directory, 'kubectl');
  const script = join(import.meta.dirname, 'kubectl-command.cjs');
  writeFileSync(path, `#!/bin/sh\nexec ${process.execPath} ${script} ${cluster} "$@"\n`);
  chmodSync(path, 0o755);
  return { path, [Symbol.dispose]: () => rmSync(directory, { recursive: true }) };
}

/** As far as the commands read it. */
const podList = {
  kind: 'PodList',
  items: [
    {
      metadata: { name: 'shop-1', namespace: 'shop', uid: 'uid-1', labels: { app: 'shop' } },
      spec: {
        nodeName: 'node-1',
        initContainers: [{ name: 'sidescope' }],
        containers: [{ name: 'shop', image: 'shop:1.0.0' }],
      },
      status: { phase: 'Running', initContainerStatuses: [{ name: 'sidescope', state: { running: {} } }] },
    },
  ],
};
