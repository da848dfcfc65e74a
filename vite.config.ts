import { cp, readdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import { defineConfig } from 'vite';
import type { Plugin } from 'vite';

const here = import.meta.dirname;
const speedscopeRelease = join(dirname(fileURLToPath(import.meta.resolve('speedscope/package.json'))), 'dist/release');

export default defineConfig({
  root: join(here, 'dashboard'),
  base: '/api/v1/profiling/ui/',
  // Only the page's own: vite would otherwise pass NODE_ENV files of the working directory on.
  envDir: false,
  oxc: { jsx: { runtime: 'automatic', importSource: 'preact' } },
  build: {
    outDir: join(here, 'dist/page'),
    emptyOutDir: true,
    target: ['chrome123', 'firefox121', 'safari17.5'],
    // The page's Content-Security-Policy has no data: for scripts, styles or fonts.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: true,
  },
  worker: { format: 'es' },
  plugins: [pureSchemas(), speedscope(), gzipped()],
});

/**
 * Makes every schema of protocol/rest a value that may be dropped when nothing uses it: the page takes constants and
 * types from those files and leaves the schemas, and with them zod (25 kB gzip), behind.
 */
function pureSchemas(): Plugin {
  const schema =
    /^((?:export )?const \w+ = )((?:z|integer)\b[^]*?);$(?=\s*(?:\/\*|\/\/|export|const|function|$(?![^])))/gm;
  return {
    name: 'sidescope:pure-schemas',
    apply: 'build',
    enforce: 'post',
    transform: {
      filter: { id: /\/protocol\/rest\/[a-z-]+\.ts$/ },
      handler: (code) => code.replace(schema, '$1/* @__PURE__ */ (() => $2)();'),
    },
  };
}

const compressed = new Set(['.html', '.js', '.css', '.json', '.svg', '.txt', '.wasm']);
/** A smaller file fits into one packet as it is. */
const leastBytes = 1_000;

/** Beside each file of text its gzip member, so that the agent spends nothing on it: who asks is not known yet. */
function gzipped(): Plugin {
  const pack = promisify(gzip);
  return {
    name: 'sidescope:gzipped',
    apply: 'build',
    writeBundle: {
      // After speedscope's files were copied.
      order: 'post',
      sequential: true,
      async handler({ dir }) {
        if (dir === undefined) throw new Error('the page needs an output directory');
        for (const entry of await readdir(dir, { recursive: true, withFileTypes: true })) {
          const path = join(entry.parentPath, entry.name);
          if (!entry.isFile() || !compressed.has(extname(path))) continue;
          const bytes = await readFile(path);
          if (bytes.byteLength >= leastBytes) await writeFile(`${path}.gz`, await pack(bytes, { level: 9 }));
        }
      },
    },
  };
}

/** Speedscope's published build, beside the page: profiles are opened there without leaving the machine. */
function speedscope(): Plugin {
  return {
    name: 'sidescope:speedscope',
    apply: 'build',
    async writeBundle(options) {
      if (options.dir === undefined) throw new Error('the page needs an output directory');
      const destination = join(options.dir, 'speedscope');
      for (const name of await readdir(speedscopeRelease)) {
        // A demonstration profile and its schema, which nothing loads.
        if (/^perf-vertx|schema\.json$|^release\.txt$/.test(name)) continue;
        await cp(join(speedscopeRelease, name), join(destination, name));
      }
    },
  };
}
