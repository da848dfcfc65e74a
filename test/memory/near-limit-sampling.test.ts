import { EventEmitter } from 'node:events';
import { expect, it } from 'vitest';
import { MemoryMonitor, type MemoryMonitorOptions, type NearLimitSampling } from '../../agent/memory/monitor.ts';
import type { GrowthReading } from '../../protocol/rest/leaks.ts';
import type { Vitals } from '../../protocol/rest/vitals.ts';
import { waitFor } from '../support/wait-for.ts';

const targetId = 'shop';
const site = { functionName: 'hoard', url: 'a.js', line: 1, column: 1, original: null, caller: null };
const siteOf = (grownBytes: number) => ({ ...site, liveBytes: grownBytes, grownBytes, bytesPerMinute: grownBytes });

/** The monitor over a target that is told to use so much of a container of 1 GB. `sites`: of each reading of the sampler. */
function openMonitor(sites: GrowthReading['sites'][]) {
  const asked: string[] = [];
  const lost = new AbortController();
  const sampling: NearLimitSampling = {
    begin: () => Promise.resolve(void asked.push('begin')),
    read() {
      asked.push('read');
      const at = new Date(0).toISOString();
      return Promise.resolve({ instanceId: 'a', at, forMs: 1, liveBytes: 1, sites: sites.shift() ?? [], costMs: 1 });
    },
    latest: () => undefined,
    end: () => Promise.resolve(void asked.push('end')),
  };
  const targets = Object.assign(new EventEmitter(), {
    list: () => [],
    watcher: () => ({ attachment: { ended: lost.signal } }),
  }) as unknown as MemoryMonitorOptions['targets'];
  const vitals = new EventEmitter<{ vitals: [Vitals] }>();
  const monitor = new MemoryMonitor({
    targets,
    monitor: vitals,
    sampling,
    alerts: undefined,
    history: () => [],
    intervalMs: 60_000,
    threshold: 0.9,
    log: { warn: (_, message) => asked.push(message) },
  });
  const use = (share: number) => {
    const memory = { rssBytes: share * 1e9, containerLimitBytes: 1e9, heapUsedBytes: null, heapLimitBytes: null };
    vitals.emit('vitals', {
      targetId,
      error: null,
      cgroup: null,
      memory: { ...memory, spaces: [] },
    } as unknown as Vitals);
  };
  return { asked, lost, monitor, use, [Symbol.asyncDispose]: () => monitor[Symbol.asyncDispose]() };
}

it('a sampler that began with the same reading of vitals is given time to see allocations', async () => {
  await using opened = openMonitor([[siteOf(1e6)]]);
  const { use, asked, monitor } = opened;
  use(0.6);
  use(0.9);
  await waitFor(() => asked.includes('begin'), { message: 'sampling to begin' });
  expect(asked).toEqual(['begin']);
  await monitor.idle(targetId);
  expect(asked).toEqual(['begin', 'read']);
});

it('is read again on the way up while it came without sites, and not after', async () => {
  await using opened = openMonitor([[], [siteOf(1e6)]]);
  const { use, asked, monitor } = opened;
  for (const share of [0.72, 0.86, 0.865, 0.9, 0.94, 0.98]) {
    use(share);
    await monitor.idle(targetId);
  }
  expect(asked).toEqual(['begin', 'read', 'read']);
  use(0.5);
  await monitor.idle(targetId);
  expect(asked.at(-1)).toBe('end');
});

it('the wait for the first reading ends with the target', async () => {
  await using opened = openMonitor([]);
  const { use, asked, lost, monitor } = opened;
  use(0.6);
  use(0.9);
  await waitFor(() => asked.includes('begin'), { message: 'sampling to begin' });
  lost.abort();
  await monitor.idle(targetId);
  expect(asked).toEqual(['begin', 'read']);
});
