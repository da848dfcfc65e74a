import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  chmodSync,
  copyFileSync,
  existsSync,
  globSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { basename, join } from 'node:path';
import { plainModes } from './app-layer.ts';
import type { Architecture } from './architecture.ts';
import { cacheDirectory } from './buildah.ts';
import { debianPackages, nodePackage } from './downloads.ts';

/** What `readelf -d node` names on both processors, and what glibc loads for itself. */
const libraries = [
  ...['libc.so.6', 'libm.so.6', 'libdl.so.2', 'libpthread.so.0', 'librt.so.1', 'libresolv.so.2', 'libnss_dns.so.2'],
  ...['libnss_files.so.2', 'libstdc++.so.6', 'libgcc_s.so.1', 'ld-linux-*.so.*'],
];
const packages = ['libc6', 'libstdc++6', 'libgcc-s1', 'ca-certificates'];

/**
 * The root file system of the base image, assembled from npm's Node and Debian's packages: the same bytes as long as those
 * are. `isNew` when it is not what the previous call made.
 */
export async function prepareBase(architecture: Architecture): Promise<{ directory: string; isNew: boolean }> {
  const directory = join(cacheDirectory, `base-${architecture}`);
  const node = nodePackage(architecture);
  const archives = debianPackages({ architecture, packages });
  const sources = [node.integrity, ...archives.map((path) => basename(path))];
  const stamp = createHash('sha256')
    .update(sources.join('\n') + readFileSync(import.meta.filename, 'utf8'))
    .digest('hex');
  const stampFile = `${directory}.stamp`;
  if (existsSync(stampFile) && readFileSync(stampFile, 'utf8') === stamp) return { directory, isNew: false };

  rmSync(stampFile, { force: true });
  const half = mkdtempSync(`${directory}-`);
  assemble(half, { architecture, nodeDirectory: node.directory, archives });
  rmSync(directory, { recursive: true, force: true });
  renameSync(half, directory);
  writeFileSync(stampFile, stamp);
  return { directory, isNew: true };
}

interface BaseSources {
  readonly architecture: Architecture;
  readonly nodeDirectory: string;
  readonly archives: readonly string[];
}

function assemble(target: string, from: BaseSources): void {
  const unpacked = mkdtempSync(join(cacheDirectory, 'unpacked-'));
  for (const archive of from.archives) run('dpkg-deb', ['--extract', archive, unpacked]);

  // Debian's usrmerge happens after unpacking; here the files stay where the packages have them.
  const found = libraries.flatMap((name) =>
    globSync([`{lib,lib64,usr/lib}/${name}`, `{lib,usr/lib}/*-linux-gnu/${name}`], { cwd: unpacked }),
  );
  for (const path of found.sort()) {
    mkdirSync(join(target, path, '..'), { recursive: true });
    const link = readlink(join(unpacked, path));
    // The loader's fixed path is an absolute link, which must not be followed on this machine.
    if (link?.includes('ld-linux') === true) symlinkSync(link, join(target, path));
    else copyFileSync(join(unpacked, path), join(target, path));
  }
  mkdirSync(join(target, 'nodejs/bin'), { recursive: true });
  // 127 MB with its symbol table, 109 without: 4 MB of the compressed image.
  run(stripTool(from.architecture), ['-o', join(target, 'nodejs/bin/node'), join(from.nodeDirectory, 'bin/node')]);
  copyInto(target, 'nodejs/LICENSE', join(from.nodeDirectory, 'LICENSE'));
  for (const path of globSync('usr/share/doc/*/copyright', { cwd: unpacked }))
    copyInto(target, path, join(unpacked, path));
  const certificates = globSync('usr/share/ca-certificates/mozilla/*.crt', { cwd: unpacked }).sort();
  write(
    target,
    'etc/ssl/certs/ca-certificates.crt',
    certificates.map((path) => readFileSync(join(unpacked, path), 'utf8')).join(''),
  );
  write(
    target,
    'etc/passwd',
    'root:x:0:0:root:/root:/sbin/nologin\nnonroot:x:65532:65532:nonroot:/home/nonroot:/sbin/nologin\n',
  );
  write(target, 'etc/group', 'root:x:0:\nnonroot:x:65532:\n');
  write(target, 'etc/nsswitch.conf', 'hosts: files dns\n');
  rmSync(unpacked, { recursive: true });

  mkdirSync(join(target, 'tmp'));
  plainModes(target);
  for (const path of ['nodejs/bin/node', ...globSync('lib/*-linux-gnu/ld-linux-*', { cwd: target })])
    chmodSync(join(target, path), 0o755);
  chmodSync(join(target, 'tmp'), 0o1777);
}

/** Of Debian's binutils-x86-64-linux-gnu and binutils-aarch64-linux-gnu. */
function stripTool(architecture: Architecture): string {
  return architecture === 'amd64' ? 'x86_64-linux-gnu-strip' : 'aarch64-linux-gnu-strip';
}

function readlink(path: string): string | undefined {
  return lstatSync(path).isSymbolicLink() ? readlinkSync(path) : undefined;
}

function copyInto(target: string, path: string, source: string): void {
  mkdirSync(join(target, path, '..'), { recursive: true });
  copyFileSync(source, join(target, path));
}

function write(target: string, path: string, text: string): void {
  mkdirSync(join(target, path, '..'), { recursive: true });
  writeFileSync(join(target, path), text);
}

function run(command: string, args: readonly string[]): void {
  const { status, error, stderr } = spawnSync(command, args, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`${command} ${args.join(' ')} failed: ${error?.message ?? stderr}`);
}
