import { existsSync } from 'node:fs';
import { readdir, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { build } from 'vite';
import type { Built } from './bundle-agent.ts';

/** dist/page, by Vite and its configuration; swapped in whole, so that a running agent never serves half of it. */
export async function buildPage(root: string): Promise<Built> {
  const next = join(root, 'dist/page.next');
  const output = await build({
    configFile: join(root, 'vite.config.ts'),
    logLevel: 'warn',
    build: { outDir: next, emptyOutDir: true },
  });
  if (!existsSync(join(next, 'index.html'))) throw new Error(`Vite wrote no ${next}/index.html`);
  await rm(join(root, 'dist/page'), { recursive: true, force: true });
  await rename(next, join(root, 'dist/page'));

  const names = await readdir(join(root, 'dist/page'), { recursive: true, withFileTypes: true });
  const paths = names.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  const sizes = await Promise.all(paths.map(async (path) => (await stat(path)).size));
  const chunks = (Array.isArray(output) ? output : 'output' in output ? [output] : [])
    .flatMap((result) => result.output)
    .filter((file) => file.type === 'chunk');
  return {
    files: paths.map((path) => path.slice(join(root, '/').length)),
    modules: [...chunks.flatMap((chunk) => chunk.moduleIds), join(root, 'node_modules/speedscope/package.json')],
    sizeBytes: sizes.reduce((sum, size) => sum + size, 0),
  };
}
