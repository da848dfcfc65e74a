import { medianOf } from '../../protocol/trend/growth-trend.ts';
import type { Spread } from '../../protocol/rest/baseline.ts';

/** What windows say of one measure. `noise` is a standard deviation as the median distance tells it, so that one bad window does not make it large. */
export function spreadOf(values: readonly number[]): Spread {
  const median = medianOf(values);
  const noise = 1.4826 * medianOf(values.map((value) => Math.abs(value - median)));
  return { median, noise, low: quantile(values, 0.05), high: quantile(values, 0.95), windows: values.length };
}

/** Between two values: of few windows the highest and the lowest, nearly. */
function quantile(values: readonly number[], q: number): number {
  const sorted = Float64Array.from(values).sort();
  const at = q * (sorted.length - 1);
  const below = sorted[Math.floor(at)] ?? Number.NaN;
  return below + (at - Math.floor(at)) * ((sorted[Math.ceil(at)] ?? below) - below);
}
