import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, truncateSync, utimesSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { findPositions, type FoundPositions } from '../../agent/source-maps/find-positions.ts';
import { FrameOriginals } from '../../agent/source-maps/frame-originals.ts';
import { missingMapsWarning, summarize } from '../../agent/source-maps/summary.ts';
import { findTargetRoot } from '../../agent/source-maps/target-root.ts';
import { SidescopeError } from '../../protocol/error.ts';
import { startTarget } from '../support/target.ts';
import { encodeMappings } from './maps.ts';

const script = 'function f() {\n  return 1;\n}\n';
const map = {
  version: 3,
  sources: ['../src/f.ts'],
  names: [],
  mappings: encodeMappings([[[0, 0, 10, 0]], [[2, 0, 11, 2]], [[0, 0, 12, 0]]]),
};
const named = `${script}//# sourceMappingURL=f.js.map\n`;

/** A target's /app, mounted somewhere here. */
class Mount implements Disposable {
  readonly directory = mkdtempSync(join(tmpdir(), 'sidescope-mount-'));

  write(files: Readonly<Record<string, string | object>>): this {
    for (const [name, content] of Object.entries(files)) {
      mkdirSync(dirname(join(this.directory, name)), { recursive: true });
      writeFileSync(join(this.directory, name), typeof content === 'string' ? content : JSON.stringify(content));
    }
    return this;
  }

  link(name: string, to: string): this {
    symlinkSync(to, join(this.directory, name));
    return this;
  }

  find(url = '/app/dist/f.js', { startedAtMs = Date.now() + 60_000 } = {}): FoundPositions {
    const places = [{ url, line: 1, column: 10, functionName: 'f' }];
    return findPositions(
      { places, lines: [{ url, line: 2 }] },
      {
        process: { pid: process.pid, inspectorPort: 1, isLocal: false },
        startedAtMs,
        mappings: [{ from: '/app', to: this.directory }],
      },
    );
  }

  [Symbol.dispose](): void {
    rmSync(this.directory, { recursive: true, force: true });
  }
}

const found = {
  places: [['/app/dist/f.js', 1, 10, 'f', '/app/src/f.ts', 11, 1, 'f']],
  lines: [['/app/dist/f.js', 2, '/app/src/f.ts', 12]],
};

describe('a map', () => {
  test('is found where the script says, or beside it', () => {
    using said = new Mount().write({ 'dist/f.js': named, 'dist/f.js.map': map });
    expect(said.find()).toEqual({ positions: found, mapped: 1, missing: [], problem: null });
    using beside = new Mount().write({ 'dist/f.js': script, 'dist/f.js.map': map });
    expect(beside.find().positions).toEqual(found);
    using elsewhere = new Mount().write({
      'dist/f.js': named.replace('f.js.map', '/app/maps/f%201.map?v=2'),
      'maps/f 1.map': { ...map, sourceRoot: '/app/dist' },
    });
    expect(elsewhere.find().positions).toEqual(found);
    using inside = new Mount().write({
      'dist/f.js': `${script}//# sourceMappingURL=data:application/json,${encodeURIComponent(JSON.stringify(map))}`,
    });
    expect(inside.find().positions).toEqual(found);
  });

  test('is not expected of a script that nobody compiled', () => {
    using mount = new Mount().write({ 'dist/f.js': script });
    expect(mount.find()).toEqual({ positions: { places: [], lines: [] }, mapped: 0, missing: [], problem: null });
  });

  test.each([
    ['missing', { 'dist/f.js': named }, 'no /app/dist/f.js.map'],
    [
      'on a server',
      { 'dist/f.js': named.replace('f.js.map', 'https://x.test/f.js.map') },
      'its source map is elsewhere, and nothing is fetched',
    ],
    ['missing, of minified text', { 'dist/f.js': 'f();'.repeat(3_000) }, 'minified, and names no source map'],
    ['missing with its script', {}, 'the script is not there'],
    ['no JSON', { 'dist/f.js': named, 'dist/f.js.map': '<html>' }, 'not a source map: expected { at byte 0'],
    [
      'broken in its mappings',
      { 'dist/f.js': named, 'dist/f.js.map': { ...map, mappings: 'AAA' } },
      'not a source map: a segment of 3 numbers at byte 62',
    ],
    [
      'broken inside the script',
      { 'dist/f.js': named.replace('f.js.map', 'data:application/json,%zz') },
      'not a source map: its data: URL is wrongly encoded',
    ],
    [
      'of another build',
      { 'dist/f.js': named, 'dist/f.js.map': { ...map, mappings: ';;;;;;;;;AAAA' } },
      'its source map is of another build: it has 10 lines, the script 5',
    ],
    [
      'of the kernel',
      { 'dist/f.js': named.replace('f.js.map', '/proc/self/environ') },
      'it or its map is no file of the target',
    ],
  ] as [string, Record<string, string | object>, string][])('%s is told with its reason', (_, files, reason) => {
    using mount = new Mount().write(files);
    const result = mount.find();
    expect(result).toMatchObject({ mapped: 0, missing: [{ path: '/app/dist/f.js', reason }], problem: null });
    expect(result.positions).toEqual({ places: [], lines: [] });
  });

  test('newer than the process is not used', () => {
    using mount = new Mount().write({ 'dist/f.js': named, 'dist/f.js.map': map });
    const startedAtMs = Date.now() - 60_000;
    expect(mount.find(undefined, { startedAtMs }).missing[0]?.reason).toBe(
      'it or its map changed after the process started',
    );
    for (const name of ['f.js', 'f.js.map']) utimesSync(join(mount.directory, 'dist', name), 1_000, 1_000);
    expect(mount.find(undefined, { startedAtMs }).mapped).toBe(1);
  });

  test('over the bound is not read', () => {
    using mount = new Mount().write({ 'dist/f.js': named, 'dist/f.js.map': '' });
    truncateSync(join(mount.directory, 'dist/f.js.map'), 65 * 1024 * 1024);
    expect(mount.find().missing[0]?.reason).toMatch(/^it or its map has 68157440 B, the limit is 67108864 B$/);
  });
});

describe('the way to a map', () => {
  test('follows links as the target would, inside what is mounted', () => {
    using mount = new Mount().write({ 'releases/7/f.js': named, 'releases/7/f.js.map': map });
    mount.link('dist', '/app/releases/7');
    const { positions } = mount.find();
    // Resolved, so that the sources are relative to what the target calls the map.
    expect(positions.places[0]?.[4]).toBe('/app/src/f.ts');
    using relative = new Mount()
      .write({ 'releases/f.js': named, 'releases/f.js.map': map })
      .link('dist', './x/../releases');
    expect(relative.find().mapped).toBe(1);
  });

  test.each([
    ['out of it by an absolute path', '/etc/passwd'],
    ['out of it by dots', '../../../../../../../../etc/passwd'],
    ['into itself', 'f.js.map'],
  ])('does not follow a link %s', (_, to) => {
    using mount = new Mount().write({ 'dist/f.js': named }).link('dist/f.js.map', to);
    expect(mount.find().missing[0]?.reason).toMatch(
      /^(no \/app\/dist\/f.js.map|it or its map has more than 40 links on its way)$/,
    );
  });

  test('does not lead through a link that stands for a directory outside', () => {
    using outside = new Mount().write({ 'f.js': named, 'f.js.map': map });
    using mount = new Mount().link('dist', outside.directory);
    expect(mount.find().missing[0]?.reason).toBe('the script is not there');
  });

  test.each(['a pipe', 'a directory'])('ends at %s without waiting', (kind) => {
    using mount = new Mount().write({ 'dist/f.js': named });
    const path = join(mount.directory, 'dist/f.js.map');
    if (kind === 'a pipe') execFileSync('mkfifo', [path]);
    else mkdirSync(path);
    expect(mount.find().missing[0]?.reason).toBe('it or its map is no regular file');
  });

  test('that nobody gave is a problem, told once', () => {
    using mount = new Mount();
    const result = mount.find('/srv/f.js');
    expect(result).toMatchObject({ mapped: 0, missing: [] });
    expect(result.problem).toBe(
      'no source maps for 1 of 1 scripts: the target is not of this machine or pod, and no --source-map-path leads to them',
    );
  });
});

describe("the target's root", () => {
  test("is that of the process that has the inspector's socket", async () => {
    await using target = await startTarget('forever');
    const { pid, inspectorPort } = target;
    for (const port of [inspectorPort, null])
      expect(findTargetRoot({ pid, inspectorPort: port, isLocal: true })).toEqual({ path: `/proc/${pid}/root` });
    await using server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    expect(findTargetRoot({ pid, inspectorPort: port, isLocal: true })).toEqual({
      problem: `process ${pid} here is not the target: port ${port} is not its own`,
    });
    target.kill();
    await target.exited;
    for (const port of [inspectorPort, null])
      expect(findTargetRoot({ pid, inspectorPort: port, isLocal: true })).toEqual({
        problem: `process ${pid} is not visible from here`,
      });
  });
});

test('many missing maps are one warning', () => {
  const missing = ['a', 'b', 'c', 'd', 'e'].map((name) => ({
    path: `/app/${name}.js`,
    reason: `no /app/${name}.js.map`,
  }));
  expect(missingMapsWarning(summarize({ mapped: 0, missing, problem: null }))).toBe(
    'no source map for 5 scripts: /app/a.js (no /app/a.js.map), /app/b.js (no /app/b.js.map), /app/c.js (no /app/c.js.map) and 2 more',
  );
  expect(missingMapsWarning(summarize({ mapped: 1, missing: [], problem: null }))).toBeUndefined();
});

test('a worker that fails costs the original places and is told, and is not asked again at once', async () => {
  let asked = 0;
  const worker = {
    positions: () => {
      asked++;
      return Promise.reject(new SidescopeError('analysis-limit', 'positions took over 3000 ms'));
    },
  };
  const originals = new FrameOriginals({ worker, mappings: [] });
  const identity = { instanceId: '7-1', pid: 7, startedAt: new Date(0).toISOString() };
  const watcher = { view: { address: '127.0.0.1:9229', identity } } as Parameters<FrameOriginals['of']>[0];
  const frame = { functionName: 'f', url: '/app/f.js', lineNumber: 1, columnNumber: 1 };
  const expected = { frames: [null], warnings: ['no source maps were read: positions took over 3000 ms'] };
  expect(await originals.of(watcher, [frame])).toEqual(expected);
  expect(await originals.of(watcher, [frame])).toEqual(expected);
  expect(asked).toBe(1);
});
