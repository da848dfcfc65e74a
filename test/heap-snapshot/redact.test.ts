import { describe, expect, test } from 'vitest';
import { analyseHeap } from '../../protocol/heap-snapshot/analyse.ts';
import { isSidescopeError } from '../../protocol/error.ts';
import { isDataKey } from '../../protocol/heap-snapshot/redact-text.ts';
import { SnapshotRedactor } from '../../protocol/heap-snapshot/redact.ts';
import { retainersOfClass } from '../../protocol/heap-snapshot/retainer-groups.ts';
import { readSnapshot, snapshotJson } from './snapshots.ts';
import type { SnapshotFile } from './snapshots.ts';
import { takeSnapshots } from './take.ts';

function redact(bytes: Uint8Array, { salt = 'salt', chunkBytes = 1_000_003 } = {}) {
  const parts: Uint8Array[] = [];
  const redactor = new SnapshotRedactor({ salt: new TextEncoder().encode(salt), write: (part) => parts.push(part) });
  for (let at = 0; at < bytes.length; at += chunkBytes) {
    // A buffer that is filled anew, as a reader of files has it.
    const chunk = Buffer.from(bytes.subarray(at, at + chunkBytes));
    redactor.push(chunk);
    chunk.fill(0x7e);
  }
  const counts = redactor.finish();
  return { bytes: Buffer.concat(parts), counts };
}

const parse = (bytes: Uint8Array): SnapshotFile => JSON.parse(new TextDecoder().decode(bytes)) as SnapshotFile;

describe.each([18, 22, 26])('a snapshot of Node %i with 1,000 secret contents and 100 secret keys', (node) => {
  const word = 'CANARYcanary';
  let plain: Buffer;
  let redacted: Buffer;

  test('has none of them when it is redacted', async () => {
    [plain = Buffer.alloc(0)] = await takeSnapshots('secrets', { node, args: [word] });
    expect(countOf(plain, word)).toBeGreaterThan(1_000);
    const { bytes, counts } = redact(plain);
    redacted = bytes;
    expect(countOf(redacted, word)).toBe(0);
    expect(countOf(redacted, word.toLowerCase())).toBe(0);
    expect(redacted.includes('12345678901234567890')).toBe(false);
    expect(counts.replacedContents).toBeGreaterThan(1_000);
    expect(counts.replacedKeys).toBeGreaterThan(100);
  });

  test('is otherwise the same: graph, ids, sizes, and the length of every string', () => {
    const [before, after] = [parse(plain), parse(redacted)];
    expect(after.strings.length).toBe(before.strings.length);
    expect(
      after.strings.flatMap((text, index) => (text.length === before.strings[index]!.length ? [] : [index])),
    ).toEqual([]);
    const head = (bytes: Buffer): Buffer => bytes.subarray(0, bytes.indexOf('"strings":'));
    expect(head(redacted).equals(head(plain))).toBe(true);
  });

  test('still names classes, fields, functions and files', () => {
    const [before, after] = [plain, redacted].map((bytes) => analyseHeap(readSnapshot(bytes)));
    expect(after!.histogram).toEqual(before!.histogram);
    expect(retainersOfClass(after!, 'Account')?.groups.map(({ path, count }) => [path, count])).toEqual([
      ['global.held.accounts[]', 200],
    ]);
    const { strings } = parse(redacted);
    for (const label of ['Account', 'ownerName', 'twoByte', 'node:internal/util/inspect', 'setTimeout', 'prototype']) {
      expect(strings).toContain(label);
    }
  });

  test('hides equal contents behind equal ones under one salt, and behind others under another', () => {
    const again = redact(plain).bytes;
    expect(again.equals(redacted)).toBe(true);
    const other = parse(redact(plain, { salt: 'other' }).bytes);
    const [before, after] = [parse(plain), parse(redacted)];
    const secrets = [...before.strings.keys()].filter((index) => before.strings[index]!.includes(word));
    expect(secrets.filter((index) => other.strings[index] === after.strings[index])).toEqual([]);
    expect(new Set(secrets.map((index) => after.strings[index])).size).toBe(secrets.length);
  });
});

test('the result does not depend on how the bytes are cut', () => {
  const bytes = new TextEncoder().encode(
    snapshotJson([
      {
        type: 'synthetic',
        name: 'root',
        edges: [
          [1, 'user'],
          [2, 'user-4711-x'],
        ],
      },
      { name: 'User', edges: [[2, 'name']] },
      { type: 'string', name: 'Ada "€😀" \u0001 Lovelace' },
    ]),
  );
  const whole = redact(bytes);
  for (const chunkBytes of [1, 2, 3, 5, 17]) expect(redact(bytes, { chunkBytes }).bytes.equals(whole.bytes)).toBe(true);
  const { strings } = parse(whole.bytes);
  expect(strings.slice(0, 4)).toEqual(['<dummy>', 'root', 'user', expect.stringMatching(/^[a-z]{11}$/)]);
  expect(strings.slice(4)).toEqual(['User', 'name', expect.stringMatching(/^[a-z]{20}$/)]);
  expect(whole.counts).toEqual({ strings: 7, replacedContents: 1, replacedKeys: 1 });
});

test('keys of a dictionary are data although they are plain words; those of many objects, and of small ones, are not', () => {
  const people = [
    'alice',
    'bob',
    'carol',
    'dave',
    'erin',
    'frank',
    'grace',
    'heidi',
    'ivan',
    'judy',
    'mallory',
    'niaj',
    'olivia',
    'peggy',
    'rupert',
    'sybil',
    'trent',
  ];
  const bytes = new TextEncoder().encode(
    snapshotJson([
      {
        type: 'synthetic',
        name: '',
        edges: [
          [1, 'config'],
          [2, 'people'],
        ],
      },
      {
        name: 'Config',
        edges: [
          [3, 'host'],
          [3, 'port'],
        ],
      },
      { name: 'Object', edges: people.map((name) => [3, name] as const) },
      { name: 'Person', edges: [[4, 'address']] },
      { name: 'Address' },
    ]),
  );
  const { strings } = parse(redact(bytes).bytes);
  for (const label of ['config', 'people', 'host', 'port', 'address']) expect(strings).toContain(label);
  expect(strings.filter((text) => people.includes(text))).toEqual([]);
});

test.for<[string, boolean]>([
  ['userId', false],
  ['content-type', false],
  ['utf16le', false],
  ['readBigUInt64LE', false],
  ['sha256', false],
  ['<symbol Symbol.iterator>', false],
  ['#private', false],
  ['node:fs/promises', false],
  ['ERR_HTTP2_STREAM_ERROR', false],
  ['get size', false],
  ['$el', false],
  ['x509', false],
  ['user-17', true],
  ['a@example.org', true],
  ['+49301234567', true],
  ['550e8400-e29b-41d4-a716-446655440000', true],
  ['cus_NffrFeUfNV2Hib', true],
  ['d41d8cd98f00b204e9800998ecf8427e', true],
  ['4711', true],
  ['session1234', true],
  ['John Smith', true],
  ['order 66', true],
  ['a?b=c', true],
  ['x'.repeat(60), true],
])('is %s data? %s', ([key, expected]) => {
  expect(isDataKey(key)).toBe(expected);
});

test.for([0.1, 0.5, 0.9, 0.999])('a file cut at %d of its length is refused at the end', (share) => {
  const bytes = new TextEncoder().encode(snapshotJson([{ type: 'synthetic', name: '' }]));
  let problem: unknown;
  try {
    redact(bytes.subarray(0, Math.floor(bytes.length * share)));
  } catch (error) {
    problem = error;
  }
  expect(isSidescopeError(problem, 'unreadable-profile')).toBe(true);
});

function countOf(bytes: Buffer, word: string): number {
  let count = 0;
  for (let at = bytes.indexOf(word); at !== -1; at = bytes.indexOf(word, at + 1)) count++;
  return count;
}
