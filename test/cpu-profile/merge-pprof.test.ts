import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { Profile } from 'pprof-format';
import { describe, expect, it, onTestFinished } from 'vitest';
import { PprofMerger } from '../../protocol/cpu-profile/merge-pprof.ts';
import type { PprofLabels } from '../../protocol/cpu-profile/merge-pprof.ts';
import { parseCpuProfile } from '../../protocol/cpu-profile/parse.ts';
import { encodePprof } from '../../protocol/cpu-profile/pprof.ts';
import type { PprofOptions } from '../../protocol/cpu-profile/pprof.ts';
import { encodeHeapPprof } from '../../protocol/heap-sampling/pprof.ts';
import { parseHeapProfile } from '../../protocol/heap-sampling/parse.ts';
import { fileOf, randomFile } from './profiles.ts';
import type { ProfileFile } from './profiles.ts';

const pprofOf = (file: ProfileFile, options: PprofOptions = {}): Uint8Array =>
  encodePprof(parseCpuProfile(file), options);

describe('PprofMerger', () => {
  it('adds up equal stacks of equal labels and keeps those of each pod apart', () => {
    const lines = linesOf(
      merged(
        [pprofOf(fileOf('main@file:///srv/a.js:1;fib@file:///srv/a.js:12 2', '(idle) 3')), { pod: 'shop-1' }],
        [
          pprofOf(fileOf('main@file:///srv/a.js:1;fib@file:///srv/a.js:12 4', 'main@file:///srv/a.js:1')),
          { pod: 'shop-2' },
        ],
        [pprofOf(fileOf('main@file:///srv/a.js:1;fib@file:///srv/a.js:12 8')), { pod: 'shop-1' }],
      ),
    );
    expect(lines).toEqual([
      'main /srv/a.js:1 {pod=shop-2}: 1, 1000000',
      'main /srv/a.js:1;fib /srv/a.js:12 {pod=shop-1}: 10, 10000000',
      'main /srv/a.js:1;fib /srv/a.js:12 {pod=shop-2}: 4, 4000000',
    ]);
  });

  it('keeps every value, function and line of random profiles, as an independent decoder reads them', () => {
    const all = Array.from({ length: 12 }, (_, seed) => pprofOf(randomFile(seed + 1, { nodes: 60, samples: 400 })));
    const expected = new Map<string, [number, number]>();
    for (const bytes of all) {
      for (const line of linesOf(bytes)) {
        const [, stack = '', count = '', ns = ''] = /^(.*): (\d+), (\d+)$/.exec(line) ?? [];
        const [samples, sum] = expected.get(stack) ?? [0, 0];
        expected.set(stack, [samples + Number(count), sum + Number(ns)]);
      }
    }
    const wanted = [...expected].map(([stack, [samples, ns]]) => `${stack}: ${samples}, ${ns}`).sort();
    expect(linesOf(merged(...all.map((bytes) => [bytes, {}] as const)))).toEqual(wanted);
  });

  it('has the earliest time, the duration of all, types, period and every comment once', () => {
    const clock = (wallMs: number) => ({ monotonicUs: 5_000_000, wallMs, timeOriginMs: 0 });
    const bytes = merged(
      [pprofOf(fileOf('a 9'), { clock: clock(1_800_000_001_000), intervalUs: 1_000, comments: ['shop', 'x'] }), {}],
      [pprofOf(fileOf('a 4'), { clock: clock(1_800_000_000_000), intervalUs: 1_000, comments: ['shop'] }), {}],
    );
    const decoded = Profile.decode(bytes);
    const text = (index: number | bigint) => decoded.stringTable.strings[Number(index)];
    // Through a number: whole nanoseconds of this century need 61 bits, a number has 53.
    expect(Math.abs(Number(BigInt(decoded.timeNanos) - 1_800_000_000_000_000_000n))).toBeLessThan(1_000);
    expect([decoded.durationNanos, decoded.period]).toEqual([10_000_000 + 5_000_000, 1_000_000]);
    expect(decoded.sampleType.map(({ type, unit }) => `${text(type)}/${text(unit)}`)).toEqual([
      'samples/count',
      'cpu/nanoseconds',
    ]);
    expect([text(decoded.periodType!.type), text(decoded.defaultSampleType)]).toEqual(['cpu', 'cpu']);
    expect(decoded.comment.map(text)).toEqual(['shop', 'x']);
  });

  it('merges what it merged', () => {
    const once = merged([pprofOf(fileOf('a;b 3')), { pod: 'one' }], [pprofOf(fileOf('a;b 4')), { pod: 'two' }]);
    const again = merged([once, { cluster: 'east' }], [pprofOf(fileOf('a;b 5')), { pod: 'one', cluster: 'east' }]);
    expect(linesOf(again)).toEqual([
      'a;b {cluster=east, pod=one}: 8, 8000000',
      'a;b {cluster=east, pod=two}: 4, 4000000',
    ]);
  });

  it('refuses what measures something else, and nothing at all', () => {
    const root = { functionName: '(root)', url: '', scriptId: '0', lineNumber: -1, columnNumber: -1 };
    const heap = encodeHeapPprof(
      parseHeapProfile({ head: { callFrame: root, selfSize: 1, children: [] }, samples: [] }),
    );
    const merger = new PprofMerger();
    merger.add(pprofOf(fileOf('a')));
    expect(() => merger.add(heap)).toThrow(
      expect.objectContaining({
        code: 'unmergeable-profiles',
        message: 'a profile has the values space/bytes, those before have samples/count, cpu/nanoseconds',
      }),
    );
    expect(() => new PprofMerger().finish()).toThrow(expect.objectContaining({ code: 'unmergeable-profiles' }));
  });

  it('says where a damaged file is damaged, at whatever byte it was cut', () => {
    const whole = pprofOf(fileOf('main@file:///srv/a.js:1;fib@file:///srv/a.js:12 2'));
    for (let length = 0; length < whole.length; length++) {
      try {
        const merger = new PprofMerger();
        merger.add(whole.subarray(0, length));
        merger.finish();
      } catch (error) {
        expect(error).toMatchObject({ code: 'unreadable-profile' });
      }
    }
    expect(() => new PprofMerger().add(new Uint8Array())).toThrow('it has no sample type');
  });

  // Go is not among what the tests install.
  it.runIf(spawnSync('go', ['version']).status === 0)('is read by `go tool pprof`, which tells the pods apart', () => {
    const folder = mkdtempSync(join(tmpdir(), 'sidescope-merged-'));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    const file = join(folder, 'merged.pb.gz');
    const bytes = merged(
      [pprofOf(fileOf('main@file:///srv/a.js:1;fib@file:///srv/a.js:12 200')), { pod: 'shop-1' }],
      [pprofOf(fileOf('main@file:///srv/a.js:1;fib@file:///srv/a.js:12 400')), { pod: 'shop-2' }],
    );
    writeFileSync(file, gzipSync(bytes));
    const pprof = (...args: string[]): string => {
      const { stdout, stderr, status } = spawnSync('go', ['tool', 'pprof', ...args, file], {
        encoding: 'utf8',
        env: { ...process.env, HOME: folder, PPROF_TMPDIR: folder },
      });
      expect({ status, stderr: stderr.replace(/^Main binary.*\n/gm, '') }).toEqual({ status: 0, stderr: '' });
      return stdout;
    };
    expect(pprof('-top')).toMatch(/600ms +100% +100% +600ms +100% +fib/);
    expect(pprof('-top', '-tagfocus=pod=shop-1')).toMatch(/200ms .* fib/);
    expect(pprof('-tags')).toMatch(
      /pod: Total 600\.0ms\n +400\.0ms \([\d.]+%\): shop-2\n +200\.0ms \([\d.]+%\): shop-1/,
    );
  });
});

function merged(...files: (readonly [Uint8Array, PprofLabels])[]): Uint8Array {
  const merger = new PprofMerger();
  for (const [bytes, labels] of files) merger.add(bytes, labels);
  return merger.finish();
}

/** Sorted: `main;fib /srv/a.js:12 {pod=x}: 3, 3000000`, by pprof-format. */
function linesOf(bytes: Uint8Array): string[] {
  const decoded = Profile.decode(bytes);
  const text = (index: number | bigint) => decoded.stringTable.strings[Number(index)] ?? '';
  const functions = new Map(decoded.function.map((fn) => [Number(fn.id), fn]));
  const locations = new Map(decoded.location.map((location) => [Number(location.id), location]));
  return decoded.sample
    .map(({ locationId, value, label }) => {
      const frames = locationId.toReversed().map((id) => {
        const { functionId, line } = locations.get(Number(id))!.line[0]!;
        const { name, filename } = functions.get(Number(functionId))!;
        return `${text(name)}${text(filename) === '' ? '' : ` ${text(filename)}:${line}`}`;
      });
      const labels = label.map(({ key, str }) => `${text(key)}=${text(str)}`).sort();
      return `${frames.join(';')}${labels.length === 0 ? '' : ` {${labels.join(', ')}}`}: ${value.join(', ')}`;
    })
    .sort();
}
