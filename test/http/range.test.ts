import { describe, expect, test } from 'vitest';
import { acceptsGzip, allowsRange, isNoneMatch, parseRange } from '../../agent/http/range.ts';

describe('a Range of 100 bytes', () => {
  test.each([
    [null, undefined],
    ['bytes=0-0', [0, 1]],
    ['bytes=0-99', [0, 100]],
    ['bytes=10-19', [10, 20]],
    ['bytes=90-', [90, 100]],
    ['bytes=90-1000', [90, 100]],
    ['bytes=-1', [99, 100]],
    ['bytes=-1000', [0, 100]],
    ['Bytes=5-6', [5, 7]],
    ['bytes= 5-6 ', [5, 7]],
    ['bytes=100-', 'unsatisfiable'],
    ['bytes=100-200', 'unsatisfiable'],
    ['bytes=-0', 'unsatisfiable'],
    ['bytes=20-10', undefined],
    ['bytes=-', undefined],
    ['bytes=', undefined],
    ['bytes=a-b', undefined],
    ['bytes=1-2,5-6', undefined],
    ['bytes=0x1-2', undefined],
    ['bytes=1.5-2', undefined],
    ['bytes=--1', undefined],
    ['lines=1-2', undefined],
    ['bytes 1-2', undefined],
    ['bytes=9999999999999999-', undefined],
  ])('%s', (header, expected) => {
    const range = parseRange(header, 100);
    expect(typeof range === 'object' ? [range.start, range.end] : range).toEqual(expected);
  });

  test('of nothing can only be unsatisfiable', () => {
    expect(parseRange('bytes=0-', 0)).toBe('unsatisfiable');
    expect(parseRange('bytes=-5', 0)).toBe('unsatisfiable');
    expect(parseRange(null, 0)).toBeUndefined();
  });
});

test('If-Range lets a range stand for the same strong tag only', () => {
  expect(allowsRange(null, '"a"')).toBe(true);
  expect(allowsRange('"a"', '"a"')).toBe(true);
  expect(allowsRange('"b"', '"a"')).toBe(false);
  expect(allowsRange('W/"a"', '"a"')).toBe(false);
  expect(allowsRange('Sat, 31 Jan 2026 12:00:00 GMT', '"a"')).toBe(false);
});

test('If-None-Match takes lists, weak tags and the star', () => {
  const matches = (header: string | null) => !isNoneMatch(header, '"a"');
  expect(['"a"', 'W/"a"', '"x", "a"', '*'].map(matches)).toEqual([true, true, true, true]);
  expect([null, '"b"', 'a', ''].map(matches)).toEqual([false, false, false, false]);
});

test('gzip is accepted by name or star, with any weight but 0', () => {
  expect(['gzip', 'GZIP', 'br, gzip;q=0.1', '*', 'x-gzip', 'br;q=1, *;q=0.5'].map(acceptsGzip)).toEqual(
    Array(6).fill(true),
  );
  expect([null, '', 'br', 'gzip;q=0', 'identity', '*;q=0', 'gzip;q=0, *', 'gzipped'].map(acceptsGzip)).toEqual(
    Array(8).fill(false),
  );
});
