import { sampleHeap, sampleLeaks, sampleStacks, sampleTreeStall } from './memory-samples.ts';
import { sampleVitals, ago, sampleProfile, sampleSnapshot } from './samples.ts';
import type { Scene } from './scene.ts';
import type { World } from './stand-in.ts';

/** What the process holds, and what its threads do. */
export function memoryScenes(incident: Partial<World>): Scene[] {
  const snapshots = [
    sampleSnapshot({ id: 'p-22', startedAt: ago(300_000), sizeBytes: 40_000 }),
    sampleSnapshot({ id: 'p-21', startedAt: ago(900_000), sizeBytes: 40_000 }),
  ];
  const world: Partial<World> = {
    ...incident,
    leaks: sampleLeaks(),
    stalls: [sampleTreeStall()],
    profiles: [...snapshots, sampleProfile()],
    files: { 'p-22.heapsnapshot': sampleHeap(), 'p-21.heapsnapshot': sampleHeap() },
  };
  return [
    {
      name: 'memory',
      path: '/memory',
      world,
      events: [{ type: 'vitals', vitals: sampleVitals() }],
      ready: (page) => page.getByText('global.cache.table[]').first().waitFor(),
    },
    {
      name: 'heap',
      path: '/heap/p-22',
      world,
      ready: (page) => page.getByRole('row').filter({ hasText: 'Session' }).first().waitFor(),
    },
    {
      name: 'stacks',
      path: '/stacks?stall=s-1',
      world: { ...world, stacks: sampleStacks() },
      ready: (page) => page.getByRole('list', { name: 'Merged stacks, callers first' }).waitFor(),
    },
  ];
}
