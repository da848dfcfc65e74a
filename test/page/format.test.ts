import { describe, expect, it } from 'vitest';
import {
  formatAgo,
  formatBytes,
  formatClock,
  formatCount,
  formatDuration,
  formatElapsed,
  formatRange,
  formatShare,
  formatTime,
  formatUtc,
  plural,
  withLocalTimes,
} from '../../dashboard/format.ts';

const MiB = 1024 * 1024;

describe('sizes', () => {
  it.each([
    [0, '0 B'],
    [1, '1 B'],
    [1023, '1023 B'],
    [1024, '1 KiB'],
    [1536, '1.5 KiB'],
    [10.24 * 1024, '10.2 KiB'],
    [999 * 1024, '999 KiB'],
    [1023.9 * 1024, '1 MiB'],
    [187 * MiB, '187 MiB'],
    [1130 * MiB, '1.1 GiB'],
    [5 * 1024 ** 4, '5 TiB'],
    [3000 * 1024 ** 4, '3000 TiB'],
    [-2048, '−2 KiB'],
  ])('shows %d bytes as %s', (bytes, text) => {
    expect(formatBytes(bytes)).toBe(text);
  });
});

describe('durations', () => {
  it.each([
    [0, '0 ms'],
    [0.0042, '0.004 ms'],
    [0.421, '0.42 ms'],
    [4.2, '4.2 ms'],
    [949.6, '950 ms'],
    [999.6, '1 s'],
    [1500, '1.5 s'],
    [59_940, '59.9 s'],
    [59_960, '1 min'],
    [90_000, '1 min 30 s'],
    [3_599_600, '1 h'],
    [7_500_000, '2 h 5 min'],
    [86_400_000, '1 d'],
    [90_000_000, '1 d 1 h'],
    [-5, '0 ms'],
  ])('shows %d ms as %s', (durationMs, text) => {
    expect(formatDuration(durationMs)).toBe(text);
  });

  it.each([
    [0, '0:00'],
    [7999, '0:07'],
    [750_000, '12:30'],
    [3_723_000, '1:02:03'],
    [-1, '0:00'],
  ])('lets %d ms tick as %s', (durationMs, text) => {
    expect(formatClock(durationMs)).toBe(text);
  });

  it.each([
    [0, '1 s'],
    [4930, '4 s'],
    [3_600_400, '1 h'],
  ])('tells %d ms of what goes on as %s', (elapsedMs, text) => {
    expect(formatElapsed(elapsedMs)).toBe(text);
  });

  it.each([
    [-10, 'just now'],
    [1000, 'just now'],
    [12_345, '12 s ago'],
    [184_000, '3 min ago'],
    [7_500_000, '2 h ago'],
  ])('tells %d ms back as %s', (elapsedMs, text) => {
    expect(formatAgo(elapsedMs)).toBe(text);
  });
});

it('shows a range once when both ends read the same', () => {
  expect(formatRange({ low: 1000, high: 2500 }, formatDuration)).toBe('1 s to 2.5 s');
  expect(formatRange({ low: 1001, high: 1002 }, formatDuration)).toBe('1 s');
});

it('counts the same in every locale', () => {
  expect([0, 999, 1000, 1_234_567].map(formatCount)).toEqual(['0', '999', '1,000', '1,234,567']);
  expect(plural(1, 'profile')).toBe('1 profile');
  expect(plural(0, 'profile')).toBe('0 profiles');
});

it.each([
  [0, '0 %'],
  [0.0004, '< 0.1 %'],
  [0.0234, '2.34 %'],
  [0.41, '41 %'],
  [0.9999, '> 99.9 %'],
  [1, '100 %'],
  [0.1 + 0.7 + 0.1 + 0.1, '100 %'],
])('shows a share of %d as %s', (share, text) => {
  expect(formatShare(share)).toBe(text);
});

it('shows today by its time, another day with its date, and UTC for the hover', () => {
  const now = new Date(2026, 0, 31, 18, 0, 0).getTime();
  expect(formatTime(new Date(2026, 0, 31, 4, 5, 6).toISOString(), now)).toBe('04:05:06');
  expect(formatTime(new Date(2026, 0, 3, 14, 3, 22).toISOString(), now)).toBe('Jan 3, 14:03:22');
  expect(formatTime(new Date(2025, 10, 3, 14, 3, 22).toISOString(), now)).toBe('Nov 3 2025, 14:03:22');
  expect(formatUtc('2026-01-31T13:00:00.123+01:00')).toBe('2026-01-31 12:00:00 UTC');
});

it('tells the moments within a sentence in local time', () => {
  const at = new Date(2026, 0, 31, 12, 0, 5);
  expect(withLocalTimes(`taken at ${at.toISOString()} (settled)`, at.getTime())).toBe('taken at 12:00:05 (settled)');
});
