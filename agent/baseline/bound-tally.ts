/**
 * What was left out because there is no room for more: requests of further routes in a window, measures of a baseline, the series of one that is too long to be
 * stored, versions of a service that made room for newer ones, and baselines of services that there was no room for. And requests whose window was told already when
 * their spans came: they count in the window that it was then.
 */
export const regressionBounds = [
  'routes',
  'late-requests',
  'measures',
  'state-series',
  'state-versions',
  'state-services',
] as const;
export type RegressionBound = (typeof regressionBounds)[number];

/** Counts since the start of the agent. */
export class BoundTally {
  readonly #counts = new Map<RegressionBound, number>();

  add(bound: RegressionBound, by = 1): void {
    this.#counts.set(bound, this.count(bound) + by);
  }

  count(bound: RegressionBound): number {
    return this.#counts.get(bound) ?? 0;
  }
}
