import { expect, it } from 'vitest';
import { stallLength, stallPlace, stallVerdict, vitalsRows } from '../../dashboard/model/vitals-words.ts';
import { sampleStall, sampleVitals } from './samples.ts';

it('says numbers with their limits', () => {
  expect(Object.fromEntries(vitalsRows(sampleVitals()))).toEqual({
    CPU: '45 % of a core, main thread 38 %',
    Heap: '96 MiB of 512 MiB (18.8 %)',
    RSS: '220 MiB',
    Container: '256 MiB of 1 GiB (25 %)',
    External: '3 MiB',
    'Event loop': '41 % busy',
    'Delay p99': '12.5 ms',
    'Longest delay': '44 ms',
    GC: '21 ms in 14 collections',
    Throttled: '2 %',
    'Load of the node': '1.3, 0.9, 0.5',
  });
});

it('leaves out what is not known, and has the RSS stand for a container that cannot be read', () => {
  const { memory } = sampleVitals();
  const rows = vitalsRows(
    sampleVitals({
      cgroup: null,
      gc: null,
      nodeLoad: null,
      memory: { ...memory, heapUsedBytes: null },
      cpu: {
        userCores: null,
        systemCores: null,
        mainCores: null,
        workerCores: null,
        otherCores: null,
        starvedRatio: null,
      },
      loop: { utilization: null, delayMeanMs: null, delayP99Ms: null, delayMaxMs: null, turnsPerSecond: null },
    }),
  );
  expect(rows.filter(([, value]) => value !== null)).toEqual([
    ['RSS', '220 MiB of 1 GiB (21.5 %)'],
    ['External', '3 MiB'],
  ]);
});

it('says how long a stall was, where, and how certain that is', () => {
  expect(stallPlace(sampleStall())).toBe('renderInvoice (invoices.js:41)');
  expect(stallPlace(sampleStall({ dominant: null }))).toBeNull();
  expect(stallLength(sampleStall())).toBe('blocked for 3.1 s');
  expect(stallLength(sampleStall({ state: 'ongoing' }))).toBe('blocked for 3.1 s so far');
  expect(stallLength(sampleStall({ state: 'cut', kind: 'saturated' }))).toBe('saturated for 3.1 s, then cut off');
  expect(stallVerdict(sampleStall())).toBeNull();
  expect(stallVerdict(sampleStall({ verdict: 'native' }))).toBe('native work, in or just before');
  expect(stallLength(sampleStall({ thread: 'worker-2' }))).toBe('worker-2 blocked for 3.1 s');
  const starved = sampleStall({ verdict: 'starved' });
  expect(stallLength(starved)).toBe('late by 3.1 s');
  expect(stallVerdict(starved)).toBe('waiting for a CPU; what it ran was mostly');
  expect(stallVerdict({ ...starved, dominant: null })).toBe('waiting for a CPU');
});

it('has the place of the source where it is known, and is certain of what a CPU profile saw', () => {
  const found = { functionName: 'n', url: 'file:///srv/bundle.js', lineNumber: 1, columnNumber: 9, share: 1 };
  const original = { functionName: 'hashAll', url: 'file:///srv/hash.ts', lineNumber: 12, columnNumber: 3 };
  const stall = sampleStall({ verdict: 'native', dominant: { ...found, original, from: 'cpu-profile' } });
  expect(stallPlace(stall)).toBe('hashAll (hash.ts:12)');
  expect(stallVerdict(stall)).toBe('native work in');
});
