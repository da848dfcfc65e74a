import { Profile } from 'pprof-format';
import { describe, expect, it } from 'vitest';
import { attributeSamples, ownerOf } from '../../protocol/cpu-profile/attribution.ts';
import { Confidence } from '../../protocol/cpu-profile/attribution-confidence.ts';
import { parseCpuProfile } from '../../protocol/cpu-profile/parse.ts';
import { encodePprof } from '../../protocol/cpu-profile/pprof.ts';
import { sumRequests, sumTrace } from '../../protocol/cpu-profile/request-cpu.ts';
import { readingOf } from '../../protocol/cpu-profile/spans.ts';
import type { JoinInput, RequestWindow } from '../../protocol/cpu-profile/spans.ts';
import { fileOf, seeded } from './profiles.ts';

const app = (name: string): string => `handle@file:///srv/app.js:1;${name}@file:///srv/app.js:9`;

/** Sample `n` of `fileOf` is at `n + 1` ms; wall clock and profile begin at 5,000 ms. */
function request(letter: string, [fromMs, toMs]: [number, number], over: Partial<RequestWindow> = {}): RequestWindow {
  return {
    traceId: letter.repeat(32),
    spanId: letter.repeat(16),
    name: `GET /${letter}`,
    route: `/${letter}`,
    startMs: 5_000 + fromMs,
    endMs: 5_000 + toMs,
    failed: false,
    statusCode: 200,
    waitsMs: [],
    seenSpanIds: [],
    ...over,
  };
}

/** Readings: ms, and the letter of the request, or null where JavaScript ran outside of any. */
function inputOf(
  requests: RequestWindow[],
  readings: [number, string | null][] | null = [],
  over: Partial<JoinInput> = {},
): JoinInput {
  const letters = [...new Set(readings?.map(([, letter]) => letter).filter((letter) => letter !== null))];
  return {
    requests,
    readings: readings && {
      timesUs: readings.map(([ms]) => 5_000_000 + ms * 1_000),
      spanIndexes: readings.map(([, letter]) => (letter === null ? readingOf.noneRan : letters.indexOf(letter))),
      spans: letters.map((letter) => ({
        traceId: letter.repeat(32),
        spanId: 'f'.repeat(16),
        name: letter,
        route: null,
      })),
      wallOffsetMs: null,
      dropped: 0,
      problem: null,
    },
    wallOffsetMs: 0,
    isMainThread: true,
    ...over,
  };
}

/** One letter per sample, in capitals where it is sure; `-` outside, `?` unknown, `/` shared. */
function drawn(file: ReturnType<typeof fileOf>, input: JoinInput): string {
  const { owners, confidences, requests } = attributeSamples(parseCpuProfile(file), input);
  return Array.from(owners, (owner, at) => {
    if (owner === ownerOf.outside) return '-';
    if (owner === ownerOf.unknown) return '?';
    if (owner === ownerOf.shared) return '/';
    const letter = requests[owner]?.traceId[0] ?? '!';
    return confidences[at]! >= 0.9 ? letter.toUpperCase() : letter;
  }).join('');
}

describe('whose work a sample was', () => {
  it('is surely that of a reading from one idle moment to the next, while nothing else was open', () => {
    const file = fileOf('(idle) 2', `${app('burn')} 4`, '(idle)', `${app('burn')} 3`, '(idle)');
    expect(drawn(file, inputOf([request('a', [0, 12])], [[4.5, 'a']]))).toBe('??AAAA?aaa?');
  });

  it('goes by time with less confidence where nothing was read', () => {
    const file = fileOf('(idle) 2', `${app('burn')} 4`, '(idle) 4', `${app('burn')} 3`, '(idle)');
    expect(drawn(file, inputOf([request('a', [0, 7])]))).toBe('??aaaa????---?');
  });

  it('is shared by those that were open and did not wait for somebody else', () => {
    const file = fileOf(`${app('burn')} 12`);
    const [a, b] = [request('a', [0, 13]), request('b', [0, 13], { waitsMs: [[5_000, 5_009]] })];
    // A millisecond is allowed for on each side.
    expect(drawn(file, inputOf([a, b]))).toBe('aaaaaaa/////');
    const { requests, attributedUs } = sumRequests(parseCpuProfile(file), inputOf([a, b]), 10);
    expect(requests.map(({ request: { name }, cpuUs }) => `${name} ${Math.round(cpuUs)}`)).toEqual([
      'GET /a 9500',
      'GET /b 2500',
    ]);
    expect(attributedUs).toBe(12_000);
  });

  it('is no nearer than the stretch of the stack that was read', () => {
    const other = 'other@file:///srv/other.js:1';
    const file = fileOf(`${app('burn')} 3`, `${other} 3`, '(idle)');
    const open = [request('a', [0, 9]), request('b', [0, 9])];
    expect(drawn(file, inputOf(open, [[1.5, 'a']])).slice(3)).toBe('///?');
  });

  it('is told by readings alone on other threads, also of requests without spans', () => {
    const file = fileOf('(idle)', `${app('burn')} 6`, '(idle)', `${app('burn')} 2`, '(idle)');
    const input = inputOf([request('b', [0, 12])], [[4.1, 'a']], { isMainThread: false });
    const text = drawn(file, input);
    expect(text.slice(0, 1) + text.slice(7)).toBe('?????');
    expect(text.slice(1, 7)).toMatch(/a/i);
    expect(text).not.toMatch(/b/i);
  });

  it('is outside of any request where a reading found none', () => {
    const file = fileOf('(idle)', `${app('timer')} 4`, '(idle)');
    expect(drawn(file, inputOf([], [[3.5, null]]))).toBe('?----?');
    expect(sumRequests(parseCpuProfile(file), inputOf([], [[3.5, null]]), 10).outsideUs).toBe(4_000);
  });

  it('is not that of a span which is open all the time and never seen at work', () => {
    const file = fileOf('(idle)', `${app('burn')} 100`, '(idle)');
    const readings = Array.from({ length: 45 }, (_, at): [number, string] => [2.5 + 2 * at, 'a']);
    const open = [request('a', [1, 103]), request('b', [0, 105])];
    expect(drawn(file, inputOf(open, readings))).toBe(`?${'A'.repeat(100)}?`);
    expect(drawn(file, inputOf(open, readings.slice(0, 5)))).not.toMatch(/A{30}/);
  });

  it('adds up to what the thread did, whatever was read', () => {
    const random = seeded(7);
    for (let round = 0; round < 50; round++) {
      const stacks = Array.from({ length: 40 }, () =>
        random() < 0.3 ? '(idle) 2' : random() < 0.1 ? '(program) 2' : `${app(random() < 0.5 ? 'one' : 'two')} 3`,
      );
      const file = fileOf(...stacks);
      const letters = ['a', 'b', 'c', 'd'];
      const requests = letters.map((letter) => {
        const fromMs = random() * 100;
        return request(letter, [fromMs, fromMs + random() * 40]);
      });
      const readings = Array.from({ length: 20 }, (): [number, string | null] => {
        const letter = letters[Math.floor(random() * 5)] ?? null;
        return [random() * 120, letter];
      }).sort(([x], [y]) => x - y);
      const profile = parseCpuProfile(file);
      const input = inputOf(requests, readings);
      const sums = sumRequests(profile, input, 100);
      expect(sums.attributedUs + sums.outsideUs).toBeLessThanOrEqual(sums.activeUs + 1);
      for (const { request: one, cpuUs, confidence } of sums.requests) {
        expect(confidence).toBeGreaterThan(0);
        expect(confidence).toBeLessThanOrEqual(1);
        const trace = sumTrace(profile, input, { traceId: one.traceId, limit: 100 });
        expect(trace.cpuUs).toBeCloseTo(cpuUs, 3);
        expect(trace.functions.reduce((sum, { selfUs }) => sum + selfUs, 0)).toBeCloseTo(cpuUs, 3);
      }
    }
  });
});

it('promises what its readings hold: for bursts of 20 ms less than for those of 200', () => {
  const random = seeded(3);
  const confidenceOf = (burstMs: number): Confidence => {
    const confidence = new Confidence(0.25);
    for (let pair = 0; pair < 400; pair++) {
      const distanceUs = -Math.log(1 - random()) * 50_000;
      confidence.tryNear(distanceUs, random() < 0.25 + 0.75 * Math.exp(-distanceUs / 1_000 / burstMs));
    }
    return confidence;
  };
  const [short, long] = [confidenceOf(20), confidenceOf(200)];
  expect(short.near(2_000)).toBeGreaterThan(0.85);
  expect(short.near(30_000)).toBeLessThan(0.5);
  expect(long.near(10_000)).toBeGreaterThan(0.9);
  expect(long.between(10_000, 10_000)).toBeGreaterThan(long.near(10_000));
  // Without a pair nothing is promised.
  expect(new Confidence(0.25).near(5_000)).toBeLessThan(0.3);
});

it('is in pprof as labels, where it is sure, and the sums stay the same', () => {
  const profile = parseCpuProfile(fileOf('(idle)', `${app('burn')} 4`, '(idle)', `${app('burn')} 3`, '(idle)'));
  const join = inputOf([request('a', [0, 12])], [[3.5, 'a']]);
  const samples = labelled(encodePprof(profile, { join }));
  const labels = { trace_id: 'a'.repeat(32), span_id: 'a'.repeat(16), span_name: 'GET /a' };
  expect(samples).toEqual([
    { count: 4, labels },
    { count: 3, labels: {} },
  ]);
});

it('is in pprof as labels where it is likely too, when that is asked for, and shared samples are parts', () => {
  const profile = parseCpuProfile(fileOf('(idle)', `${app('burn')} 4`, '(idle)', `${app('burn')} 4`, '(idle)'));
  const join = inputOf([request('a', [0, 12]), request('b', [6, 12])], [[3.5, 'a']]);
  const samples = labelled(encodePprof(profile, { join, withLikely: true }));
  const sumOf = (id: string, confidence: string): number =>
    samples
      .filter(({ labels }) => labels['trace_id'] === id.repeat(32) && labels['confidence'] === confidence)
      .reduce((sum, { count }) => sum + count, 0);
  expect([sumOf('a', 'sure'), sumOf('a', 'likely'), sumOf('b', 'sure'), sumOf('b', 'likely')]).toEqual([4, 2, 0, 2]);
  expect(samples.reduce((sum, { count }) => sum + count, 0)).toBe(8);
});

function labelled(pprof: Uint8Array) {
  const decoded = Profile.decode(pprof);
  const text = (index: number | bigint): string => decoded.stringTable.strings[Number(index)] ?? '';
  return decoded.sample.map(({ value, label }) => ({
    count: Number(value[0]),
    labels: Object.fromEntries(label.map(({ key, str }) => [text(key), text(str)])),
  }));
}
