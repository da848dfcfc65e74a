export interface TrendPoint {
  readonly atMs: number;
  readonly value: number;
  /** How busy the program was, in any unit; null where that is not known. */
  readonly load: number | null;
}

export interface GrowthTrend {
  /** Theil-Sen: the median slope of pairs of points. */
  readonly slopePerMs: number;
  /** One-sided Mann-Kendall: how likely a rise like this is where there is none. */
  readonly p: number;
  /** `slopePerMs` over the whole time. */
  readonly grown: number;
  /** Median distance of the points from the line. */
  readonly noise: number;
  /** Slope of the second half over that of the first: 1 for a line, below for what saturates; null when the first half does not rise. */
  readonly steadiness: number | null;
  readonly firstMs: number;
  readonly lastMs: number;
  /** On the line, at the end. */
  readonly level: number;
  readonly points: number;
}

/** 7,000 pairs take about a millisecond; of more points every second or third is left out. */
const pointsMax = 120;

/**
 * Rise of a level over time, from points in order of time, at least 5, else undefined. Only pairs count in which the later point is not the busier one (by over 3 %), and that
 * lie a quarter of the time apart: memory that comes and goes with the load rises in no such pair. Undefined also when there is no such pair. The spread of
 * Mann-Kendall's S is that of all pairs (Kendall 1975), widened for those left out.
 */
export function growthTrend(all: readonly TrendPoint[]): GrowthTrend | undefined {
  const points = thin(all);
  const n = points.length;
  const [first, last] = [points[0], points.at(-1)];
  if (n < 5 || first === undefined || last === undefined) return undefined;
  const spanMs = last.atMs - first.atMs;
  const slopes: number[] = [];
  let s = 0;
  let far = 0;
  for (let i = 0; i < n; i++) {
    for (let j = i + 1; j < n; j++) {
      const [a, b] = [points[i]!, points[j]!];
      if (b.atMs - a.atMs < spanMs / 4) continue;
      far++;
      if (a.load !== null && b.load !== null && b.load > a.load * 1.03 + 0.005) continue;
      slopes.push((b.value - a.value) / (b.atMs - a.atMs));
      s += Math.sign(b.value - a.value);
    }
  }
  // Of so few pairs nothing follows: the load only rises.
  if (slopes.length < Math.max(3, far / 10)) return undefined;
  const slopePerMs = medianOf(slopes);
  const tau = s / slopes.length;
  const pairs = (n * (n - 1)) / 2;
  const deviation = Math.sqrt((2 * (2 * n + 5)) / (9 * n * (n - 1))) * (pairs / slopes.length) ** 0.25;
  const offset = medianOf(points.map(({ atMs, value }) => value - slopePerMs * (atMs - first.atMs)));
  const level = offset + slopePerMs * spanMs;
  return {
    slopePerMs,
    p: upperTail(tau / deviation),
    grown: slopePerMs * spanMs,
    noise: medianOf(points.map(({ atMs, value }) => Math.abs(value - offset - slopePerMs * (atMs - first.atMs)))),
    steadiness: steadinessOf(points),
    firstMs: first.atMs,
    lastMs: last.atMs,
    level,
    points: n,
  };
}

export function medianOf(values: readonly number[]): number {
  const sorted = Float64Array.from(values).sort();
  const middle = sorted.length >> 1;
  const high = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? high : ((sorted[middle - 1] ?? Number.NaN) + high) / 2;
}

/** One window's load is noisy, and memory goes with that of minutes: each point gets the median of the ones around it. */
export function smoothLoad<Point extends TrendPoint>(points: readonly Point[]): Point[] {
  const reach = Math.min(10, Math.floor(points.length / 6));
  if (reach === 0) return [...points];
  return points.map((point, index) => {
    const loads = points
      .slice(Math.max(0, index - reach), index + reach + 1)
      .map(({ load }) => load)
      .filter((load) => load !== null);
    return loads.length === 0 ? point : { ...point, load: medianOf(loads) };
  });
}

function thin(points: readonly TrendPoint[]): readonly TrendPoint[] {
  const step = Math.ceil(points.length / pointsMax);
  return step <= 1 ? points : points.filter((_, index) => (points.length - 1 - index) % step === 0);
}

function steadinessOf(points: readonly TrendPoint[]): number | null {
  const middle = points.length >> 1;
  const early = plainSlope(points.slice(0, middle + 1));
  const late = plainSlope(points.slice(middle));
  return early > 0 ? late / early : null;
}

function plainSlope(points: readonly TrendPoint[]): number {
  const slopes: number[] = [];
  for (let i = 0; i < points.length; i++)
    for (let j = i + 1; j < points.length; j++)
      if (points[j]!.atMs > points[i]!.atMs)
        slopes.push((points[j]!.value - points[i]!.value) / (points[j]!.atMs - points[i]!.atMs));
  return slopes.length === 0 ? 0 : medianOf(slopes);
}

/** Of the normal distribution: Abramowitz and Stegun 26.2.17, to 7.5e-8. */
function upperTail(z: number): number {
  if (z < 0) return 1 - upperTail(-z);
  const t = 1 / (1 + 0.2316419 * z);
  const [b1, b2, b3, b4, b5] = [0.31938153, -0.356563782, 1.781477937, -1.821255978, 1.330274429] as const;
  const polynomial = t * (b1 + t * (b2 + t * (b3 + t * (b4 + t * b5))));
  return (Math.exp((-z * z) / 2) / Math.sqrt(2 * Math.PI)) * polynomial;
}
