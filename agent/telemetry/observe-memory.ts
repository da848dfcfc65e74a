import type { EventEmitter } from 'node:events';
import type { Death } from '../../protocol/rest/deaths.ts';
import type { LeakVerdict } from '../../protocol/rest/leaks.ts';
import type { SearchEvents } from '../memory/sampling-search.ts';
import type { Metrics } from './metrics.ts';

interface Source<Name extends string, Values extends unknown[]> {
  on(event: Name, listener: (...values: Values) => void): unknown;
  off(event: Name, listener: (...values: Values) => void): unknown;
}

export interface ObservedMemory {
  readonly deaths: Source<'death', [Death]>;
  readonly leaks: Source<'verdict', [LeakVerdict]>;
  readonly search: EventEmitter<SearchEvents>;
  /** By kind of record. */
  readonly evicted: ReadonlyMap<string, number>;
}

export function observeMemory(metrics: Metrics, { deaths, leaks, search, evicted }: ObservedMemory): Disposable {
  const stack = new DisposableStack();
  const listen = <Name extends string, Values extends unknown[]>(
    source: Source<Name, Values>,
    event: Name,
    listener: (...values: Values) => void,
  ): void => {
    source.on(event, listener);
    stack.defer(() => source.off(event, listener));
  };
  listen(deaths, 'death', deathCounter(metrics));
  listen(leaks, 'verdict', ({ targetId: target, pool, verdict }) =>
    metrics.leakVerdictsTotal.inc({ target, pool, verdict }),
  );
  listen<'reading', SearchEvents['reading']>(search, 'reading', ({ cause, reading: { costMs } }) => {
    metrics.heapReadingsTotal.inc({ cause, result: 'read' });
    if (costMs !== null) metrics.heapReadingPauseSeconds.observe(costMs / 1000);
  });
  listen<'reading-skipped', SearchEvents['reading-skipped']>(search, 'reading-skipped', ({ cause }) =>
    metrics.heapReadingsTotal.inc({ cause, result: 'skipped' }),
  );
  listen<'gap', SearchEvents['gap']>(search, 'gap', ({ targetId: target, fromMs, toMs }) => {
    metrics.heapSamplingGapsTotal.inc({ target });
    metrics.heapSamplingGapSecondsTotal.inc({ target }, Math.max(0, toMs - fromMs) / 1000);
  });
  // prom-client has no collect hook after construction other than this property.
  Object.assign(metrics.recordsEvictedTotal, {
    collect() {
      metrics.recordsEvictedTotal.reset();
      for (const [kind, count] of evicted) metrics.recordsEvictedTotal.inc({ kind }, count);
    },
  });
  return stack;
}

/** A death is told again when the next run is seen. */
function deathCounter(metrics: Metrics): (death: Death) => void {
  const counted = new Map<string, string>();
  return ({ id, targetId: target, cause }) => {
    if (counted.get(target) === id) return;
    counted.set(target, id);
    metrics.deathsTotal.inc({ target, cause });
  };
}
