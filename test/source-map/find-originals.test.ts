import { readFileSync } from 'node:fs';
import { FlattenMap, TraceMap, originalPositionFor } from '@jridgewell/trace-mapping';
import { describe, expect, test } from 'vitest';
import { isSidescopeError } from '../../protocol/error.ts';
import { countGeneratedLines, findOriginals } from '../../protocol/source-map/find-originals.ts';
import type { GeneratedPlace } from '../../protocol/source-map/find-originals.ts';
import { parseSourceMap, sourceMapBytesMax } from '../../protocol/source-map/parse.ts';
import { bytesOf, encodeMappings, seeded, type Segment } from './maps.ts';

interface RawMap {
  version: 3;
  mappings: string;
  sources: string[];
  names: string[];
  sourceRoot?: string;
}

/** `source:line:column` of each place; null where the map knows nothing. */
function ours(bytes: Uint8Array, places: readonly GeneratedPlace[]): (string | null)[] {
  const found = findOriginals(parseSourceMap(bytes), { places, lines: [], textOfLine: () => undefined });
  return found.places.map((place) => (place === undefined ? null : `${place.source}:${place.line}:${place.column}`));
}

function theirs(map: TraceMap, places: readonly GeneratedPlace[]): (string | null)[] {
  return places.map(({ line, column }) => {
    const found = originalPositionFor(map, { line, column: column - 1 });
    return found.source === null ? null : `${found.source}:${found.line}:${found.column + 1}`;
  });
}

function randomMap(random: (below: number) => number): RawMap {
  const whole = (below: number): number => Math.floor(random(below));
  const lines = Array.from({ length: 1 + whole(12) }, () => {
    let column = 0;
    return Array.from({ length: whole(9) }, (): Segment => {
      column += 1 + whole(40);
      const place = [column, whole(3), whole(200), whole(90)] as const;
      return random(1) < 0.2 ? [column] : random(1) < 0.5 ? place : [...place, whole(4)];
    });
  });
  const sources = ['a.ts', 'lib/b.ts', '../c.ts'];
  return { version: 3, mappings: encodeMappings(lines), sources, names: ['one', 'two', 'three', 'four'] };
}

function everyPlace(lines: number, columns: number): GeneratedPlace[] {
  return Array.from({ length: lines * columns }, (_, index) => ({
    line: 1 + Math.floor(index / columns),
    column: 1 + (index % columns),
    functionName: '',
  }));
}

describe('places', () => {
  test('are those of @jridgewell/trace-mapping, on random maps', () => {
    const random = seeded(1);
    const places = everyPlace(13, 120);
    for (let round = 0; round < 60; round++) {
      const map = randomMap(random);
      expect(ours(bytesOf(map), places), JSON.stringify(map)).toEqual(theirs(new TraceMap(map), places));
    }
  });

  test('are those of @jridgewell/trace-mapping, on random maps with sections', () => {
    const random = seeded(2);
    const places = everyPlace(30, 120);
    for (let round = 0; round < 30; round++) {
      let line = 0;
      const sections = Array.from({ length: 1 + Math.floor(random(4)) }, () => {
        const column = Math.floor(random(60));
        const section = { offset: { line, column }, map: randomMap(random) };
        line += 1 + Math.floor(random(6));
        return section;
      });
      const map = { version: 3 as const, sections };
      expect(ours(bytesOf(map), places), JSON.stringify(map)).toEqual(theirs(new FlattenMap(map), places));
    }
  });

  test.each([
    '@electric-sql/pglite/dist/index.cjs.map',
    '@electric-sql/pglite-socket/dist/index.js.map',
    '@opentelemetry/semantic-conventions/dist/experimental_attributes.mjs.map',
  ])('are those of @jridgewell/trace-mapping in %s', (file) => {
    const text = readFileSync(new URL(`../../node_modules/${file}`, import.meta.url), 'utf8');
    const random = seeded(3);
    const places = Array.from({ length: 3_000 }, () => ({
      line: 1 + Math.floor(random(40)),
      column: 1 + Math.floor(random(20_000)),
      functionName: '',
    }));
    expect(ours(bytesOf(text), places)).toEqual(theirs(new TraceMap(text), places));
  });

  test('of lines whose segments go back and forth are found all the same', () => {
    const line: Segment[] = [
      [30, 0, 3, 0],
      [10, 0, 1, 0],
      [20, 0, 2, 0],
      [0, 0, 0, 0],
    ];
    const map = { version: 3 as const, mappings: encodeMappings([line]), sources: ['a'], names: [] };
    const places = everyPlace(1, 40);
    expect(ours(bytesOf(map), places)).toEqual(theirs(new TraceMap(map), places));
  });

  test.each([
    ['a source root', { sourceRoot: '/srv/app' }, '/srv/app/a.ts:1:1'],
    ['a source root that ends in a slash', { sourceRoot: 'x/' }, 'x/a.ts:1:1'],
    ['a name of a source with escapes', { sources: ['ä\n".ts'] }, 'ä\n".ts:1:1'],
    ['a source nobody named', { sources: [null] }, null],
    ['a source that is not there', { mappings: 'AEAA' }, null],
    ['text from nowhere', { mappings: 'A' }, null],
  ])('with %s', (_, changes, expected) => {
    const map = { version: 3, mappings: 'AAAA', sources: ['a.ts'], names: [], ...changes };
    expect(ours(bytesOf(map), [{ line: 1, column: 5, functionName: '' }])).toEqual([expected]);
  });
});

describe('lines', () => {
  const found = (segments: Segment[], sources = ['a.ts', 'b.ts']): unknown => {
    const map = parseSourceMap(bytesOf({ version: 3, mappings: encodeMappings([[], segments]), sources, names: [] }));
    return findOriginals(map, { places: [], lines: [2], textOfLine: () => undefined }).lines[0];
  };

  test('come from where their first text comes from', () => {
    expect(
      found([
        [4, 0, 10, 2],
        [9, 0, 10, 30],
        [12, 0, 11, 0],
      ]),
    ).toEqual({ source: 'a.ts', line: 11 });
  });

  test.each([
    ['without a mapping', []],
    [
      'of two sources',
      [
        [4, 0, 10, 2],
        [9, 1, 10, 30],
      ],
    ],
    [
      'of many lines, as minified ones are',
      [
        [4, 0, 10, 2],
        [9, 0, 200, 30],
      ],
    ],
  ] as [string, Segment[]][])('%s are not known', (_, segments) => {
    expect(found(segments)).toBeUndefined();
  });
});

describe('names', () => {
  /** The name found for a function called `name` at `place`, a column of `text`; the map names each `[token, original]` at its first place. */
  const nameOf = (
    text: string,
    options: { name: string; place: string; named: [string, string][] },
  ): string | undefined => {
    const { name, place, named } = options;
    const columns = named.map(([token]) => text.indexOf(token));
    const begin: Segment = [0, 0, 0, 0];
    const segments = [begin, ...columns.map((column, index): Segment => [column, 0, 0, column, index])];
    segments.sort((a, b) => a[0] - b[0]);
    const map = {
      version: 3,
      mappings: encodeMappings([segments]),
      sources: ['a.ts'],
      names: named.map(([, original]) => original),
    };
    const places = [{ line: 1, column: text.indexOf(place) + 1, functionName: name }];
    return findOriginals(parseSourceMap(bytesOf(map)), { places, lines: [], textOfLine: () => text }).places[0]
      ?.functionName;
  };

  test.each([
    [
      'function n(e,t){}',
      {
        name: 'n',
        place: '(e',
        named: [
          ['n(e', 'total'],
          ['e,', 'order'],
        ],
      },
      'total',
    ],
    [
      'function n(e,t){}',
      {
        name: 'n',
        place: 'function',
        named: [
          ['n(e', 'total'],
          ['e,', 'order'],
        ],
      },
      'total',
    ],
    ['async function*n(e){}', { name: 'n', place: 'async', named: [['n(e', 'total']] }, 'total'],
    [
      'const n=e=>e',
      {
        name: 'n',
        place: 'e=>',
        named: [
          ['n=', 'total'],
          ['e=>', 'order'],
        ],
      },
      'total',
    ],
    [
      'const n=n=>n',
      {
        name: 'n',
        place: 'n=>',
        named: [
          ['n=n', 'total'],
          ['n=>', 'order'],
        ],
      },
      'total',
    ],
    ['n=async(e)=>{}', { name: 'n', place: 'async', named: [['n=', 'total']] }, 'total'],
    ['a={n:function(e){}}', { name: 'a.n', place: '(e', named: [['n:', 'total']] }, 'total'],
    ['class n{constructor(e){}}', { name: 'n', place: '(e', named: [['n{', 'Order']] }, 'Order'],
    ['class n extends m{a=1;constructor(e){}}', { name: 'n', place: '(e', named: [['n ext', 'Order']] }, 'Order'],
    ['[1].map(e=>e)', { name: '', place: 'e=>', named: [['e=>', 'order']] }, undefined],
    ['n(1);x=function(e){}', { name: 'n', place: '(e', named: [['n(1', 'other']] }, undefined],
    ['nn=1;function n(e){}', { name: 'n', place: '(e', named: [['nn', 'other']] }, undefined],
    ['function n(e){}', { name: 'n', place: '(e', named: [] }, undefined],
  ] as [string, { name: string; place: string; named: [string, string][] }, string | undefined][])(
    'in %s',
    (text, options, expected) => expect(nameOf(text, options)).toBe(expected),
  );
});

describe('what is no source map', () => {
  const good = '{"version":3,"names":["x"],"sources":["a"],"mappings":"AAAA;CAACA","sourcesContent":["a\\"]}b"]}';

  test.each([
    ['', 'expected { at byte 0'],
    ['[]', 'expected { at byte 0'],
    ['{}', '`version` is not 3 at byte 0'],
    ['{"version":2,"mappings":""}', '`version` is not 3 at byte 11'],
    ['{"version":3}', 'no `mappings` in the object at byte 0'],
    ['{"version":3,"mappings":7}', '`mappings` is no text at byte 24'],
    ['{"version":3,"mappings":"AA!A"}', 'expected a base64 digit in `mappings` at byte 27'],
    ['{"version":3,"mappings":"AAA"}', 'a segment of 3 numbers at byte 25'],
    ['{"version":3,"mappings":"AAAAAA"}', 'a segment of more than 5 numbers at byte 25'],
    ['{"version":3,"mappings":"AAAg"}', 'expected a base64 digit in `mappings` at byte 29'],
    ['{"version":3,"mappings":"ggggggggE"}', 'a number over 32 bits at byte 25'],
    ['{"version":3,"mappings":"D"}', 'a negative column at byte 25'],
    ['{"version":3,"mappings":"AADA"}', 'a negative place at byte 25'],
    ['{"version":3,"mappings":"","sources":"a"}', 'expected a list of texts at byte 37'],
    ['{"version":3,"mappings":"","sources":[1]}', 'expected a list of texts at byte 37'],
    ['{"version":3,"mappings":""}x', 'something after the end at byte 27'],
    ['{"version":3,"mappings":"', 'a text without end at byte 24'],
    ['{"version":3,"sections":[{"offset":{"line":0,"column":0}}]}', 'a section without `map` at byte 25'],
  ])('%s', (text, message) => {
    const bytes = bytesOf(text);
    const places = everyPlace(3, 3);
    const read = (): unknown =>
      findOriginals(parseSourceMap(bytes), { places, lines: [], textOfLine: () => undefined });
    expect(read).toThrow(
      expect.objectContaining({ code: 'unreadable-source-map', message: `not a source map: ${message}` }),
    );
  });

  test('cut anywhere, or with any byte changed, is an error of ours or a map', () => {
    const places = everyPlace(3, 5);
    const whole = bytesOf(good);
    const tryReading = (bytes: Uint8Array, what: string): void => {
      try {
        findOriginals(parseSourceMap(bytes), { places, lines: [1, 2], textOfLine: () => 'text' });
      } catch (error) {
        expect(isSidescopeError(error, 'unreadable-source-map'), `${what}: ${String(error)}`).toBe(true);
      }
    };
    for (let end = 0; end < whole.length; end++) {
      expect(() => parseSourceMap(whole.subarray(0, end))).toThrow(/not a source map/);
      for (const byte of [0, 0x22, 0x5c, 0x7d, 0x5d, 0x2c, 0x67, 0xff]) {
        tryReading(whole.with(end, byte), `byte ${byte} at ${end}`);
      }
    }
    expect(ours(whole, [{ line: 2, column: 2, functionName: '' }])).toEqual(['a:1:2']);
  });

  test('over the bound is refused before it is read', () => {
    expect(() => parseSourceMap(new Uint8Array(sourceMapBytesMax + 1))).toThrow(
      expect.objectContaining({ code: 'analysis-limit' }),
    );
  });
});

test('a byte order mark, and what keeps JSON from running as a script, are skipped', () => {
  const text = '{"version":"3","mappings":"AAAA","sources":["a"]}';
  const place = [{ line: 1, column: 1, functionName: '' }];
  for (const prefix of ['\ufeff', ")]}'\n", ")]}'some\r\n"])
    expect(ours(bytesOf(prefix + text), place)).toEqual(['a:1:1']);
});

test.each([
  ['', 0],
  ['AAAA', 1],
  ['AAAA;;;', 1],
  [';;A;', 3],
])('mappings %j speak of %i generated lines', (mappings, lines) => {
  expect(countGeneratedLines(parseSourceMap(bytesOf({ version: 3, mappings })))).toBe(lines);
});
