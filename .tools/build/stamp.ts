import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** What dist/ is made from. Contents, not times, are compared: a checkout touches every file. */
const sources = ['agent', 'protocol', 'dashboard', '.tools', 'package.json', 'package-lock.json', 'vite.config.ts'];

interface Stamp {
  readonly digest: string;
  /** Relative to the root. */
  readonly outputs: readonly string[];
}

/** True when dist/ was built from exactly these sources and is all there. About 20 ms. */
export function isFresh(root: string): boolean {
  const stamp = readStamp(root);
  return stamp?.digest === sourceDigest(root) && stamp.outputs.every((file) => existsSync(join(root, file)));
}

export function sourceDigest(root: string): string {
  const hash = createHash('sha256').update(process.versions.node);
  for (const source of sources) {
    for (const file of filesUnder(root, source)) {
      const bytes = readFileSync(join(root, file));
      hash.update(`${file}\0${bytes.length}\0`).update(bytes);
    }
  }
  return hash.digest('hex');
}

export function writeStamp({ root, ...stamp }: { root: string } & Stamp): void {
  mkdirSync(dirname(stampPath(root)), { recursive: true });
  writeFileSync(stampPath(root), `${JSON.stringify(stamp)}\n`);
}

function readStamp(root: string): Stamp | undefined {
  try {
    return JSON.parse(readFileSync(stampPath(root), 'utf8')) as Stamp;
  } catch {
    // Not built yet, or cut off while it was written: both mean "build".
    return undefined;
  }
}

function stampPath(root: string): string {
  return join(root, '.cache/build.stamp');
}

function filesUnder(root: string, source: string): string[] {
  if (!existsSync(join(root, source))) return [];
  if (/\.(json|ts)$/.test(source)) return [source];
  return readdirSync(join(root, source), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && !entry.name.endsWith('.md'))
    .map((entry) => join(entry.parentPath, entry.name).slice(join(root, '/').length))
    .sort();
}
