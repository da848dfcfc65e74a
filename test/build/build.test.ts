import { spawn } from 'node:child_process';
import { execFile } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, onTestFinished, test } from 'vitest';
import { bundleAgent } from '../../.tools/build/bundle-agent.ts';
import { writeLicences } from '../../.tools/build/licences.ts';
import { isFresh, sourceDigest, writeStamp } from '../../.tools/build/stamp.ts';
import { waitFor } from '../support/wait-for.ts';

const repository = join(import.meta.dirname, '../..');
const run = promisify(execFile);

/** A tree of its own, with the repository's packages. */
function treeWith(files: Record<string, string>): string {
  const root = mkdtempSync(join(tmpdir(), 'sidescope-build-'));
  onTestFinished(() => rmSync(root, { recursive: true }));
  symlinkSync(join(repository, 'node_modules'), join(root, 'node_modules'));
  for (const [path, content] of Object.entries({ 'package.json': '{"version":"1.2.3","type":"module"}', ...files })) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), content);
  }
  return root;
}

describe('what is fresh', () => {
  const files = {
    'agent/main.ts': 'a',
    'protocol/x/y.ts': 'b',
    'dashboard/z.css': 'c',
    'dist/agent/main.mjs': 'built',
  };

  function builtTree(): string {
    const root = treeWith(files);
    writeStamp({ root, digest: sourceDigest(root), outputs: ['dist/agent/main.mjs'] });
    expect(isFresh(root)).toBe(true);
    return root;
  }

  test('a tree that was never built is stale', () => {
    expect(isFresh(treeWith(files))).toBe(false);
  });

  test.for<[string, string]>([
    ['agent/main.ts', 'A'],
    ['protocol/x/y.ts', ''],
    ['dashboard/z.css', 'd'],
    ['agent/new.ts', ''],
    ['package.json', '{"version":"1.2.4"}'],
    ['package-lock.json', '{}'],
    ['vite.config.ts', 'export {}'],
    ['.tools/build.ts', 'x'],
  ])('a change of %s makes it stale', ([path, content]) => {
    const root = builtTree();
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), content);
    expect(isFresh(root)).toBe(false);
  });

  test('a file that is gone or renamed makes it stale', () => {
    const root = builtTree();
    cpSync(join(root, 'dashboard/z.css'), join(root, 'dashboard/zz.css'));
    rmSync(join(root, 'dashboard/z.css'));
    expect(isFresh(root)).toBe(false);
  });

  test('a missing output or a stamp that was cut off makes it stale', () => {
    const root = builtTree();
    const stamp = readFileSync(join(root, '.cache/build.stamp'));
    writeFileSync(join(root, '.cache/build.stamp'), stamp.subarray(0, 20));
    expect(isFresh(root)).toBe(false);
    writeFileSync(join(root, '.cache/build.stamp'), stamp);
    expect(isFresh(root)).toBe(true);
    rmSync(join(root, 'dist/agent/main.mjs'));
    expect(isFresh(root)).toBe(false);
  });

  test('times, documentation and tests do not count', () => {
    const root = builtTree();
    utimesSync(join(root, 'agent/main.ts'), 1, 1);
    for (const path of ['agent/README.md', 'README.md']) writeFileSync(join(root, path), 'words');
    mkdirSync(join(root, 'test'));
    writeFileSync(join(root, 'test/a.test.ts'), '');
    expect(isFresh(root)).toBe(true);
  });
});

test('a second build waits for the first, also when that one is killed', async () => {
  const root = treeWith({});
  const program = `
    const { takeBuildLock } = await import(${JSON.stringify(join(repository, '.tools/build/lock.ts'))});
    process.send('asks');
    const lock = takeBuildLock(${JSON.stringify(root)});
    process.send('has it');
    setInterval(() => lock, 1000);`;
  const start = () => {
    const messages: unknown[] = [];
    const child = spawn(process.execPath, ['--input-type=module', '-e', program], {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
    child.on('message', (message) => messages.push(message));
    const ended = new Promise((resolve) => child.on('exit', resolve));
    onTestFinished(async () => {
      child.kill('SIGKILL');
      await ended;
    });
    return { child, ended, messages };
  };
  const first = start();
  await waitFor(() => first.messages.includes('has it'), { message: 'the first build to have the lock' });
  const second = start();
  await waitFor(() => second.messages.includes('asks'), { message: 'the second build to ask for the lock' });
  expect(second.messages).not.toContain('has it');
  first.child.kill('SIGKILL');
  await first.ended;
  await waitFor(() => second.messages.includes('has it'), { message: 'the second build to have the lock' });
});

describe('the agent bundle', () => {
  test('has one file per entry, its version, and nothing left of the build before', async () => {
    const root = treeWith({
      'agent/main.ts': `
        import { Worker } from 'node:worker_threads';
        import { shared } from './capture/shared.ts';
        declare const SIDESCOPE_VERSION: string;
        const worker = new Worker(new URL('./sum-child.mjs', import.meta.url));
        worker.on('message', (sum: number) => console.log(SIDESCOPE_VERSION, shared, sum));`,
      'agent/capture/sum-child.ts': `
        import { parentPort } from 'node:worker_threads';
        import { shared } from './shared.ts';
        parentPort?.postMessage(shared + 1);`,
      'agent/capture/shared.ts': 'export const shared: number = 41;',
      'dist/agent/old-chunk.mjs': '',
    });
    const built = await bundleAgent(root);
    const names = readdirSync(join(root, 'dist/agent'));
    expect(names).toContain('main.mjs');
    expect(names).toContain('sum-child.mjs');
    expect(names).not.toContain('old-chunk.mjs');
    expect(built.files.toSorted()).toEqual(names.map((name) => `dist/agent/${name}`).toSorted());
    const { stdout } = await run(process.execPath, [join(root, 'dist/agent/main.mjs')]);
    expect(stdout).toBe('1.2.3 41 42\n');
  });

  test("needs no package beside it, and warns of nothing on the agent's stderr", async () => {
    const root = treeWith({
      'agent/main.ts': `
        import CDP from 'chrome-remote-interface';
        import pino from 'pino';
        import prometheus from 'prom-client';
        import { Hono } from 'hono';
        import { serve } from '@hono/node-server';
        import { z } from 'zod';
        const { parse } = await import('yaml');
        const lines: string[] = [];
        pino({ level: 'info' }, { write: (line: string) => void lines.push(line) }).info('logged');
        prometheus.collectDefaultMetrics();
        const failure = await CDP({ target: 'ws://127.0.0.1:1/x', protocol: { domains: [] } } as never).catch(String);
        console.log(JSON.stringify([
          failure, lines.length, (await prometheus.register.metrics()).includes('process_cpu'), typeof serve,
          await (await new Hono().get('/', (c) => c.text('page')).request('/')).text(),
          z.object({ a: z.int() }).safeParse({ a: 1 }).success, parse('a: 1'),
        ]));`,
    });
    const { modules } = await bundleAgent(root);
    rmSync(join(root, 'node_modules'));
    const { stdout, stderr } = await run(process.execPath, [join(root, 'dist/agent/main.mjs')]);
    expect(stderr).toBe('');
    expect(JSON.parse(stdout)).toEqual([
      'Error: connect ECONNREFUSED 127.0.0.1:1',
      1,
      true,
      'function',
      'page',
      true,
      { a: 1 },
    ]);

    const { file, packages } = await writeLicences({ root, modules });
    const licences = readFileSync(join(root, file), 'utf8');
    expect(packages).toBeGreaterThan(8);
    for (const name of [
      'chrome-remote-interface',
      'ws',
      'pino',
      'prom-client',
      'hono',
      '@hono/node-server',
      'zod',
      'yaml',
    ]) {
      expect(licences).toMatch(new RegExp(`^${name} \\d+\\.\\d+\\.\\d+ \\((MIT|ISC|Apache-2.0)\\)$`, 'm'));
    }
  });
});

test('the whole build finds everything fresh the second time', async () => {
  const build = [join(repository, '.tools/build.ts'), '--when-stale'];
  await run(process.execPath, build);
  for (const file of ['dist/agent/main.mjs', 'dist/page/index.html', 'dist/THIRD-PARTY-LICENSES']) {
    expect(existsSync(join(repository, file)), file).toBe(true);
  }
  expect(await run(process.execPath, build)).toEqual({ stdout: '', stderr: '' });
});
