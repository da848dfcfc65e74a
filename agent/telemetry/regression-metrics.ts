import { Counter, Gauge, type Registry } from 'prom-client';
import type { Regressions } from '../baseline/regressions.ts';
import type { Regression } from '../../protocol/rest/regressions.ts';
import type { Metrics } from './metrics.ts';

export function createRegressionMetrics(registers: Registry[]) {
  return {
    regressionsTotal: new Counter({
      name: 'sidescope_regressions_total',
      help: 'Findings that got this outcome: sent as alerts, explained by the load, provisional.',
      labelNames: ['outcome'],
      registers,
    }),
    regressionsOpen: new Gauge({
      name: 'sidescope_regressions_open',
      help: 'What is worse than the baseline now, by outcome.',
      labelNames: ['outcome'],
      registers,
    }),
    versionProfilesSkippedTotal: new Counter({
      name: 'sidescope_version_profiles_skipped_total',
      help: "CPU profiles that were not added to their version's: too many waited, or they could not be read or written.",
      registers,
    }),
  };
}

const outcomes: readonly Regression['outcome'][] = ['sent', 'explained', 'provisional'];

/** Findings are counted when they begin or change their outcome; the others are read when they are scraped. */
export function observeRegressions(metrics: Metrics, regressions: Regressions): Disposable {
  const last = new Map<string, Regression['outcome']>();
  const onFinding = ({ regression: { id, outcome, state } }: { regression: Regression }): void => {
    if (state === 'open' && last.get(id) !== outcome) metrics.regressionsTotal.inc({ outcome });
    if (state === 'open') last.set(id, outcome);
    else last.delete(id);
  };
  regressions.on('finding', onFinding);
  // prom-client has no collect hook after construction other than this property.
  Object.assign(metrics.regressionsOpen, {
    collect() {
      const open = regressions.open();
      for (const outcome of outcomes)
        metrics.regressionsOpen.set({ outcome }, open.filter((regression) => regression.outcome === outcome).length);
    },
  });
  Object.assign(metrics.versionProfilesSkippedTotal, {
    collect() {
      metrics.versionProfilesSkippedTotal.reset();
      metrics.versionProfilesSkippedTotal.inc(regressions.profiles?.skipped ?? 0);
    },
  });
  return { [Symbol.dispose]: () => void regressions.off('finding', onFinding) };
}
