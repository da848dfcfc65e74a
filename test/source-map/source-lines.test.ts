import { mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { findPositions } from '../../agent/source-maps/find-positions.ts';
import { findSourceLines } from '../../agent/source-maps/find-source-lines.ts';
import { decodeSourceLines, encodeSourceLines } from '../../agent/source-maps/source-line-bytes.ts';
import { StoredProfiles } from '../../agent/capture/stored-profiles.ts';
import { findHotLines } from '../../protocol/cpu-profile/hot-lines.ts';
import { placesOf } from '../../protocol/cpu-profile/originals.ts';
import { parseCpuProfile } from '../../protocol/cpu-profile/parse.ts';
import { profileSourceSchema, type ProfileSource, type SourceFunction } from '../../protocol/rest/profile-source.ts';
import { openHarness, type Harness } from '../capture/harness.ts';
import { fileOf } from '../cpu-profile/profiles.ts';
import { startTarget } from '../support/target.ts';
import { waitFor } from '../support/wait-for.ts';
import { compile, lineOf } from './compile.ts';
import { encodeMappings } from './maps.ts';

describe.each([18, 24])('of a profile of Node %i', (node) => {
  test('lines are those of the script, the original file, or what the source map holds of it', async () => {
    await using plain = await compile('tsc');
    for (const name of ['prices', 'shop']) await rm(join(plain.directory, `dist/${name}.cjs.map`));
    await using separate = await compile('tsc');
    await using bundled = await compile('minified-esm');
    await rm(bundled.sources, { recursive: true });
    const line = await lineOf('while (performance');

    const [script, original, held] = await Promise.all(
      [plain, separate, bundled].map(({ main }) => hotFunctionOf(main, node)),
    );
    expect(script).toMatchObject({ from: 'script', file: plain.hotScript, functionName: 'addSurcharges' });
    expect(textOfHottest(script)).toMatch(/while \(performance|total|surcharge|for/);
    expect(original).toMatchObject({ from: 'original-file', file: `${separate.sources}/prices.ts`, hasLines: true });
    expect(original?.lines.find((each) => each.line === line)?.text).toContain('while (performance');
    // All of a minified line is one line to V8: the samples stand at the function, and its body is shown.
    expect(held).toMatchObject({ from: 'source-map', file: `${bundled.sources}/prices.ts`, hasLines: false });
    expect(held?.lines.find((each) => each.selfSamples > 0)?.text).toContain('function addSurcharges');
    expect(held?.lines.find((each) => each.line === line)?.text).toContain('while (performance');
    for (const one of [script, original, held]) expect(one).toMatchObject({ hasChanged: false, reason: null });
  });
});

test('a script that changed since the process started says so, and its lines go with the profile', async () => {
  await using program = await compile('tsc');
  for (const name of ['prices', 'shop']) await rm(join(program.directory, `dist/${name}.cjs.map`));
  await using target = await startTarget(program.main);
  await using harness = await openHarness([target.inspectorAddress]);
  const later = Date.now() / 1_000 + 60;
  utimesSync(program.hotScript, later, later);
  const { source, stored } = await sourceOf(harness, target);
  expect(source.functions[0]).toMatchObject({ from: 'script', hasChanged: true });
  await using secretive = await openHarness([target.inspectorAddress], { keepsSourceLines: false });
  const { source: none } = await sourceOf(secretive, target);
  expect(none).toMatchObject({ functions: [], reason: 'source lines are not kept: --source-lines is off' });
  await harness.store.delete(source.profileId);
  expect(() => stored.source(source.profileId)).toThrow(/no profile has the id/);
  expect(harness.store.sourceLines(source.profileId)).toBeUndefined();
});

describe('the text of a function', () => {
  test('is cut around its column where a line is too long', () => {
    const hot = 'function hot(){spin()}';
    const before = 'a'.repeat(2_000_000);
    using mount = new Mount({ 'app.min.js': `${before}${hot}${'b'.repeat(100)}` });
    const [one] = mount.find('hot@/app/app.min.js:1 5', { column: before.length + 13 });
    expect(one).toMatchObject({ from: 'script', hasLines: false, reason: null });
    expect(one?.lines).toHaveLength(1);
    const [line] = one?.lines ?? [];
    expect(line?.text).toHaveLength(200);
    expect(line?.text).toContain(hot);
    expect(line).toMatchObject({ line: 1, column: before.length + hot.length + 100 - 199, isCut: false, selfShare: 1 });
  });

  test('is what stands around its hottest lines, with the share of each', () => {
    const lines = Array.from({ length: 100 }, (_, index) => `line ${index + 1} <script>\u202e`);
    using mount = new Mount({ 'a.js': `${lines.slice(0, 82).join('\r\n')}\r\n` });
    const ticks = [
      { line: 20, ticks: 3 },
      { line: 80, ticks: 1 },
    ];
    const [one] = mount.find('f@/app/a.js:18 4', { ticks });
    const numbers = [...Array(13).keys()].map((at) => 14 + at).concat([...Array(9).keys()].map((at) => 74 + at));
    expect(one?.lines.map(({ line }) => line)).toEqual(numbers);
    expect(one?.lines.filter(({ selfSamples }) => selfSamples > 0)).toEqual([
      { line: 20, column: 1, text: 'line 20 <script>\u202e', isCut: false, selfSamples: 3, selfShare: 0.75 },
      { line: 80, column: 1, text: 'line 80 <script>\u202e', isCut: false, selfSamples: 1, selfShare: 0.25 },
    ]);
  });

  const onDisk = { 'src/f.ts': 'one\ntwo' };
  test.each([
    { what: 'sourcesContent', sourcesContent: ['compiled();\noriginal();\n'], from: 'source-map', text: 'original();' },
    { what: 'sourcesContent that is null', sourcesContent: [null], files: onDisk, from: 'original-file', text: 'two' },
    { what: 'broken sourcesContent', sourcesContent: 'none', files: onDisk, from: 'original-file', text: 'two' },
    { what: 'no file of its source', sourcesContent: [null], from: 'script', text: '  return 1;' },
  ])('with $what is the best there is', ({ sourcesContent, files, from, text }) => {
    const mappings = encodeMappings([[[0, 0, 0, 0]], [[2, 0, 1, 2]], [[0, 0, 2, 0]]]);
    const map = { version: 3, sources: ['../src/f.ts'], names: [], mappings, sourcesContent };
    const script = 'function f() {\n  return 1;\n}\n//# sourceMappingURL=f.js.map\n';
    using mount = new Mount({ 'dist/f.js': script, 'dist/f.js.map': JSON.stringify(map), ...files });
    const [one] = mount.find('f@/app/dist/f.js:1 4', { column: 10, ticks: [{ line: 2, ticks: 4 }] });
    expect(one).toMatchObject({ url: '/app/src/f.ts', from, reason: null });
    expect(textOfHottest(one)).toBe(text);
  });

  const none = ', and none that was executing: it is of another version';
  test.each([
    { what: 'gone', url: '/app/a.js', reason: 'there is no /app/a.js' },
    {
      what: 'of another version',
      files: { 'a.js': 'one\ntwo' },
      url: '/app/a.js',
      reason: `/app/a.js has 2 lines${none}`,
    },
    {
      what: 'no source code',
      files: { 'settings.env': 'SECRET=1\n'.repeat(9) },
      url: '/app/settings.env',
      reason: 'it is not named as source code',
    },
    { what: 'a directory', files: { 'd.js/x': '' }, url: '/app/d.js', reason: '/app/d.js is no regular file' },
    { what: 'out of reach', url: '/elsewhere/a.js', reason: 'the target is not of this machine or pod' },
    { what: 'of the kernel', url: '/app/../proc/a.js', reason: '/app/../proc/a.js is no file of the target' },
  ])('is missing with its reason where the file is $what', ({ files, url, reason }) => {
    using mount = new Mount({ ...files });
    const [one] = mount.find(`f@${url}:4 3`);
    expect(one).toMatchObject({ from: null, file: null, lines: [], reason });
    expect(JSON.stringify(one)).not.toContain('SECRET');
  });

  test('is not read where the file is larger than there is memory for', () => {
    using mount = new Mount({ 'a.js': 'x'.repeat(2_000) });
    const [one] = mount.find('f@/app/a.js:1 3', { bytesMax: 1_000 });
    expect(one).toMatchObject({ from: null, lines: [], reason: '/app/a.js has 2000 B, the limit is 1000 B' });
  });

  test('is not looked for where nothing of a file executed', () => {
    using mount = new Mount({});
    expect(mount.find('readFile@node:fs:4 3')).toEqual([]);
    expect(encodeSourceLines([])).toBeUndefined();
  });
});

test('of all functions 64 KiB are kept, the hottest lines first, and the others counted', () => {
  const text = Array.from({ length: 2_000 }, (_, index) => `${index}`.padEnd(400, 'x')).join('\n');
  const names = Array.from({ length: 30 }, (_, index) => `f${index}`);
  using mount = new Mount({ 'a.js': text });
  const ticks = Array.from({ length: 10 }, (_, index) => ({ line: 100 + index * 20, ticks: 1 + index }));
  const found = mount.find(
    names.map((name) => `${name}@/app/a.js:90 ${100 - Number(name.slice(1))}`),
    { ticks },
  );
  expect(found.map(({ functionName }) => functionName)).toEqual(names.slice(0, 20));
  const encoded = encodeSourceLines(found);
  const kept = decodeSourceLines(encoded?.bytes ?? new Uint8Array());
  expect(Buffer.byteLength(JSON.stringify(kept))).toBeLessThanOrEqual(64 * 1024 + 100);
  const linesOf = (functions: readonly SourceFunction[]) => functions.flatMap(({ lines }) => lines).length;
  expect(kept.omittedLines).toBe(linesOf(found) - linesOf(kept.functions));
  expect(kept.omittedLines).toBe(encoded?.omittedLines);
  expect(kept.functions[0]?.lines.filter(({ selfSamples }) => selfSamples > 0)).toHaveLength(10);
});

interface FindOptions {
  column?: number;
  ticks?: { line: number; ticks: number }[];
  bytesMax?: number;
}

/** A target's /app, mounted somewhere here. */
class Mount implements Disposable {
  readonly directory = mkdtempSync(join(tmpdir(), 'sidescope-mount-'));

  constructor(files: Readonly<Record<string, string>>) {
    for (const [name, content] of Object.entries(files)) {
      mkdirSync(dirname(join(this.directory, name)), { recursive: true });
      writeFileSync(join(this.directory, name), content);
    }
  }

  find(stacks: string | readonly string[], { column = 1, ticks, bytesMax = 1e8 }: FindOptions = {}): SourceFunction[] {
    const file = fileOf(...[stacks].flat());
    for (const { callFrame, positionTicks, ...node } of file.nodes) {
      if (callFrame.url !== '') callFrame.columnNumber = column - 1;
      const self = file.samples.filter((id) => id === node.id).length;
      const own = ticks ?? [{ line: callFrame.lineNumber + 1, ticks: self }];
      if (self > 0)
        Object.assign(
          file.nodes.find(({ id }) => id === node.id)!,
          { positionTicks: positionTicks ?? own },
        );
    }
    const profile = parseCpuProfile(file);
    const context = {
      process: { pid: process.pid, inspectorPort: 1, isLocal: false },
      startedAtMs: Date.now() + 60_000,
      mappings: [{ from: '/app', to: this.directory }],
    };
    const { positions } = findPositions(placesOf(profile), context);
    return findSourceLines(findHotLines(profile, positions, 20), { ...context, bytesMax });
  }

  [Symbol.dispose](): void {
    rmSync(this.directory, { recursive: true, force: true });
  }
}

async function hotFunctionOf(main: string, node: number): Promise<SourceFunction | undefined> {
  await using target = await startTarget(main, { node });
  await using harness = await openHarness([target.inspectorAddress]);
  const { source } = await sourceOf(harness, target);
  expect(source).toMatchObject({ omittedLines: 0, reason: null });
  return source.functions.find(({ functionName }) => functionName === 'addSurcharges');
}

async function sourceOf(
  harness: Harness,
  target: { send(message: object): Promise<unknown> },
): Promise<{ source: ProfileSource; stored: StoredProfiles }> {
  const { id } = await harness.captures.startCpu({ startedBy: 'tester', durationMs: 500 });
  await waitFor(() => harness.captures.get(id).progress.phase === 'sampling', {
    message: () => `sampling; the operation is ${JSON.stringify(harness.captures.get(id))}`,
  });
  await target.send({ ms: 300 });
  const { profileIds } = await harness.captures.waitFor(id, { timeoutMs: 20_000 });
  const joins = { queryOf: () => Promise.reject(new Error('nobody asks for requests')) };
  const stored = new StoredProfiles({ store: harness.store, worker: harness.worker, joins });
  return { source: profileSourceSchema.parse(stored.source(profileIds[0] ?? '')), stored };
}

function textOfHottest(one: SourceFunction | undefined): string | undefined {
  return one?.lines.toSorted((a, b) => b.selfSamples - a.selfSamples)[0]?.text;
}
