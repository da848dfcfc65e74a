import { expect, it } from 'vitest';
import { encodeHeapPprof } from '../../protocol/heap-sampling/pprof.ts';
import { parseHeapProfile } from '../../protocol/heap-sampling/parse.ts';
import { allocationSites } from '../../protocol/heap-sampling/sites.ts';

const frame = (functionName: string, url: string, line: number) => ({
  functionName,
  url,
  scriptId: '7',
  lineNumber: line - 1,
  columnNumber: 0,
});
const node = (callFrame: object, selfSize: number, children: object[] = []) => ({ callFrame, selfSize, children });
const root = { functionName: '(root)', url: '', scriptId: '0', lineNumber: -1, columnNumber: -1 };

const profile = parseHeapProfile({
  head: node(root, 0, [
    node(frame('main', '/app/main.js', 1), 100, [
      node(frame('addListener', 'node:events', 5), 3_000),
      node(frame('set', '/app/node_modules/lru/index.js', 9), 50_000),
      node(frame('', 'sidescope:vitals', 1), 9_000),
    ]),
  ]),
  samples: [],
});

it('writes functions, places and bytes as pprof has them', () => {
  const text = new TextDecoder('latin1').decode(encodeHeapPprof(profile));
  for (const part of ['space', 'bytes', 'main', '/app/main.js', 'addListener', 'set']) expect(text).toContain(part);
});

it("credits Node's own allocations to their caller, names who called a package, and leaves out our own", () => {
  const { liveBytes, sites } = allocationSites(profile, { sitesMax: 10 });
  expect(liveBytes).toBe(53_100);
  expect(
    sites.map(({ frame: { functionName }, caller, bytes }) => [functionName, caller?.functionName ?? null, bytes]),
  ).toEqual([
    ['set', 'main', 50_000],
    ['main', null, 3_100],
  ]);
});
