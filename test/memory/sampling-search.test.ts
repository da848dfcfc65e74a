import { expect, it } from 'vitest';
import { SamplingSearch } from '../../agent/memory/sampling-search.ts';
import { parseInspectorAddress } from '../../agent/attach/address.ts';
import { Targets } from '../../agent/attach/targets.ts';
import { ProfileWorker } from '../../agent/capture/profile-worker.ts';
import { openRawInspector } from '../inspector/raw-inspector.ts';
import { nodeVersions } from '../support/node-versions.ts';
import { startTarget } from '../support/target.ts';
import { waitFor } from '../support/wait-for.ts';

const log = { info: () => undefined, warn: () => undefined };

async function openSearch(address: string) {
  await using stack = new AsyncDisposableStack();
  const targets = stack.use(new Targets([parseInspectorAddress(address)]));
  const worker = stack.use(new ProfileWorker());
  const search = stack.use(new SamplingSearch({ targets, worker, sourceMapPaths: [], log }));
  targets.start();
  const id = targets.list()[0]!.id;
  await waitFor(() => targets.list()[0]?.state.state === 'attached', { message: 'the target to be attached' });
  const parts = stack.move();
  return { targets, search, id, [Symbol.asyncDispose]: () => parts.disposeAsync() };
}

const isSamplerOn = async (address: string): Promise<boolean> => {
  using inspector = await openRawInspector(address);
  return !new TextDecoder()
    .decode(await inspector.ask(1, 'HeapProfiler.getSamplingProfile'))
    .includes('was not started');
};

const signal = new AbortController().signal;

it.each(nodeVersions)(
  'names what grows between two readings, and leaves nothing behind, on Node $major',
  async ({ major }) => {
    await using target = await startTarget('leaks/map', { node: major });
    await using opened = await openSearch(target.inspectorAddress);
    const { search, id } = opened;
    expect(await isSamplerOn(target.inspectorAddress)).toBe(false);
    expect(await search.read(id, 'near-limit', signal)).toBeUndefined();
    await search.begin(id, 'near-limit');
    const pauses: boolean[] = [];
    search.on('pausing', ({ isPausing }) => pauses.push(isPausing));
    const reading = await waitFor(
      async () => {
        const latest = await search.read(id, 'near-limit', signal);
        return latest?.sites[0]?.functionName === 'rememberSession' && latest.sites[0].grownBytes > 1e6
          ? latest
          : undefined;
      },
      { message: 'growth in rememberSession', deadlineMs: 30_000 },
    );
    expect(reading.sites[0]).toMatchObject({ line: 6, original: null, caller: null });
    expect(reading.sites[0]?.url).toMatch(/leaks\/map\.mjs$/);
    const [{ grownBytes, bytesPerMinute }] = reading.sites as [(typeof reading.sites)[number]];
    expect((bytesPerMinute * reading.forMs) / 60_000 / grownBytes).toBeCloseTo(1, 2);
    expect(reading.costMs).toBeGreaterThan(0);
    expect(pauses.slice(0, 2)).toEqual([true, false]);
    await search.end(id);
    expect(await isSamplerOn(target.inspectorAddress)).toBe(false);
    expect(search.latest(id)).toEqual(reading);
  },
);

it('runs until the last of its causes is over', async () => {
  await using target = await startTarget('leaks/map');
  await using opened = await openSearch(target.inspectorAddress);
  const { search, id } = opened;
  await search.begin(id, 'near-limit');
  await search.begin(id, 'suspicion');
  await search.end(id, 'suspicion');
  expect(search.isSampling(id)).toBe(true);
  await search.end(id, 'near-limit');
  expect(search.isSampling(id)).toBe(false);
  expect(await isSamplerOn(target.inspectorAddress)).toBe(false);
});

it('yields the sampler to a person, records the gap, and goes on', async () => {
  await using target = await startTarget('leaks/map');
  await using opened = await openSearch(target.inspectorAddress);
  const { search, id } = opened;
  const gaps: { fromMs: number; toMs: number }[] = [];
  search.on('gap', (gap) => gaps.push(gap));
  await search.begin(id, 'suspicion');
  const first = await search.yieldSampler(id);
  const second = await search.yieldSampler(id);
  expect(await isSamplerOn(target.inspectorAddress)).toBe(false);
  expect(search.latest(id)).toBeDefined();
  expect(await search.read(id, 'near-limit', signal)).toBeUndefined();
  first[Symbol.dispose]();
  expect(search.isSampling(id)).toBe(false);
  second[Symbol.dispose]();
  await waitFor(() => search.isSampling(id), { message: 'the search to go on' });
  expect(gaps).toHaveLength(1);
  expect(gaps[0]!.toMs).toBeGreaterThanOrEqual(gaps[0]!.fromMs);
});

it('reads on a suspicion no more often than its budget allows, and near the limit always', async () => {
  await using target = await startTarget('leaks/map');
  await using opened = await openSearch(target.inspectorAddress);
  const { search, id } = opened;
  const skipped: string[] = [];
  search.on('reading-skipped', ({ cause }) => skipped.push(cause));
  await search.begin(id, 'suspicion');
  expect(await search.read(id, 'suspicion', signal)).toBeDefined();
  expect(await search.read(id, 'suspicion', signal)).toBeUndefined();
  expect(await search.read(id, 'near-limit', signal)).toBeDefined();
  expect(skipped).toEqual(['suspicion']);
});

it('is declined while somebody else samples the heap, and leaves that sampler alone', async () => {
  await using target = await startTarget('allocates', { args: ['own-sampler'] });
  await using opened = await openSearch(target.inspectorAddress);
  await expect(opened.search.begin(opened.id, 'suspicion')).rejects.toMatchObject({ code: 'profiler-active' });
  await target.send({ read: true });
  await target.waitForOutput(/^samples: [1-9]\d*$/m);
});

it.each(nodeVersions)('holds up no exit of the target, on Node $major', async ({ major }) => {
  await using target = await startTarget('allocates', { node: major });
  await using opened = await openSearch(target.inspectorAddress);
  await opened.search.begin(opened.id, 'suspicion');
  const reading = await opened.search.read(opened.id, 'suspicion', signal);
  await target.send({ exit: 7 });
  expect(await target.exited).toMatchObject({ code: 7, signal: null });
  await waitFor(() => !opened.search.isSampling(opened.id), { message: 'the end of the search' });
  expect(opened.search.latest(opened.id)).toEqual(reading);
});
