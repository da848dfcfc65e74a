import type { Regression } from '../../protocol/rest/regressions.ts';
import { regressionBounds } from '../baseline/bound-tally.ts';
import type { Regressions } from '../baseline/regressions.ts';
import type { Metrics } from './metrics.ts';

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
  Object.assign(metrics.regressionBoundsTotal, {
    collect() {
      metrics.regressionBoundsTotal.reset();
      for (const bound of regressionBounds)
        metrics.regressionBoundsTotal.inc({ bound }, regressions.bounds.count(bound));
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
