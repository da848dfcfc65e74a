import type { Feature } from '../../protocol/rest/info.ts';
import { isEndedState } from '../../protocol/rest/operation.ts';
import type { Operation } from '../../protocol/rest/operation.ts';
import type { DiskUsage, Profile } from '../../protocol/rest/profile.ts';
import type { Target } from '../../protocol/rest/target.ts';
import { forgetTarget } from './forget-target.ts';
import type { Metrics } from './metrics.ts';
import { observeMonitor } from './observe-monitor.ts';
import type { ObservedMonitor } from './observe-monitor.ts';

interface Source<Name extends string, Value> {
  on(event: Name, listener: (value: Value) => void): unknown;
  off(event: Name, listener: (value: Value) => void): unknown;
}

export interface Observed {
  readonly targets: Source<'change', Target> & Source<'forgotten', string> & { list(): readonly Target[] };
  readonly captures: Source<'change', Operation>;
  readonly monitor: ObservedMonitor;
  readonly store:
    | (Source<'profile', Profile> & {
        usage(): DiskUsage;
        stats(): {
          evictedByBudget: number;
          evictedByCount: number;
          evictedByAge: number;
          omittedSourceLines: number;
        };
      })
    | undefined;
  features(): readonly Feature[];
}

/** Turns what the parts of the agent tell into metrics, so that the parts need not know that there are any. */
export function observe(metrics: Metrics, observed: Observed): Disposable {
  const { targets, captures, monitor, store } = observed;
  const stack = new DisposableStack();
  const listen = <Name extends string, Value>(
    source: Source<Name, Value>,
    event: Name,
    listener: (value: Value) => void,
  ) => {
    source.on(event, listener);
    stack.defer(() => source.off(event, listener));
  };

  const countTarget = targetCounter(metrics);
  for (const target of targets.list()) countTarget.count(target);
  listen(targets, 'change', countTarget.count);
  listen(targets, 'forgotten', (id: string) => {
    countTarget.forget(id);
    forgetTarget(metrics.registry, id);
  });
  listen(captures, 'change', captureCounter(metrics));
  stack.use(observeMonitor(metrics, { targets, monitor }));
  if (store !== undefined) {
    listen(store, 'profile', profileCounter(metrics));
    readAtScrape(metrics, store);
  }
  // prom-client has no collect hook after construction other than this property.
  Object.assign(metrics.featureUp, {
    collect() {
      for (const feature of observed.features())
        metrics.featureUp.set({ feature: feature.name }, feature.state === 'on' ? 1 : 0);
    },
  });
  return stack;
}

/** Read when it is scraped: it grows by itself. */
export function observeInspectors(
  { inspectorOpenSecondsTotal: counter, targetInspectorExposed: gauge, targetsOmitted }: Metrics,
  targets: {
    readonly omitted: number;
    inspectorOpenMs(): readonly { readonly id: string; readonly openMs: number }[];
    exposure(): readonly { readonly id: string; readonly isExposed: boolean }[];
  },
): void {
  Object.assign(targetsOmitted, { collect: () => targetsOmitted.set(targets.omitted) });
  Object.assign(gauge, {
    collect() {
      gauge.reset();
      for (const { id, isExposed } of targets.exposure()) gauge.set({ target: id }, isExposed ? 1 : 0);
    },
  });
  Object.assign(counter, {
    collect() {
      counter.reset();
      for (const { id, openMs } of targets.inspectorOpenMs()) counter.inc({ target: id }, openMs / 1000);
    },
  });
}

function targetCounter(metrics: Metrics): {
  readonly count: (target: Target) => void;
  readonly forget: (id: string) => void;
} {
  const seenAttempts = new Map<string, number>();
  return {
    count: ({ id, state }) => {
      metrics.targetAttached.set({ target: id }, state.state === 'attached' ? 1 : 0);
      const attempts = state.state === 'connecting' ? state.attempts : 0;
      const seen = seenAttempts.get(id) ?? 0;
      if (attempts > seen) metrics.attachAttemptsTotal.inc({ target: id }, attempts - seen);
      seenAttempts.set(id, attempts);
    },
    forget: (id) => void seenAttempts.delete(id),
  };
}

/** An ended operation may change again (it expires): it is counted once. */
function captureCounter(metrics: Metrics): (operation: Operation) => void {
  const active = new Set<string>();
  return ({ id, kind, state, startedAt, endedAt }) => {
    if (!isEndedState(state)) {
      active.add(id);
      return;
    }
    if (!active.delete(id)) return;
    metrics.capturesTotal.inc({ kind, result: state });
    if (startedAt !== null && endedAt !== null)
      metrics.captureDurationSeconds.observe({ kind }, (Date.parse(endedAt) - Date.parse(startedAt)) / 1000);
  };
}

/** The store tells a profile again when it is pinned or labelled: only the new ones count, and ids only grow. */
function profileCounter(metrics: Metrics): (profile: Profile) => void {
  let newestId = '';
  return ({ id, kind, sizeBytes, cost }) => {
    if (id <= newestId) return;
    newestId = id;
    metrics.artifactBytesTotal.inc({ kind }, sizeBytes);
    if (cost.pauseMs !== null) metrics.targetPauseSeconds.observe({ kind }, cost.pauseMs / 1000);
  };
}

function readAtScrape(metrics: Metrics, store: NonNullable<Observed['store']>): void {
  Object.assign(metrics.storageUsedBytes, { collect: () => metrics.storageUsedBytes.set(store.usage().usedBytes) });
  Object.assign(metrics.storageBudgetBytes, {
    collect: () => metrics.storageBudgetBytes.set(store.usage().budgetBytes),
  });
  Object.assign(metrics.evictionsTotal, {
    collect() {
      const { evictedByBudget, evictedByCount, evictedByAge } = store.stats();
      metrics.evictionsTotal.reset();
      metrics.evictionsTotal.inc({ reason: 'budget' }, evictedByBudget);
      metrics.evictionsTotal.inc({ reason: 'count' }, evictedByCount);
      metrics.evictionsTotal.inc({ reason: 'age' }, evictedByAge);
    },
  });
  Object.assign(metrics.sourceLinesOmittedTotal, {
    collect() {
      metrics.sourceLinesOmittedTotal.reset();
      metrics.sourceLinesOmittedTotal.inc(store.stats().omittedSourceLines);
    },
  });
}
