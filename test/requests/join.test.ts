import { describe, expect, it } from 'vitest';
import { sureFrom } from '../../protocol/cpu-profile/request-cpu.ts';
import { profileWork, scoreOf } from './join-harness.ts';

describe.each([18, 24])('a CPU profile of concurrent requests on Node %i', (node) => {
  it('is right about at least 95 % of the samples that it is sure of', async () => {
    await using long = await profileWork(
      { requests: 16, concurrency: 4, burstMs: 60, bursts: 2, waitMs: 20 },
      { node, rateHz: 20 },
    );
    await using mixed = await profileWork(
      { requests: 30, concurrency: 6, burstMs: 15, bursts: 4, waitMs: 30 },
      { node, rateHz: 20 },
    );
    const scores = [long, mixed].map((work) => scoreOf(work, sureFrom));
    const sum = (of: 'activeUs' | 'sureUs' | 'rightUs'): number =>
      scores.reduce((total, score) => total + score[of], 0);
    expect(sum('rightUs') / sum('sureUs')).toBeGreaterThanOrEqual(0.95);
    // Enough to be worth something: an attribution that is never sure is never wrong.
    expect(sum('sureUs') / sum('activeUs')).toBeGreaterThan(0.05);
    const own = long.samples.frames.filter(({ url }) => url.startsWith('sidescope:')).length;
    expect(own).toBeGreaterThan(0);
    const shown = new Set(long.samples.nodeFrames);
    expect(long.samples.frames.filter(({ url }, frame) => url.startsWith('sidescope:') && shown.has(frame))).toEqual(
      [],
    );
  });

  it('says for each request what it took, and which function that was', async () => {
    await using work = await profileWork(
      { requests: 12, concurrency: 1, burstMs: 30, bursts: 2, waitMs: 20 },
      { node, rateHz: 20 },
    );
    const { signal } = new AbortController();
    const answer = await work.joins.requestsOf(work.profile.id, { limit: 50, signal });
    expect(answer).toMatchObject({ total: 12, reason: null, readings: { problem: null, dropped: 0 } });
    for (const { name, route, cpuMs, confidence, topFunction, durationMs } of answer.requests) {
      expect(topFunction?.name).toBe(route === '/even' ? 'burnEven' : 'burnOdd');
      expect(name).toBe(`GET ${route}`);
      // About 15 readings are behind it.
      expect(confidence).toBeGreaterThan(0.8);
      expect(cpuMs / 60).toBeGreaterThan(0.8);
      expect(cpuMs).toBeLessThan((durationMs ?? 0) * 1.05);
    }
    const trace = answer.requests[0];
    const profiles = [
      { id: work.profile.id, kind: 'cpu', thread: 'main', topFunction: null, durationMs: 1, offsetMs: 0 },
    ];
    const { cpu, cpuReason } = await work.joins.cpuOf(
      { traceId: trace?.traceId ?? '', profiles: profiles as Parameters<typeof work.joins.cpuOf>[0]['profiles'] },
      signal,
    );
    expect(cpuReason).toBeNull();
    expect(cpu?.functions[0]?.name).toBe(trace?.topFunction?.name);
    expect(cpu?.cpuMs).toBeCloseTo(trace?.cpuMs ?? 0, 3);
    expect(cpu?.functions[0]?.selfErrorMs).toBeGreaterThan(0);
  });
});

it('goes by time alone, and is less sure, where the active span is not read', async () => {
  await using work = await profileWork(
    { requests: 12, concurrency: 1, burstMs: 20, bursts: 2, waitMs: 20 },
    { node: 24, rateHz: 0 },
  );
  const answer = await work.joins.requestsOf(work.profile.id, { limit: 50, signal: new AbortController().signal });
  expect(answer.readings).toEqual({ count: 0, dropped: 0, problem: 'it is off (--span-reading-rate)' });
  expect(answer.total).toBe(12);
  for (const { confidence, sureMs, cpuMs } of answer.requests) {
    expect(confidence).toBeGreaterThan(0.8);
    expect(confidence).toBeLessThan(sureFrom);
    expect(sureMs).toBe(0);
    expect(cpuMs).toBeGreaterThan(20);
  }
});
