import { Profile } from 'pprof-format';
import { describe, expect, it } from 'vitest';
import { encodeCollapsed } from '../../protocol/cpu-profile/collapsed.ts';
import { parseCpuProfile } from '../../protocol/cpu-profile/parse.ts';
import { encodePprof } from '../../protocol/cpu-profile/pprof.ts';
import type { PprofOptions } from '../../protocol/cpu-profile/pprof.ts';
import { fileOf, randomFile } from './profiles.ts';
import type { ProfileFile } from './profiles.ts';

describe('encodeCollapsed', () => {
  it('writes stacks from the outermost frame on, in order, without (idle)', () => {
    const file = fileOf(
      'main@file:///srv/a.js:1;z 2',
      '(idle) 7',
      'main@file:///srv/a.js:1;b 3',
      'main@file:///srv/a.js:1;z',
    );
    expect(collapsed(file)).toEqual(['main /srv/a.js:1;b 3', 'main /srv/a.js:1;z 3']);
  });

  it('writes (idle) when asked to', () => {
    expect(collapsed(fileOf('(idle) 7', 'a'), { includeIdle: true })).toEqual(['(idle) 7', 'a 1']);
  });

  it('adds up stacks that read the same', () => {
    const file = fileOf('a;b 2', 'a;c 3', 'a;c;d');
    file.nodes.find((node) => node.callFrame.functionName === 'c')!.callFrame.functionName = 'b';
    expect(collapsed(file)).toEqual(['a;b 5', 'a;b;d 1']);
  });

  it('escapes what would end a frame or a line', () => {
    const file = fileOf('x 2');
    file.nodes[1]!.callFrame.functionName = 'get a;b\r\nc 3';
    expect(collapsed(file)).toEqual(['get a%3Bb%0D%0Ac 3 2']);
  });

  it('is empty for a profile without samples', () => {
    expect(encodeCollapsed(parseCpuProfile(fileOf()))).toHaveLength(0);
  });

  it('has all samples of random trees, each stack once', () => {
    for (let seed = 1; seed <= 40; seed++) {
      const file = randomFile(seed, { nodes: seed * 4, samples: seed * 9 });
      const lines = collapsed(file).map((line) => /^(.*) (\d+)$/.exec(line)!);
      expect(lines.reduce((sum, line) => sum + Number(line[2]), 0)).toBe(file.samples.length);
      expect(new Set(lines.map((line) => line[1])).size).toBe(lines.length);
    }
  });
});

describe('encodePprof', () => {
  it('is read by pprof-format as the stacks, counts and times of the profile, without (idle)', () => {
    const file = fileOf(
      'main@file:///srv/a.js:1;fib@file:///srv/a.js:12 2',
      '(idle) 7',
      '(garbage collector) 1',
      '(program) 3',
    );
    expect(pprofLines(file)).toEqual([
      '(garbage collector): 1, 1000000 ns',
      '(program): 3, 3000000 ns',
      'main /srv/a.js:1;fib /srv/a.js:12: 2, 2000000 ns',
    ]);
  });

  it('names the lines that were executing, and shares samples and time among them without loss', () => {
    const file = fileOf('fib@file:///srv/a.js:12 7');
    file.nodes[1]!.positionTicks = [
      { line: 13, ticks: 1 },
      { line: 14, ticks: 2 },
    ];
    expect(pprofLines(file)).toEqual(['fib /srv/a.js:13: 2, 2333333 ns', 'fib /srv/a.js:14: 5, 4666667 ns']);
    const decoded = decode(file);
    expect(decoded.function).toHaveLength(1);
    expect(decoded.function[0]!.startLine).toBe(12);
  });

  it('has types, period, times and comments', () => {
    const clock = { monotonicUs: 6_000_000, wallMs: 1_800_000_000_123.5, timeOriginMs: 0 };
    const decoded = decode(fileOf('a 9'), { clock, intervalUs: 2_000, comments: ['shop', 'main thread'] });
    const text = (index: number | bigint) => decoded.stringTable.strings[Number(index)];
    expect(decoded.sampleType.map(({ type, unit }) => `${text(type)}/${text(unit)}`)).toEqual([
      'samples/count',
      'cpu/nanoseconds',
    ]);
    expect([text(decoded.periodType!.type), decoded.period]).toEqual(['cpu', 2_000_000]);
    expect(BigInt(decoded.timeNanos)).toBe(1_799_999_999_123_500_000n);
    expect(decoded.durationNanos).toBe(10_000_000);
    expect(decoded.comment.map(text)).toEqual(['shop', 'main thread']);
    expect(text(decoded.defaultSampleType)).toBe('cpu');
    expect(decoded.stringTable.strings[0]).toBe('');
  });

  it('has no time without a clock, and the average distance as period', () => {
    const decoded = decode(fileOf('a 9'));
    expect(decoded.timeNanos).toBe(0);
    expect(decoded.period).toBe(Math.round(10_000_000 / 9));
  });

  it.each([NaN, Infinity, -1e300, 1e300])('has no time when the target says that the wall clock is %d', (wallMs) => {
    expect(decode(fileOf('a'), { clock: { monotonicUs: 0, wallMs, timeOriginMs: 0 } }).timeNanos).toBe(0);
  });

  it('keeps all samples and all time of random trees', () => {
    for (let seed = 1; seed <= 40; seed++) {
      const file = randomFile(seed, { nodes: seed * 4, samples: seed * 9 });
      const decoded = decode(file);
      const sum = (index: number) => decoded.sample.reduce((total, sample) => total + Number(sample.value[index]), 0);
      expect(sum(0)).toBe(file.samples.length);
      expect(sum(1)).toBe((file.endTime - file.startTime - file.timeDeltas[0]!) * 1_000);
      const stacks = new Map<string, number>();
      for (const line of pprofLines(file)) {
        const [, stack = '', count] = /^(.*): (\d+), /.exec(line)!;
        stacks.set(stack, (stacks.get(stack) ?? 0) + Number(count));
      }
      expect([...stacks].map(([stack, count]) => `${stack} ${count}`).sort()).toEqual(collapsed(file).sort());
    }
  });

  it('keeps names of any characters', () => {
    expect(pprofLines(fileOf('größe 😀'))).toEqual(['größe 😀: 1, 1000000 ns']);
  });

  it('is whole for a profile without samples', () => {
    expect(decode(fileOf()).sample).toEqual([]);
  });
});

function collapsed(file: ProfileFile, options?: { includeIdle: boolean }): string[] {
  const lines = new TextDecoder().decode(encodeCollapsed(parseCpuProfile(file), options)).split('\n');
  expect(lines.pop()).toBe('');
  return lines;
}

function decode(file: ProfileFile, options?: PprofOptions): Profile {
  return Profile.decode(encodePprof(parseCpuProfile(file), options));
}

/** `main a.js:1;fib a.js:12: 2, 2000000 ns`, sorted. */
function pprofLines(file: ProfileFile): string[] {
  const decoded = decode(file);
  const text = (index: number | bigint) => decoded.stringTable.strings[Number(index)]!;
  const functions = new Map(decoded.function.map((entry) => [Number(entry.id), entry]));
  const locations = new Map(decoded.location.map((entry) => [Number(entry.id), entry]));
  const frame = (id: number | bigint) => {
    const line = locations.get(Number(id))!.line[0]!;
    const { name, filename } = functions.get(Number(line.functionId))!;
    return text(filename) === '' ? text(name) : `${text(name)} ${text(filename)}:${line.line}`;
  };
  return decoded.sample
    .map(({ locationId, value }) => `${locationId.map(frame).toReversed().join(';')}: ${value[0]}, ${value[1]} ns`)
    .sort();
}
