import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Forwarding } from './forward.ts';
import type { Pod } from './pod.ts';

/** An executable that takes kubectl's `exec` and `port-forward` for this pod. */
export function kubectlFor(pod: Pod, admin: Forwarding): Disposable & { readonly path: string } {
  const directory = mkdtempSync(join(tmpdir(), 'sidescope-kubectl-'));
  const cluster = join(directory, 'cluster.json');
  const forwardedPorts = { 7777: Number(new URL(admin.url).port) };
  const { command, environment } = pod.execCommand('sidescope');
  writeFileSync(cluster, JSON.stringify({ execCommands: { sidescope: command }, environment, forwardedPorts }));
  const path = join(directory, 'kubectl');
  const script = join(import.meta.dirname, 'kubectl-command.cjs');
  writeFileSync(path, `#!/bin/sh\nexec ${process.execPath} ${script} ${cluster} "$@"\n`);
  chmodSync(path, 0o755);
  return { path, [Symbol.dispose]: () => rmSync(directory, { recursive: true }) };
}
