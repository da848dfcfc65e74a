import { PerformanceObserver, constants } from 'node:perf_hooks';
import { expect, test } from 'vitest';
import { pacedGc } from '../../agent/telemetry/paced-gc.ts';

test('asks for one minor collection per 16 MiB of bytes seen', async () => {
  let forced = 0;
  const observer = new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) {
      // The detail of a `gc` entry is not in the type of entries in general.
      const { kind, flags } = (entry as unknown as { detail: { kind: number; flags: number } }).detail;
      const isForced = (flags & constants.NODE_PERFORMANCE_GC_FLAGS_FORCED) !== 0;
      if (kind === constants.NODE_PERFORMANCE_GC_MINOR && isForced) forced++;
    }
  });
  observer.observe({ entryTypes: ['gc'] });
  for (let mebibytes = 0; mebibytes < 40; mebibytes++) pacedGc(1024 * 1024);
  await expect.poll(() => forced, { timeout: 10_000 }).toBe(2);
  observer.disconnect();
});
