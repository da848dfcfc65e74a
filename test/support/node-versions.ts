import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** A Node.js that targets run on; `version` is exact, without the `v`. */
export interface NodeVersion {
  readonly major: number;
  readonly version: string;
  readonly path: string;
}

const folder = join(import.meta.dirname, '..', 'node-versions');

/** Every version of the matrix for this machine's processor, oldest first, as `test/node-versions/package.json` names them. */
export const nodeVersions: readonly NodeVersion[] = readVersions();

/** The executable of one major version. Throws when the matrix lacks it or when it is not installed. */
export function nodePath(major: number): string {
  const found = nodeVersions.find((version) => version.major === major);
  if (found === undefined) {
    throw new Error(
      `test/node-versions has no Node ${major}, only ${nodeVersions.map((version) => version.major).join(', ')}`,
    );
  }
  if (!existsSync(found.path)) {
    throw new Error(`Node ${found.version} is not installed at ${found.path}; run: node .tools/prepare-tests.ts`);
  }
  return found.path;
}

function readVersions(): NodeVersion[] {
  const manifest = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as {
    optionalDependencies: Record<string, string>;
  };
  return Object.entries(manifest.optionalDependencies)
    .filter(([name]) => name.endsWith(`-${process.arch}`))
    .map(([name, alias]) => {
      const version = alias.slice(alias.lastIndexOf('@') + 1);
      return { major: Number.parseInt(version, 10), version, path: join(folder, 'node_modules', name, 'bin', 'node') };
    })
    .sort((a, b) => a.major - b.major);
}
