import { describe, expect, it } from 'vitest';
import { isSidescopeError } from '../../protocol/error.ts';
import { sumNodes } from '../../protocol/cpu-profile/call-tree.ts';
import { encodeCollapsed } from '../../protocol/cpu-profile/collapsed.ts';
import { cpuFacts } from '../../protocol/cpu-profile/facts.ts';
import { findHotFunctions } from '../../protocol/cpu-profile/hot-functions.ts';
import { parseCpuProfile, parseCpuProfileBytes } from '../../protocol/cpu-profile/parse.ts';
import { encodePprof } from '../../protocol/cpu-profile/pprof.ts';
import { bytesOf, fileOf, randomFile } from './profiles.ts';
import type { ProfileFile } from './profiles.ts';

describe.each([
  ['parseCpuProfile', (file: unknown) => parseCpuProfile(JSON.parse(JSON.stringify(file)))],
  ['parseCpuProfileBytes', (file: unknown) => parseCpuProfileBytes(bytesOf(file))],
])('%s', (_, parse) => {
  it('puts nodes in depth-first order and shares frames', () => {
    const profile = parse(fileOf('main;a;leaf', 'main;b', 'main;a;other', 'main;a;leaf'));
    const name = (node: number) => profile.frames[profile.nodeFrames[node]!]!.functionName;
    expect([...profile.parents.keys()].map(name)).toEqual(['(root)', 'main', 'a', 'leaf', 'other', 'b']);
    expect([...profile.parents]).toEqual([-1, 0, 1, 2, 2, 1]);
    expect([...profile.subtreeEnds]).toEqual([6, 6, 5, 4, 5, 6]);
    expect([...profile.samples].map(name)).toEqual(['leaf', 'b', 'other', 'leaf']);
    expect([...profile.sampleTimesUs]).toEqual([1_000, 2_000, 3_000, 4_000]);
    expect(parse(fileOf('fib@a.js:3;fib@a.js:3;fib@a.js:3')).frames).toHaveLength(2);
  });

  it('makes lines and columns 1-based, and 0 where there is none', () => {
    const file = fileOf('fib');
    Object.assign(file.nodes[1]!.callFrame, { lineNumber: 11, columnNumber: 0 });
    expect(parse(file).frames).toMatchObject([
      { functionName: '(root)', line: 0, column: 0 },
      { functionName: 'fib', line: 12, column: 1 },
    ]);
  });

  it('sorts samples that are out of order and keeps those of one time in the order of the file', () => {
    const file = fileOf('a', 'b', 'c', 'd', 'e');
    file.timeDeltas = [1_000, 2_000, -1_500, 1_500, -9_000];
    const profile = parse(file);
    const names = [...profile.samples].map((node) => profile.frames[profile.nodeFrames[node]!]!.functionName);
    expect(names.join('')).toBe('eacbd');
    expect([...profile.sampleTimesUs]).toEqual([0, 1_000, 1_500, 3_000, 3_000]);
  });

  it('moves the end to the last sample when that is later', () => {
    const file = fileOf('a', 'b');
    file.endTime = file.startTime + 1_200;
    const profile = parse(file);
    expect(profile.endTimeUs - profile.startTimeUs).toBe(2_000);
  });

  it('drops our own evaluations with all they called, and credits who was interrupted', () => {
    const ours = '(anonymous)@sidescope:vitals:1';
    const profile = parse(
      fileOf('main;work 2', `main;work;${ours} 3`, `main;work;${ours};memoryUsage@node:process:1 4`, `${ours} 5`),
    );
    expect(profile.parents).toHaveLength(3);
    expect([...sumNodes(profile).selfSamples]).toEqual([5, 0, 9]);
    expect(text(encodeCollapsed(profile))).toBe('(root) 5\nmain;work 9\n');
  });

  it('takes columns of lines along with their nodes', () => {
    const file = fileOf('a;b', 'c');
    file.nodes[1]!.positionTicks = [{ line: 3, ticks: 2 }];
    file.nodes[3]!.positionTicks = [
      { line: 8, ticks: 1 },
      { line: 9, ticks: 4 },
    ];
    const profile = parse(file);
    expect([...profile.lineStarts]).toEqual([0, 0, 1, 1, 3]);
    expect([...profile.lines]).toEqual([3, 8, 9]);
    expect([...profile.lineSamples]).toEqual([2, 1, 4]);
  });

  it.each<[string, (file: ProfileFile) => unknown, RegExp]>([
    ['null', () => null, /profile must be an object|expected \{ at byte 0/],
    ['a list', () => [], /profile must be an object|expected \{ at byte 0/],
    ['no nodes', (file) => ({ ...file, nodes: [] }), /it has no nodes/],
    ['missing nodes', (file) => ({ ...file, nodes: undefined }), /nodes (must be a list, is )?missing/],
    ['missing samples', (file) => ({ ...file, samples: undefined }), /samples (must be a list, is )?missing/],
    ['missing endTime', (file) => ({ ...file, endTime: undefined }), /endTime (must be a number, is )?missing/],
    ['a text as time', (file) => ({ ...file, startTime: '5' }), /startTime must be a number, is string/],
    ['time backwards', (file) => ({ ...file, endTime: 1 }), /endTime 1 is before startTime 5000000/],
    ['an age as duration', (file) => ({ ...file, endTime: 9e15 }), /it lasts 8999999995000000 µs/],
    ['an age between samples', (file) => ({ ...file, timeDeltas: [1, 1e300] }), /it lasts 1e\+300 µs/],
    ['a time beyond numbers', (file) => ({ ...file, startTime: -1e300 }), /startTime must be a time in microseconds/],
    ['a sample too many', (file) => ({ ...file, samples: [1, 1, 1] }), /3 samples but 2 timeDeltas/],
    ['an unknown sample', (file) => ({ ...file, samples: [1, 99] }), /samples\[1\] is node 99, which is not there/],
    ['a text as sample', (file) => ({ ...file, samples: [1, '1'] }), /samples\[1\] must be a number, is string/],
    ['a null as delta', (file) => ({ ...file, timeDeltas: [1, null] }), /timeDeltas\[1\] must be a number, is null/],
    ['one id twice', (file) => change(file, 1, { id: 1 }), /nodes\[1\] has the id 1 of an earlier node/],
    ['a fraction as id', (file) => change(file, 1, { id: 1.5 }), /nodes\[1\]\.id must be a whole number, is 1\.5/],
    ['an unknown child', (file) => change(file, 1, { children: [9] }), /node 2 has the child 9, which is not there/],
    ['a child of itself', (file) => change(file, 1, { children: [2] }), /node 2 has two parents, one of them node 2/],
    ['two roots', (file) => change(file, 0, { children: [] }), /nodes 1 and 2 are both without parent/],
    ['the root below', (file) => change(file, 2, { children: [1] }), /no node is the root: all have parents/],
    [
      'no call frame',
      (file) => change(file, 1, { callFrame: undefined }),
      /nodes\[1\]\.callFrame must be an object, is missing/,
    ],
    [
      'a list as frame',
      (file) => change(file, 1, { callFrame: [] }),
      /nodes\[1\]\.callFrame must be an object, is object/,
    ],
    [
      'children as text',
      (file) => change(file, 1, { children: '3' }),
      /nodes\[1\]\.children must be a list, is string/,
    ],
    [
      'negative ticks',
      (file) => change(file, 1, { positionTicks: [{ line: 1, ticks: -1 }] }),
      /ticks must be a count, is -1/,
    ],
  ])('refuses %s', (_what, edit, message) => {
    expect(() => parse(edit(fileOf('a', 'a;b')))).toThrow(
      expect.objectContaining({ code: 'unreadable-profile', message: expect.stringMatching(message) as string }),
    );
  });

  it('refuses a circle beside the root', () => {
    const file = fileOf('a;b;c');
    file.nodes[0]!.children = [];
    file.nodes[3]!.children = [2];
    expect(() => parse(file)).toThrow(/node 2 is in a circle, not below the root/);
  });

  it('refuses more nodes than the bound', () => {
    const file = fileOf('a');
    file.nodes[1]!.children = Array.from({ length: 1_000_001 }, () => 0);
    expect(() => parse(file)).toThrow(expect.objectContaining({ code: 'analysis-limit' }));
  });
});

describe('parseCpuProfileBytes', () => {
  it('gives what parseCpuProfile gives, whatever the spacing, order and unknown keys', () => {
    for (let seed = 1; seed < 30; seed++) {
      const file = {
        ...randomFile(seed, { nodes: 1 + seed * 3, samples: seed * 5 }),
        extra: [{ '}"\\': ']' }],
        $vscode: 1.5e3,
      };
      const turned = Object.fromEntries(Object.entries(file).toReversed());
      const expected = parseCpuProfile(file);
      expect(parseCpuProfileBytes(bytesOf(file))).toEqual(expected);
      expect(parseCpuProfileBytes(new TextEncoder().encode(JSON.stringify(turned, null, '\t\r\n ')))).toEqual(expected);
    }
  });

  it('reads numbers of every form', () => {
    const text = JSON.stringify(fileOf('a 4')).replace(
      '"timeDeltas":[1000,1000,1000,1000]',
      '"timeDeltas":[ 1e3 ,-0.5,12 ,-7]',
    );
    expect([...parseCpuProfileBytes(new TextEncoder().encode(text)).sampleTimesUs]).toEqual([
      999.5, 1_000, 1_004.5, 1_011.5,
    ]);
  });

  it.each([
    ['[1000,01]', /expected a JSON value at byte \d+/],
    ['[1000,]', /expected a value at byte \d+/],
    ['[1000 1000]', /expected \] or , at byte \d+/],
    ['[1000,-]', /expected a JSON value at byte \d+/],
    ['[1000,1000', /expected \] or , at byte \d+/],
    ['[1000,1000]]', /expected \} or , at byte \d+/],
    ['[1000,1000],"samples":[]', /"samples" is there twice/],
    ['[1000,1000]} x', /expected the end at byte \d+/],
  ])('tells where the syntax of timeDeltas %s is wrong', (deltas, message) => {
    const broken = JSON.stringify(fileOf('a 2')).replace('[1000,1000]', deltas);
    expect(() => parseCpuProfileBytes(new TextEncoder().encode(broken))).toThrow(message);
  });

  it('refuses every cut and lives through every flipped byte', () => {
    const bytes = bytesOf(fileOf('main@a.js:1;"quoted\\"', 'main@a.js:1;b 2', '(idle)'));
    for (const end of bytes.keys()) {
      expect(() => parseCpuProfileBytes(bytes.subarray(0, end)), `cut at ${end}`).toThrow(/not a CPU profile/);
      for (const byte of [0, 0x22, 0x5d, 0xff]) {
        try {
          parseCpuProfileBytes(bytes.with(end, byte));
        } catch (error) {
          expect(isSidescopeError(error, 'unreadable-profile'), `byte ${byte} at ${end}: ${String(error)}`).toBe(true);
        }
      }
    }
  });

  it('never quotes the file in its message', () => {
    expect(() => parseCpuProfileBytes(new TextEncoder().encode('{"nodes":[password]}'))).toThrow(
      /^not a CPU profile: expected a JSON value at byte 10$/,
    );
  });
});

describe('large profiles', () => {
  it('of 100,000 calls deep are read, summed and exported', () => {
    const depth = 100_000;
    const file = fileOf();
    for (let id = 2; id <= depth; id++) {
      file.nodes[id - 2]!.children = [id];
      file.nodes.push({
        ...file.nodes[0]!,
        id,
        callFrame: { ...file.nodes[0]!.callFrame, functionName: 'down' },
        children: [],
      });
    }
    file.samples = [depth, depth];
    file.timeDeltas = [1_000, 1_000];
    file.endTime = file.startTime + 3_000;
    const profile = parseCpuProfileBytes(bytesOf(file));
    expect(findHotFunctions(profile)).toMatchObject([{ functionName: 'down', selfUs: 2_000, totalUs: 2_000 }]);
    expect(text(encodeCollapsed(profile))).toBe(`(deeper frames);${'down;'.repeat(1_023)}down 2\n`);
    expect(encodePprof(profile).length).toBeLessThan(10_000);
  });

  it('of 20 MB are read', () => {
    const file = randomFile(3, { nodes: 50_000, samples: 1_300_000 });
    const bytes = bytesOf(file);
    expect(bytes.length).toBeGreaterThan(20_000_000);
    expect(cpuFacts(parseCpuProfileBytes(bytes)).facts).toMatchObject({ samples: 1_300_000, nodes: 50_000 });
  });
});

function change(file: ProfileFile, node: number, edit: Record<string, unknown>): unknown {
  return { ...file, nodes: file.nodes.map((entry, index) => (index === node ? { ...entry, ...edit } : entry)) };
}

function text(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes);
}
