import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { rolldown } from 'rolldown';
import ts from 'typescript';

export type Compiler = 'tsc' | 'tsc-inline' | 'minified-cjs' | 'minified-esm';

export interface Compiled extends AsyncDisposable {
  readonly directory: string;
  /** Of the program to start. */
  readonly main: string;
  /** Of the script that holds `addSurcharges`. */
  readonly hotScript: string;
  /** Of the program's sources, where the map says they are. */
  readonly sources: string;
}

const program = join(import.meta.dirname, 'program');

/** The program of ./program as its author would ship it, in a directory of its own, with its sources beside it. */
export async function compile(compiler: Compiler): Promise<Compiled> {
  const directory = await mkdtemp(join(tmpdir(), 'sidescope-source-map-'));
  const sources = join(directory, 'src');
  const dist = join(directory, 'dist');
  await cp(program, sources, { recursive: true });
  await mkdir(dist);
  const [main, hotScript] = compiler.startsWith('tsc')
    ? await transpile({ sources, dist, isInline: compiler === 'tsc-inline' })
    : await bundle({ sources, dist, format: compiler === 'minified-cjs' ? 'cjs' : 'esm' });
  return {
    directory,
    main,
    hotScript,
    sources,
    [Symbol.asyncDispose]: () => rm(directory, { recursive: true, force: true }),
  };
}

/** Where a text stands first in a source, 1-based. */
export async function lineOf(text: string, file = 'prices'): Promise<number> {
  const lines = (await readFile(join(program, `${file}.ts`), 'utf8')).split('\n');
  return lines.findIndex((each) => each.includes(text)) + 1;
}

/** As tsc does it with `sourceMap` or `inlineSourceMap`, file by file: modules for the one, CommonJS for the other. */
async function transpile(options: { sources: string; dist: string; isInline: boolean }): Promise<[string, string]> {
  const { sources, dist, isInline } = options;
  const extension = isInline ? 'mjs' : 'cjs';
  for (const name of ['prices', 'shop']) {
    const source = (await readFile(join(sources, `${name}.ts`), 'utf8')).replaceAll('.ts', `.${extension}`);
    const { outputText, sourceMapText } = ts.transpileModule(source, {
      fileName: join(sources, `${name}.ts`),
      compilerOptions: {
        module: isInline ? ts.ModuleKind.ESNext : ts.ModuleKind.CommonJS,
        target: ts.ScriptTarget.ES2022,
        sourceMap: !isInline,
        inlineSourceMap: isInline,
        sourceRoot: '../src',
      },
    });
    const file = join(dist, `${name}.${extension}`);
    await writeFile(file, outputText.replace(`=${name}.js.map`, `=${name}.${extension}.map`));
    if (sourceMapText !== undefined) await writeFile(`${file}.map`, sourceMapText);
  }
  return [join(dist, `shop.${extension}`), join(dist, `prices.${extension}`)];
}

async function bundle(options: { sources: string; dist: string; format: 'cjs' | 'esm' }): Promise<[string, string]> {
  const { sources, dist, format } = options;
  const file = join(dist, format === 'cjs' ? 'shop.cjs' : 'shop.mjs');
  await using built = await rolldown({ input: join(sources, 'shop.ts'), platform: 'node' });
  await built.write({ file, format, minify: true, sourcemap: true });
  return [file, file];
}
