import { expect, test } from 'vitest';
import { BoundTally } from '../../agent/baseline/bound-tally.ts';
import { WindowMaker } from '../../agent/baseline/window-maker.ts';
import type { Window } from '../../agent/baseline/window.ts';
import { SimulatedProcess } from '../memory/simulated-process.ts';

const none = () => ({ counterLoad: null, values: {} });

/** A process whose readings, in steps of a second, say what the test says. */
class Bench {
  readonly bounds = new BoundTally();
  readonly windows: Window[] = [];
  readonly maker: WindowMaker;
  nowMs = 0;
  readonly #process = new SimulatedProcess({
    seed: 1,
    baseMb: 50,
    loadMb: 0,
    garbageMbPerHour: 0,
    load: () => 0.3,
    heapLimitMb: 1_000,
    containerLimitMb: 1_000,
  });

  constructor({ lateMs }: { lateMs: number }) {
    this.maker = new WindowMaker({ originMs: 0, windowMs: 2_000, lateMs, bounds: this.bounds });
  }

  /** The interval until `atMs` with that much CPU; null: none is known. */
  read(atMs: number, cores: number | null, error: { code: string; message: string } | null = null): void {
    this.nowMs = atMs;
    const vitals = this.#process.read(atMs, 0);
    const cpu = { ...vitals.cpu, userCores: cores, systemCores: cores === null ? null : 0 };
    this.windows.push(...this.maker.add({ ...vitals, error, cpu }, atMs, none));
  }

  serve(endedMs: number, cameMs = endedMs): void {
    this.maker.addRequest({ route: 'GET /a', durationMs: 5, endedMs, cameMs });
  }

  values(name: string): (number | undefined)[] {
    return this.windows.map(({ values }) => values[name]);
  }
}

test('requests whose spans come seconds late count in the window that has their CPU, also when they double', () => {
  const bench = new Bench({ lateMs: 14_000 });
  const waiting: { endedMs: number; cameMs: number }[] = [];
  for (let second = 0; second < 60; second++) {
    const perSecond = second < 20 ? 20 : 40;
    for (let i = 0; i < perSecond; i++) {
      const endedMs = (second + i / perSecond) * 1_000;
      waiting.push({ endedMs, cameMs: endedMs + 8_000 + ((i * 977) % 5_000) });
    }
    for (const { endedMs, cameMs } of waiting.splice(0))
      if (cameMs <= second * 1_000) bench.serve(endedMs, cameMs);
      else waiting.push({ endedMs, cameMs });
    // Ten milliseconds each, of the second before this reading.
    bench.read(second * 1_000, (second <= 20 ? 20 : 40) * 0.01);
  }
  expect(bench.windows.length).toBeGreaterThan(15);
  expect(new Set(bench.values('load'))).toEqual(new Set([20, 40]));
  for (const value of bench.values('cpu-per-request')) expect(value).toBeCloseTo(10);
  expect(bench.bounds.count('late-requests')).toBe(0);
});

test('the CPU of a reading is that of the time before it, part by part of the windows it lies in', () => {
  const bench = new Bench({ lateMs: 0 });
  bench.read(0, null);
  bench.read(1_500, 1);
  // Half a second of it is the window before.
  bench.read(2_500, 0.2);
  bench.read(4_500, 0.6);
  const [first, second] = bench.values('cpu');
  expect(first).toBeCloseTo((1 * 1_500 + 0.2 * 500) / 2_000);
  expect(second).toBeCloseTo((0.2 * 500 + 0.6 * 1_500) / 2_000);
});

test('of a target that does not answer the CPU is known all the same, and of less than half a window it is not told', () => {
  const bench = new Bench({ lateMs: 0 });
  bench.read(0, null);
  bench.read(1_000, 0.1);
  bench.read(2_500, 0.9, { code: 'inspector-timeout', message: 'silent' });
  bench.read(3_600, null);
  bench.read(4_000, null);
  expect(bench.values('cpu')[0]).toBeCloseTo((0.1 * 1_000 + 0.9 * 1_000) / 2_000);
  expect(bench.values('cpu')[1]).toBeUndefined();
  expect(bench.values('rss')[1]).toBeGreaterThan(0);
});

test('what comes after its window was told counts when it came, and is counted as late; so does one of another clock', () => {
  const bench = new Bench({ lateMs: 2_000 });
  for (let ms = 0; ms <= 9_000; ms += 1_000) bench.read(ms, 0.1);
  bench.serve(3_000, 9_500);
  bench.serve(-3_600_000, 9_600);
  bench.serve(3_600_000, 9_700);
  for (let ms = 10_000; ms <= 14_000; ms += 1_000) bench.read(ms, 0.1);
  expect(bench.windows.find(({ fromMs }) => fromMs === 8_000)?.routeRequests).toEqual({ 'GET /a': 3 });
  expect(bench.bounds.count('late-requests')).toBe(2);
});

test('requests of a process that is not read any more make no windows', () => {
  const bench = new Bench({ lateMs: 2_000 });
  for (let ms = 0; ms <= 3_000; ms += 1_000) bench.read(ms, 0.1);
  for (let minute = 1; minute < 60; minute++) bench.serve(minute * 60_000);
  bench.read(3_600_000, 0.1);
  bench.read(3_610_000, 0.1);
  expect(bench.windows.map(({ fromMs }) => fromMs)).toEqual([0, 2_000, 3_600_000]);
});
