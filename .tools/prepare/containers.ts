import { existsSync } from 'node:fs';
import { installPackages, say } from './run.ts';

/** What builds the image, and what runs the pod of test/deploy; catatonit is podman's pause process. */
const needed: Readonly<Record<string, string>> = {
  '/usr/bin/buildah': 'buildah',
  '/usr/bin/podman': 'podman',
  '/usr/sbin/runc': 'runc',
  '/usr/bin/catatonit': 'catatonit',
  ...(process.arch === 'arm64'
    ? { '/usr/bin/aarch64-linux-gnu-strip': 'binutils-aarch64-linux-gnu' }
    : { '/usr/bin/x86_64-linux-gnu-strip': 'binutils-x86-64-linux-gnu' }),
};

/** Not being able to is no failure: the pod test says what it runs on then. */
export function prepareContainers(): void {
  const missing = Object.entries(needed).flatMap(([path, name]) => (existsSync(path) ? [] : [name]));
  if (missing.length === 0) return;
  say(`installing ${missing.join(', ')} for the image and the pod test`);
  if (!installPackages(missing)) say('no podman: the pod test will run on plain namespaces of the kernel');
}
