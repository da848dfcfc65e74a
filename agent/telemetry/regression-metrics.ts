import { Counter, Gauge, type Registry } from 'prom-client';

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
    regressionBoundsTotal: new Counter({
      name: 'sidescope_regression_bounds_total',
      help: 'Left out for want of room: requests of routes beyond 100 in a window, measures beyond 400 of a baseline, series, versions and services of the state. late-requests: their spans came after their window was compared, they count in a later one.',
      labelNames: ['bound'],
      registers,
    }),
    versionProfilesSkippedTotal: new Counter({
      name: 'sidescope_version_profiles_skipped_total',
      help: "CPU profiles that were not added to their version's: too many waited, or they could not be read or written.",
      registers,
    }),
  };
}
