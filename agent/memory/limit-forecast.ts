/** One reading of what is used, on a clock that is never set. */
export interface UsedPoint {
  readonly atMs: number;
  readonly usedBytes: number;
}

export interface LimitForecast {
  readonly inMs: number;
  readonly bytesPerHour: number;
}

/** Enough of them for a line; more than these are old. */
const minWindows = 3;
export const maxWindows = 15;
/** Further away it is no forecast, but a wish. */
const horizonMs = 7 * 24 * 3_600_000;
/** Of the limit, over all windows: less is the noise of a steady process. */
const minGrowth = 0.01;
/** Of the pairs of windows, that must have grown. */
const minRising = 0.75;

/**
 * When the limit is reached, by the line through the lowest readings of the last windows: what is left after collections. Undefined when it does not grow,
 * when it grows by less than 1 % of the limit, or when there are fewer than three windows.
 */
export function forecastLimit(
  points: readonly UsedPoint[],
  { limitBytes, windowMs }: { limitBytes: number; windowMs: number },
): LimitForecast | undefined {
  const floors = floorsOf(points, windowMs).slice(-maxWindows);
  const [first, last] = [floors[0], floors.at(-1)];
  if (first === undefined || last === undefined || floors.length < minWindows) return undefined;
  if (last.usedBytes - first.usedBytes < minGrowth * limitBytes) return undefined;
  const rising = floors.slice(1).filter(({ usedBytes }, index) => usedBytes > (floors[index]?.usedBytes ?? usedBytes));
  if (rising.length < minRising * (floors.length - 1)) return undefined;
  const bytesPerMs = slopeOf(floors);
  if (bytesPerMs <= 0) return undefined;
  const inMs = Math.max(0, (limitBytes - last.usedBytes) / bytesPerMs);
  return inMs > horizonMs ? undefined : { inMs, bytesPerHour: bytesPerMs * 3_600_000 };
}

/** The lowest of each window, at its own time. */
function floorsOf(points: readonly UsedPoint[], windowMs: number): UsedPoint[] {
  const floors = new Map<number, UsedPoint>();
  for (const point of points) {
    const window = Math.floor(point.atMs / windowMs);
    const floor = floors.get(window);
    if (floor === undefined || point.usedBytes < floor.usedBytes) floors.set(window, point);
  }
  return [...floors.values()];
}

/** Least squares. */
function slopeOf(points: readonly UsedPoint[]): number {
  const meanAt = points.reduce((sum, { atMs }) => sum + atMs, 0) / points.length;
  const meanUsed = points.reduce((sum, { usedBytes }) => sum + usedBytes, 0) / points.length;
  let [above, below] = [0, 0];
  for (const { atMs, usedBytes } of points) {
    above += (atMs - meanAt) * (usedBytes - meanUsed);
    below += (atMs - meanAt) ** 2;
  }
  return below === 0 ? 0 : above / below;
}
