import { describe, expect, test } from 'vitest';
import { encodeCollapsed } from '../../protocol/cpu-profile/collapsed.ts';
import { cpuFacts } from '../../protocol/cpu-profile/facts.ts';
import { findHotFunctions } from '../../protocol/cpu-profile/hot-functions.ts';
import { originalCpuProfile, placesOf } from '../../protocol/cpu-profile/originals.ts';
import { parseCpuProfile, parseCpuProfileBytes } from '../../protocol/cpu-profile/parse.ts';
import { rewriteCpuProfile } from '../../protocol/cpu-profile/rewrite-original.ts';
import { heapSamplingFacts } from '../../protocol/heap-sampling/facts.ts';
import { parseHeapProfile } from '../../protocol/heap-sampling/parse.ts';
import type { SourcePositions } from '../../protocol/source-map/original.ts';
import { decodePositions, encodePositions } from '../../agent/source-maps/position-bytes.ts';
import { bytesOf, fileOf, type ProfileFile } from '../cpu-profile/profiles.ts';

/** Two copies of `fib` in a bundle are one function of the source; `main` is known, `lib` is not. */
const file = fileOf(
  'm@/app/app.js:1;f@/app/app.js:2 3',
  'm@/app/app.js:1;g@/app/app.js:3 2',
  'm@/app/app.js:1;lib@/app/lib.js:9 1',
);
for (const node of file.nodes) if (node.callFrame.url !== '') node.callFrame.columnNumber = 0;
const positions: SourcePositions = {
  places: [
    ['/app/app.js', 1, 1, 'm', '/app/src/main.ts', 10, 1, 'main'],
    ['/app/app.js', 2, 1, 'f', '/app/src/fib.ts', 20, 3, 'fib'],
    ['/app/app.js', 3, 1, 'g', '/app/src/fib.ts', 20, 3, 'fib'],
  ],
  lines: [
    ['/app/app.js', 2, '/app/src/fib.ts', 22],
    ['/app/app.js', 5, '/app/src/main.ts', 12],
  ],
};

function withTicks(name: string, ticks: { line: number; ticks: number }[]): ProfileFile {
  const copy = structuredClone(file);
  for (const node of copy.nodes) if (node.callFrame.functionName === name) node.positionTicks = ticks;
  return copy;
}

/** Lines of the nodes of a function, as `line:samples`. */
function linesOf(raw: ProfileFile, name: string): string[] {
  const profile = originalCpuProfile(parseCpuProfile(raw), positions);
  const node = profile.nodeFrames.findIndex((frame) => profile.frames[frame]?.functionName === name);
  const range = [profile.lineStarts[node]!, profile.lineStarts[node + 1]!] as const;
  return [...profile.lines.subarray(...range)].map((line, at) => `${line}:${profile.lineSamples[range[0] + at]}`);
}

describe('a CPU profile with original places', () => {
  const profile = originalCpuProfile(parseCpuProfile(file), positions);

  test('makes one function of what is one in the source', () => {
    const [fib] = findHotFunctions(profile);
    expect(fib).toMatchObject({ functionName: 'fib', url: '/app/src/fib.ts', line: 20, column: 3, selfSamples: 5 });
    expect(Buffer.from(encodeCollapsed(profile)).toString()).toBe(
      'main /app/src/main.ts:10;fib /app/src/fib.ts:20 5\nmain /app/src/main.ts:10;lib /app/lib.js:9 1\n',
    );
  });

  test('names the top function in the facts, and what V8 calls it', () => {
    const { facts } = cpuFacts(parseCpuProfile(file), positions);
    expect(facts).toMatchObject({ topFunction: 'fib fib.ts:20', topFunctionRaw: 'f app.js:2' });
    const unknown = cpuFacts(parseCpuProfile(file), { places: [], lines: [] });
    expect(unknown).toEqual(cpuFacts(parseCpuProfile(file)));
    expect(unknown.facts).not.toHaveProperty('topFunctionRaw');
  });

  test('has the original line where a map knows it, else that of the function', () => {
    expect(
      linesOf(
        withTicks('f', [
          { line: 2, ticks: 2 },
          { line: 3, ticks: 1 },
        ]),
        'fib',
      ),
    ).toEqual(['22:2', '20:1']);
    // A line of another file: inlined or wrong.
    expect(linesOf(withTicks('f', [{ line: 5, ticks: 3 }]), 'fib')).toEqual(['20:3']);
    // Two lines that are one there add up.
    expect(
      linesOf(
        withTicks('f', [
          { line: 3, ticks: 2 },
          { line: 4, ticks: 1 },
        ]),
        'fib',
      ),
    ).toEqual(['20:3']);
    expect(linesOf(withTicks('lib', [{ line: 9, ticks: 1 }]), 'lib')).toEqual(['9:1']);
  });

  test('asks for every function and line once', () => {
    const { places, lines } = placesOf(
      parseCpuProfile(
        withTicks('f', [
          { line: 2, ticks: 2 },
          { line: 2, ticks: 1 },
        ]),
      ),
    );
    expect(places.map(({ functionName }) => functionName)).toEqual(['(root)', 'm', 'f', 'g', 'lib']);
    expect(lines).toEqual([{ url: '/app/app.js', line: 2 }]);
  });

  test('is written as a .cpuprofile with the same nodes, samples and times', () => {
    const raw = withTicks('f', [{ line: 2, ticks: 3 }]);
    const rewritten = rewriteCpuProfile(bytesOf(raw), positions);
    const { nodes, ...rest } = JSON.parse(Buffer.from(rewritten).toString()) as ProfileFile;
    const { nodes: before, ...restBefore } = raw;
    expect(rest).toEqual(restBefore);
    expect(nodes.map(({ id, children }) => [id, children])).toEqual(before.map(({ id, children }) => [id, children]));
    const fib = nodes.find(({ positionTicks }) => positionTicks !== undefined);
    expect(fib?.positionTicks).toEqual([{ line: 22, ticks: 3 }]);
    expect(fib?.callFrame).toMatchObject({
      functionName: 'fib',
      url: '/app/src/fib.ts',
      lineNumber: 19,
      columnNumber: 2,
    });
    expect(encodeCollapsed(parseCpuProfileBytes(rewritten))).toEqual(encodeCollapsed(profile));
  });

  test.each(['', '{', '[]', '{"nodes":7}'])('is not made of %j', (text) => {
    const bytes = new TextEncoder().encode(text);
    expect(() => rewriteCpuProfile(bytes, positions)).toThrow(expect.objectContaining({ code: 'unreadable-profile' }));
  });
});

test('the top site of a heap sampling profile is the original one, with what V8 calls it', () => {
  const callFrame = { functionName: 'f', scriptId: '1', url: '/app/app.js', lineNumber: 1, columnNumber: 0 };
  const root = { functionName: '(root)', scriptId: '0', url: '', lineNumber: -1, columnNumber: -1 };
  const child = { callFrame, selfSize: 100, id: 2, children: [] };
  const profile = parseHeapProfile({ head: { callFrame: root, selfSize: 0, id: 1, children: [child] }, samples: [] });
  expect(heapSamplingFacts(profile, positions)).toMatchObject({ topSite: 'fib fib.ts:20', topSiteRaw: 'f app.js:2' });
  expect(heapSamplingFacts(profile)).not.toHaveProperty('topSiteRaw');
});

test('positions are the same after they were kept; over the bound the first ones are', () => {
  expect(decodePositions(encodePositions(positions) ?? new Uint8Array())).toEqual(positions);
  expect(encodePositions({ places: [], lines: [] })).toBeUndefined();
  const places = Array.from(
    { length: 40_000 },
    (_, line) => ['/app/a.js', line, 1, 'f', '/app/a.ts', line, 1, 'é'.repeat(30)] as const,
  );
  const kept = decodePositions(encodePositions({ places, lines: [] }) ?? new Uint8Array());
  expect(kept.places.length).toBeGreaterThan(10_000);
  expect(kept.places).toEqual(places.slice(0, kept.places.length));
});
