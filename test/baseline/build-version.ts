import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { rolldown } from 'rolldown';

export interface Version extends AsyncDisposable {
  /** To be started. */
  readonly main: string;
  /** Line of a text in the source of `prices.ts`, 1-based. */
  lineOf(text: string): number;
}

/** The program of ./program as one minified bundle with a source map; `change` is what the developer did to `prices.ts` before. */
export async function buildVersion(
  name: string,
  change: (source: string) => string = (same) => same,
): Promise<Version> {
  const directory = await mkdtemp(join(tmpdir(), 'sidescope-version-'));
  const sources = join(directory, 'src');
  await cp(join(import.meta.dirname, 'program'), sources, { recursive: true });
  const prices = join(sources, 'prices.ts');
  const text = change(await readFile(prices, 'utf8'));
  await writeFile(prices, text);
  const main = join(directory, `dist/shop-${name}.cjs`);
  await using built = await rolldown({ input: join(sources, 'shop.ts'), platform: 'node' });
  await built.write({ file: main, format: 'cjs', minify: true, sourcemap: true });
  return {
    main,
    lineOf: (part) => text.split('\n').findIndex((line) => line.includes(part)) + 1,
    [Symbol.asyncDispose]: () => rm(directory, { recursive: true, force: true }),
  };
}
