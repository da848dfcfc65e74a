import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { gzipSync, gunzipSync } from 'node:zlib';
import { afterAll, describe, expect, test } from 'vitest';
import { snapshotJson } from '../heap-snapshot/snapshots.ts';
import type { SketchNode } from '../heap-snapshot/snapshots.ts';

const main = join(import.meta.dirname, '../../agent/main.ts');
const folder = mkdtempSync(join(tmpdir(), 'sidescope-heap-cli-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function run(...args: readonly string[]) {
  const child = spawn(process.execPath, [main, ...args], { env: {}, stdio: ['ignore', 'pipe', 'pipe'], cwd: folder });
  const exit = new Promise<number | null>((resolve, reject) => child.on('error', reject).on('close', resolve));
  const [code, stdout, stderr] = await Promise.all([exit, text(child.stdout), text(child.stderr)]);
  return { code, stdout, stderr };
}

const heap = (sessions: number): string =>
  snapshotJson([
    { type: 'synthetic', name: '', edges: [[1, 'app']] },
    { name: 'App', id: 3, edges: Array.from({ length: sessions }, (_, index) => [index + 2, index] as const) },
    ...Array.from({ length: sessions }, (_, index): SketchNode => ({
      name: 'Session',
      id: 5 + index * 2,
      size: 1_000,
    })),
  ]);
for (const [name, sessions] of [
  ['a', 200],
  ['b', 400],
  ['c', 600],
] as const) {
  writeFileSync(join(folder, `${name}.heapsnapshot`), heap(sessions));
}
writeFileSync(join(folder, 'a.heapsnapshot.gz'), gzipSync(heap(200)));

test('heap summary prints tables, and the same from a compressed file', async () => {
  const plain = await run('heap', 'summary', 'a.heapsnapshot');
  expect(plain).toMatchObject({ code: 0, stderr: '' });
  expect(plain.stdout).toMatch(/^Heap snapshot: 200\.0 kB in 202 objects, 201 references\n/);
  expect(plain.stdout).toMatch(/\n +200\.0 kB +200\.0 kB +200 +Session\n/);
  expect(await run('heap', 'summary', 'a.heapsnapshot.gz')).toEqual(plain);
});

test('heap summary --json is one document', async () => {
  const { code, stdout } = await run('heap', 'summary', 'a.heapsnapshot', '--json', '--limit', '1');
  const summary = JSON.parse(stdout) as Record<string, unknown>;
  expect({ code, nodes: summary['nodes'], classes: summary['classes'] }).toEqual({
    code: 0,
    nodes: 202,
    classes: [{ name: '(synthetic)', count: 1, selfBytes: 16, retainedBytes: 200_032 }],
  });
});

test('heap diff of three files names what stays and grows', async () => {
  const { code, stdout } = await run('heap', 'diff', 'a.heapsnapshot', 'b.heapsnapshot', 'c.heapsnapshot');
  expect(code).toBe(0);
  expect(stdout).toMatch(/200 > 400 > 600 +\+400 +-0 +Session \(steadily\)/);
  expect(stdout).toMatch(/Suspects: .*\n.*\n +200\.0 kB +200 Session +App\[\d+\] @\d+\n/);
});

test('heap retainers tells what holds a class, and the nearest name of one that is not there', async () => {
  const { code, stdout } = await run('heap', 'retainers', 'a.heapsnapshot', '--class', 'Session');
  expect(code).toBe(0);
  expect(stdout).toMatch(/^200 objects of Session\n\n.*\n +200\.0 kB +200 +App\[\] +@\d+\n$/);
  expect(await run('heap', 'retainers', 'a.heapsnapshot', '--class', 'Sesion')).toEqual({
    code: 2,
    stdout: '',
    stderr: 'sidescope heap: a.heapsnapshot has no object of the class "Sesion"; did you mean Session?\n',
  });
});

test('heap redact writes a whole file that only its owner may read, and leaves nothing else', async () => {
  const secret = snapshotJson([
    { type: 'synthetic', name: '', edges: [[1, 'a']] },
    { type: 'string', name: 'hunter2 hunter2' },
  ]);
  writeFileSync(join(folder, 'secret.heapsnapshot'), secret);
  const { code, stderr } = await run('heap', 'redact', 'secret.heapsnapshot', 'out.heapsnapshot.gz', '--salt', 's');
  expect(code).toBe(0);
  expect(stderr).toBe('out.heapsnapshot.gz: of 4 strings 1 contents and 0 keys replaced\n');
  const redacted = gunzipSync(readFileSync(join(folder, 'out.heapsnapshot.gz'))).toString();
  expect(redacted).not.toContain('hunter2');
  expect(redacted.length).toBe(secret.length);
  expect(statSync(join(folder, 'out.heapsnapshot.gz')).mode & 0o777).toBe(0o600);
  writeFileSync(join(folder, 'kept.heapsnapshot'), 'somebody needs this');
  const over = ['heap', 'redact', 'secret.heapsnapshot', 'kept.heapsnapshot'];
  const refused = await run(...over);
  expect(refused.code).toBe(1);
  expect(refused.stderr).toContain('kept.heapsnapshot is there already; --force writes over it');
  expect(readFileSync(join(folder, 'kept.heapsnapshot'), 'utf8')).toBe('somebody needs this');
  expect((await run(...over, '--force')).code).toBe(0);
  expect(readFileSync(join(folder, 'kept.heapsnapshot'), 'utf8')).toHaveLength(secret.length);
  writeFileSync(join(folder, 'cut.heapsnapshot'), secret.slice(0, -5));
  const cut = await run('heap', 'redact', 'cut.heapsnapshot', 'never.heapsnapshot');
  expect(cut).toMatchObject({ code: 1, stdout: '' });
  expect(readdirSync(folder).filter((name) => name.startsWith('never'))).toEqual([]);
});

test('who asked for JSON gets a document when it fails, too', async () => {
  const { code, stdout, stderr } = await run('heap', 'summary', 'nothing', '--json');
  const message = 'nothing cannot be read: ENOENT';
  expect(code).toBe(1);
  expect(JSON.parse(stdout)).toEqual({ error: { code: 'unusable-file', message } });
  expect(stderr).toBe(`sidescope heap: ${message}\n`);
});

describe('what cannot be done is said in one line', () => {
  writeFileSync(join(folder, 'cut.heapsnapshot.gz'), gzipSync(heap(200)).subarray(0, 300));
  writeFileSync(join(folder, 'empty'), '');
  execFileSync('mkfifo', [join(folder, 'pipe')]);
  test.for<[readonly string[], number, RegExp]>([
    [['heap'], 2, /^sidescope heap: what to do is missing\nUsage: /],
    [['heap', 'sumary', 'x'], 2, /there is no heap "sumary"/],
    [['heap', 'summary'], 2, /summary takes 1 file, got 0/],
    [['heap', 'diff', 'a.heapsnapshot'], 2, /diff takes 2 to 3 files, got 1/],
    [['heap', 'retainers', 'a.heapsnapshot'], 2, /retainers needs --class NAME/],
    [['heap', 'summary', 'a.heapsnapshot', '--limit', '0'], 2, /--limit "0" is no count/],
    [['heap', 'summary', 'nothing'], 1, /nothing cannot be read: ENOENT/],
    [['heap', 'summary', '.'], 1, /\. is a directory; it must be a file/],
    [['heap', 'summary', 'pipe'], 1, /pipe is a pipe; it must be a file/],
    [['heap', 'redact', 'a.heapsnapshot', 'pipe', '--force'], 1, /pipe is a pipe; it must be a file/],
    [['heap', 'summary', 'empty'], 1, /empty: not a heap snapshot: it is empty/],
    [['heap', 'summary', 'cut.heapsnapshot.gz'], 1, /its gzip data is cut short or damaged/],
    [['heap', 'redact', 'a.heapsnapshot', './a.heapsnapshot'], 2, /is the file to read itself/],
    [['heap', 'redact', 'a.heapsnapshot', 'no/such/folder'], 1, /cannot be written: ENOENT/],
    [['cpu', 'summary', 'a.heapsnapshot'], 1, /a\.heapsnapshot: .*not a CPU profile/],
    [['cpu', 'diff', 'a.heapsnapshot'], 2, /diff takes 2 files, got 1/],
  ])('%j', async ([args, code, message]) => {
    const result = await run(...args);
    expect({ code: result.code, stdout: result.stdout }).toEqual({ code, stdout: '' });
    expect(result.stderr).toMatch(message);
  });
});

test('cpu summary and cpu diff read what Node wrote', async () => {
  const file = (version: string): string =>
    join(import.meta.dirname, `../fixtures/node/${version}/cpu-shapes.cpuprofile`);
  const summary = await run('cpu', 'summary', file('24.21.0'));
  expect(summary).toMatchObject({ code: 0, stderr: '' });
  expect(summary.stdout).toMatch(/^CPU profile: [\d.]+ s, 210 samples/);
  expect(summary.stdout).toMatch(/\n +\d.*climb cpu-shapes\.mjs:4\n/);
  const diff = await run('cpu', 'diff', file('24.21.0'), file('26.10.0'), '--json');
  const { functions } = JSON.parse(diff.stdout) as { functions: { functionName: string }[] };
  expect(functions.map(({ functionName }) => functionName)).toContain('sorted');
});
