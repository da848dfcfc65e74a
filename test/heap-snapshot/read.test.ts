import { describe, expect, test } from 'vitest';
import { isSidescopeError } from '../../protocol/error.ts';
import type { ProblemCode } from '../../protocol/rest/problem.ts';
import { nodeNameOf, selfSizeOf } from '../../protocol/heap-snapshot/graph.ts';
import { SnapshotReader } from '../../protocol/heap-snapshot/read.ts';
import { analyseHeap } from '../../protocol/heap-snapshot/analyse.ts';
import { readSnapshot, snapshotJson } from './snapshots.ts';
import type { SnapshotFile } from './snapshots.ts';

const sketch = [
  { type: 'synthetic' as const, name: '', edges: [[1, 1] as const] },
  { name: 'Session', edges: [[2, 'user'] as const] },
  { type: 'string' as const, name: 'Ada' },
];

function problemOf(bytes: string | Uint8Array): { code: ProblemCode; message: string } | undefined {
  try {
    readSnapshot(bytes);
    return undefined;
  } catch (error) {
    if (isSidescopeError(error)) return { code: error.code, message: error.message };
    throw error;
  }
}

test('nodes, edges and names are read, however the bytes are cut', () => {
  const text = snapshotJson(sketch);
  for (const chunkBytes of [1, 2, 3, 7, 100, 100_000]) {
    const graph = readSnapshot(text, chunkBytes);
    expect([graph.nodeCount, graph.edgeCount]).toEqual([3, 2]);
    expect([0, 1, 2].map((node) => nodeNameOf(graph, node))).toEqual(['', 'Session', 'Ada']);
    expect([...graph.edgeTargets]).toEqual([1, 2]);
  }
});

test('fields are found by their names: more of them, another order, unknown sections', () => {
  const text = snapshotJson(sketch, (file) => {
    file.snapshot.meta['node_fields'] = ['new', 'id', 'name', 'type', 'edge_count', 'self_size'];
    file.snapshot.meta['node_types'] = [
      'number',
      'number',
      'string',
      (file.snapshot.meta['node_types'] as unknown[])[0],
    ];
    const nodes = file.nodes;
    file.nodes = [];
    for (let at = 0; at < nodes.length; at += 6) {
      const [type = 0, name = 0, id = 0, size = 0, edges = 0] = nodes.slice(at);
      file.nodes.push(77, id, name, type, edges, size);
    }
    file['later'] = { deep: [[{ '"]}': '\\"' }], 'x'], n: -1.5e3 };
    file['flag'] = true;
  });
  const graph = readSnapshot(text, 13);
  expect([0, 1, 2].map((node) => nodeNameOf(graph, node))).toEqual(['', 'Session', 'Ada']);
});

test('white space and an object of more than 4 GiB are read', () => {
  const text = snapshotJson(sketch, (file) => (file.nodes[3] = 6e9));
  const graph = readSnapshot(JSON.stringify(JSON.parse(text), undefined, 2), 11);
  expect(selfSizeOf(graph, 0)).toBe(6e9);
  expect(analyseHeap(graph).dominated.retainedSizes[0]).toBe(6e9 + 32);
});

test('a string table with every escape, cut at every byte, gives what JSON.parse gives', () => {
  const names = ['\b\f\n\r\t"\\/', '\u0000\u001f\u007f', 'ä€😀', '\ud800', '', ' "', '\\\\', '\\"'];
  const text = snapshotJson([{ type: 'synthetic', name: 'root' }, ...names.map((name) => ({ name }))]).replace(
    '"ä€😀"',
    '"\\u00e4\\u20AC\\ud83d\\uDE00\\/"',
  );
  for (const chunkBytes of [1, 2, 5]) {
    const graph = readSnapshot(text, chunkBytes);
    expect(names.map((_, index) => nodeNameOf(graph, index + 1))).toEqual(names.with(2, 'ä€😀/'));
  }
});

test('of a long string its beginning is kept, cut at a whole character', () => {
  for (const unit of ['x', 'é', '€', '😀', '\n', '\u0001']) {
    const graph = readSnapshot(snapshotJson([{ name: `a${unit.repeat(2_000)}` }, { name: `ab${unit.repeat(2_000)}` }]));
    for (const node of [0, 1]) {
      const text = nodeNameOf(graph, node);
      expect(text).toMatch(/…$/);
      expect(`ab${unit.repeat(2_000)}`.slice(1 - node)).toContain(text.slice(node === 0 ? 1 : 0, -1));
      expect(text.length).toBeGreaterThan(40);
    }
  }
});

describe('bad input has a stable code and says what is wrong', () => {
  const whole = snapshotJson(sketch);
  const changed = (change: (file: SnapshotFile) => void): string => snapshotJson(sketch, change);
  test.for<[string, string | Uint8Array, RegExp]>([
    ['an empty file', '', /it is empty/],
    ['other JSON', '{"nodes":[{"id":1}],"samples":[]}', /"nodes" stands before "snapshot"/],
    ['a list', '[1,2]', /expected "\{" at byte 0/],
    ['an empty object', '{}', /snapshot, nodes, edges, strings missing/],
    ['text', 'hello', /at byte 0/],
    ['bytes', Uint8Array.from({ length: 5_000 }, (_, index) => (index * 7) & 255), /at byte 0/],
    ['no meta', '{"snapshot":{"node_count":1},"nodes":[]}', /snapshot\.meta must be an object/],
    ['fewer nodes than claimed', changed((file) => file.snapshot.node_count++), /claims 4 nodes, there are 3/],
    ['more nodes than claimed', changed((file) => file.snapshot.node_count--), /more nodes than the 2 of its header/],
    ['fewer edges than claimed', changed((file) => file.snapshot.edge_count++), /claims 3 edges, there are 2/],
    ['more edges than claimed', changed((file) => file.snapshot.edge_count--), /claim more than the 1 edges/],
    ['edges that no node has', changed((file) => (file.nodes[4] = 0)), /its nodes claim 1 edges, there are 2/],
    ['a node of an unknown type', changed((file) => (file.nodes[0] = 99)), /node 0 has the type 99 of 9/],
    ['an edge of an unknown type', changed((file) => (file.edges[0] = 7)), /edge 0 has the type 7 of 7/],
    ['an edge to nowhere', changed((file) => (file.edges[2] = 600)), /edge 0 leads to 600/],
    ['an edge into a node', changed((file) => (file.edges[2] = 7)), /edge 0 leads to 7/],
    ['a name that is not there', changed((file) => (file.nodes[1] = 50)), /string 50 is named, there are 5/],
    ['a record cut short', changed((file) => file.nodes.pop()), /ends within a record of 6 numbers/],
    ['a negative size', changed((file) => (file.nodes[3] = -1)), /node 0 has the name 1, id 1, size -1/],
    ['a fraction', whole.replace('"edges":[1,', '"edges":[1.5,'), /expected a whole number at byte/],
    ['a number that is none', whole.replace('"edges":[1,', '"edges":[null,'), /expected a whole number at byte/],
    ['two numbers without comma', whole.replace('"edges":[1,', '"edges":[1 1,'), /expected a comma at byte/],
    ['a number of 16 digits', whole.replace('"edges":[1,', '"edges":[1000000000000000,'), /expected a whole number/],
    ['nodes that are no list', whole.replace('"nodes":[', '"nodes":{'), /expected a list of numbers at byte/],
    ['a section twice', whole.replace('"samples":[]', '"edges":[]'), /"edges" is there twice/],
    ['edges before nodes', whole.replace('"nodes":', '"other":'), /"edges" stands before "nodes"/],
    ['a bad escape', whole.replace('"Session"', '"\\x"'), /expected an escape sequence of JSON at byte/],
    ['a bad hex digit', whole.replace('"Session"', '"\\u00g0"'), /expected four hex digits at byte/],
    ['a line end in a string', whole.replace('"Session"', '"a\nb"'), /no control character in a string/],
    ['a number among strings', whole.replace('"Session"', '7'), /expected a string at byte/],
    ['something behind the end', `${whole}{`, /expected the end at byte/],
    ['no nodes', snapshotJson([]), /it has no nodes/],
    [
      'field names that are none',
      changed((file) => (file.snapshot.meta['node_fields'] = [1])),
      /node_fields holds a number/,
    ],
    [
      'missing fields',
      changed((file) => (file.snapshot.meta['edge_fields'] = ['type'])),
      /lacks name_or_index, to_node/,
    ],
    ['no types', changed((file) => (file.snapshot.meta['edge_types'] = [])), /edge_types has no list of types/],
    ['a count that is none', whole.replace('"node_count":3', '"node_count":-3'), /node_count must be a count, is -3/],
    ['a header that is no JSON', whole.replace('"node_count":3', '"node_count":00'), /"snapshot" is no JSON value/],
  ])('%s', ([, bytes, message]) => {
    const problem = problemOf(bytes);
    expect(problem?.code).toBe('unreadable-profile');
    expect(problem?.message).toMatch(message);
  });

  test('2^31 edges claimed are refused before anything is allocated', () => {
    expect(problemOf(changed((file) => (file.snapshot.edge_count = 2 ** 31)))).toEqual({
      code: 'analysis-limit',
      message: `the snapshot claims 2147483648 as edge_count, the limit is ${2 ** 30}`,
    });
  });

  test('a claim within the bounds, but beyond the size of the file, is refused at once', () => {
    expect(problemOf(changed((file) => (file.snapshot.edge_count = 2 ** 29)))?.message).toMatch(
      /claims 3 nodes and 536870912 edges, more than \d+ B hold/,
    );
  });

  test('cut at every byte it is unreadable, and says where it ends', () => {
    const bytes = new TextEncoder().encode(whole);
    for (let length = 1; length < bytes.length; length++) {
      expect(problemOf(bytes.subarray(0, length))).toEqual({
        code: 'unreadable-profile',
        message: expect.stringContaining(`it ends at byte ${length}`) as string,
      });
    }
  });

  test('changed at any byte it is read or refused with a code, and what is read can be analysed', () => {
    const bytes = new TextEncoder().encode(whole);
    for (let at = 0; at < bytes.length; at++) {
      for (const byte of [0x30, 0x22, 0x5d, 0x2c, 0x80]) {
        const damaged = bytes.slice();
        damaged[at] = byte;
        const problem = problemOf(damaged);
        if (problem === undefined) analyseHeap(readSnapshot(damaged));
        else expect(['unreadable-profile', 'analysis-limit']).toContain(problem.code);
      }
    }
  });

  test('cyclic nonsense is analysed like anything else', () => {
    const graph = readSnapshot(
      snapshotJson([
        { name: 'A', edges: [[0], [1], [1]] },
        { name: 'B', edges: [[0], [1], [2]] },
        { name: 'C', edges: [[3]] },
        { name: 'D', edges: [[2], [0]] },
      ]),
    );
    expect([...analyseHeap(graph).dominated.dominators]).toEqual([0, 0, 1, 2]);
  });
});

test('the reader tells how far it is', () => {
  const reader = new SnapshotReader();
  const bytes = new TextEncoder().encode(snapshotJson(sketch));
  reader.push(bytes.subarray(0, 100));
  expect(reader.bytesRead).toBe(100);
  reader.push(bytes.subarray(100));
  reader.finish();
  expect(reader.bytesRead).toBe(bytes.length);
});
