import { describe, expect, it } from 'vitest';
import { heapSamplingText, summarizeHeapSampling } from '../../protocol/heap-sampling/report.ts';
import { heapSamplingFacts } from '../../protocol/heap-sampling/facts.ts';
import { parseHeapProfile, parseHeapProfileBytes } from '../../protocol/heap-sampling/parse.ts';

interface Node {
  callFrame: { functionName: string; scriptId: string; url: string; lineNumber: number; columnNumber: number };
  selfSize: number;
  id: number;
  children: Node[];
}

let nextId = 1;

/** `remember a.js:12` has the URL a.js and V8's line 11; a name alone has no place. */
function node(text: string, selfSize: number, ...children: Node[]): Node {
  const [functionName = '', place = ':0'] = text.split(' ');
  const cut = place.lastIndexOf(':');
  const url = place.slice(0, cut);
  const callFrame = { functionName, scriptId: '1', url, lineNumber: Number(place.slice(cut + 1)) - 1, columnNumber: 4 };
  return { callFrame, selfSize, id: nextId++, children };
}

function fileOf(head: unknown, samples: unknown = []): { head: unknown; samples: unknown } {
  return { head, samples };
}

const tree = () =>
  fileOf(
    node(
      '(root)',
      0,
      node('main a.js:1', 10, node('remember a.js:12', 500), node('copy b.js:3', 600)),
      node('timer a.js:30', 0, node('remember a.js:12', 400)),
    ),
    [{}, {}, {}],
  );
const bytesOf = (value: unknown) => new TextEncoder().encode(JSON.stringify(value));

describe('a .heapprofile', () => {
  it('becomes columns in depth-first order, with shared frames and 1-based places', () => {
    const profile = parseHeapProfileBytes(bytesOf(tree()));
    const names = [...profile.nodeFrames].map((frame) => profile.frames[frame]?.functionName);
    expect(names).toEqual(['(root)', 'main', 'remember', 'copy', 'timer', 'remember']);
    expect([...profile.parents]).toEqual([-1, 0, 1, 1, 0, 4]);
    expect([...profile.selfBytes]).toEqual([0, 10, 500, 600, 0, 400]);
    expect(profile.samples).toBe(3);
    expect(profile.frames).toHaveLength(5);
    expect(profile.frames[2]).toEqual({ functionName: 'remember', url: 'a.js', scriptId: '1', line: 12, column: 5 });
    expect(profile.frames[0]).toMatchObject({ line: 0 });
  });

  it('has the function that allocated most, over all its callers, as its top site', () => {
    expect(heapSamplingFacts(parseHeapProfile(tree()))).toEqual({
      samples: 3,
      nodes: 6,
      sampledBytes: 1_510,
      topSite: 'remember a.js:12',
    });
  });

  it('is told in short lines, with the stacks that most was allocated on', () => {
    const summary = summarizeHeapSampling(parseHeapProfile(tree()));
    expect(summary.stacks.map(({ share, frames }) => [Math.round(share * 1_510), frames.join(' > ')])).toEqual([
      [600, 'main a.js:1 > copy b.js:3'],
      [500, 'main a.js:1 > remember a.js:12'],
      [400, 'timer a.js:30 > remember a.js:12'],
      [10, 'main a.js:1'],
    ]);
    expect(heapSamplingText(summary)).toMatch(/\n {2}39\.7 % {2}main a\.js:1 > copy b\.js:3\n/);
    const ours = node('(root)', 0, node('(anonymous) sidescope:memory:1', 800));
    expect(summarizeHeapSampling(parseHeapProfile(fileOf(ours))).stacks).toEqual([]);
  });

  it.each([
    ['nothing was sampled', node('(root)', 0)],
    [
      'only our own evaluation and the root allocated',
      node('(root)', 900, node('(anonymous) sidescope:memory:1', 800)),
    ],
  ])('has no top site when %s', (_, head) => {
    expect(heapSamplingFacts(parseHeapProfile(fileOf(head))).topSite).toBe(null);
  });

  it('may be as deep as it likes', () => {
    let head = node('leaf', 1);
    for (let depth = 0; depth < 5_000; depth++) head = node('caller', 0, head);
    expect(parseHeapProfile(fileOf(head)).parents).toHaveLength(5_001);
  });

  it.each<[string, unknown, RegExp]>([
    ['null', null, /the profile must be an object, is null/],
    ['a list', [], /the profile must be an object/],
    ['no head', {}, /head must be an object, is missing/],
    ['samples that are no list', fileOf(node('(root)', 0), 5), /samples must be a list, is 5/],
    ['no children', fileOf({ ...node('a', 1), children: undefined }), /head\.children must be a list, is missing/],
    ['a negative size', fileOf(node('(root)', 0, node('a', -1))), /node 1\.selfSize must be a size, is -1/],
    ['a size that is text', fileOf({ ...node('a', 1), selfSize: '1' }), /selfSize must be a size, is string/],
    ['no frame', fileOf({ ...node('a', 1), callFrame: null }), /head\.callFrame must be an object, is null/],
    ['a line that is half', fileOf(node('a b.js:1.5', 1)), /lineNumber must be a whole number, is 0\.5/],
    ['a CPU profile', { nodes: [], startTime: 1, endTime: 2 }, /head must be an object, is missing/],
  ])('is refused when it is %s', (_, file, message) => {
    expect(() => parseHeapProfileBytes(bytesOf(file))).toThrow(
      expect.objectContaining({ code: 'unreadable-profile', message: expect.stringMatching(message) as string }),
    );
  });

  it('is refused wherever it is cut', () => {
    const bytes = bytesOf(tree());
    for (let length = 0; length < bytes.length; length++) {
      expect(() => parseHeapProfileBytes(bytes.subarray(0, length))).toThrow(
        expect.objectContaining({ code: 'unreadable-profile' }),
      );
    }
  });

  it('is refused when it is over a bound', () => {
    const children = Array.from({ length: 500_000 }, () => node('a', 1));
    expect(() => parseHeapProfile(fileOf(node('(root)', 0, ...children.slice(0, 100_000))))).not.toThrow();
    const wide = { ...node('(root)', 0), children };
    expect(() => parseHeapProfile(fileOf(wide))).toThrow(expect.objectContaining({ code: 'analysis-limit' }));
    expect(() => parseHeapProfileBytes(new Uint8Array(64 * 1024 * 1024 + 1))).toThrow(
      expect.objectContaining({ code: 'analysis-limit' }),
    );
  });
});
