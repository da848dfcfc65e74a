import { readFile, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/** dist/THIRD-PARTY-LICENSES: name, version and licence text of every package that has a module in the bundles. */
export async function writeLicences({
  root,
  modules,
}: {
  root: string;
  modules: readonly string[];
}): Promise<{ file: string; packages: number }> {
  const directories = [...new Set(modules.map(packageDirectory).filter((directory) => directory !== undefined))].sort();
  const entries = await Promise.all(directories.map(licenceEntry));
  const file = 'dist/THIRD-PARTY-LICENSES';
  await writeFile(join(root, file), entries.join(`\n${'-'.repeat(80)}\n\n`));
  return { file, packages: entries.length };
}

async function licenceEntry(directory: string): Promise<string> {
  const about = JSON.parse(await readFile(join(directory, 'package.json'), 'utf8')) as Record<string, unknown>;
  const names = (await readdir(directory)).filter((name) => /^(licen[cs]e|copying|notice)/i.test(name)).sort();
  const texts = await Promise.all(names.map((name) => readFile(join(directory, name), 'utf8')));
  const licence = typeof about['license'] === 'string' ? about['license'] : 'no licence named';
  return `${String(about['name'])} ${String(about['version'])} (${licence})\n\n${texts.join('\n').trim()}\n`;
}

/** `…/node_modules/@scope/name` of a module in it; undefined for our own. */
function packageDirectory(module: string): string | undefined {
  // Virtual modules of a bundler begin with NUL and may carry a query.
  const path = module.replace(/^\0/, '').replace(/\?.*$/, '');
  return /^(.*\/node_modules\/(?:@[^/]+\/)?[^/]+)\//.exec(path)?.[1];
}
