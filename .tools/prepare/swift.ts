import { existsSync, globSync } from 'node:fs';
import { join } from 'node:path';
import { say } from './run.ts';
import { unpackPackages } from './unpack-packages.ts';

const directory = join(import.meta.dirname, '../../.cache/swift');

/** Variables under which Debian's Python finds it. */
export const swiftVariables = {
  PYTHONPATH: join(directory, 'usr/lib/python3/dist-packages'),
  LD_LIBRARY_PATH: [...globSync('usr/lib/*-linux-gnu', { cwd: directory })]
    .map((name) => join(directory, name))
    .join(':'),
};

/** Swift with its S3 API, and what it imports; without memcached, services and the tools of an administrator. */
const packages = [
  ...['python3-swift', 'swift', 'swift-proxy', 'swift-object', 'swift-container', 'swift-account'],
  ...['eventlet', 'greenlet', 'dnspython', 'netifaces', 'six', 'paste', 'tempita', 'pastedeploy', 'pkg-resources'],
  ...['setuptools', 'xattr', 'cffi', 'cffi-backend', 'pycparser', 'ply', 'lxml', 'pyeclib', 'requests', 'urllib3'],
  ...['certifi', 'charset-normalizer', 'chardet', 'idna', 'importlib-metadata', 'zipp', 'more-itertools'],
].map((name) => (name.includes('swift') ? name : `python3-${name}`));

/** 8 MB, without its four services. */
export function prepareSwift(): void {
  const mark = join(directory, 'usr/lib/python3/dist-packages/swift/__init__.py');
  if (existsSync(mark)) return;
  say('fetching Swift from Debian');
  // Its own files last: they are the mark.
  const names = ['liberasurecode1', ...packages];
  unpackPackages(
    names.sort((a, b) => Number(a.includes('swift')) - Number(b.includes('swift'))),
    directory,
  );
}
