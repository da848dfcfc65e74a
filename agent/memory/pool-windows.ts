import type { TrendPoint } from '../../protocol/trend/growth-trend.ts';

export interface PoolWindow extends TrendPoint {
  /** Read after a collection of the whole heap: nothing in it is garbage that nobody collected yet. */
  readonly isFloor: boolean;
  /** In most of its readings. */
  readonly isStarved: boolean;
}

interface Open {
  readonly startMs: number;
  readonly lowest: { value: number; atMs: number };
  lowestFloor: { value: number; atMs: number } | undefined;
  loadSum: number;
  loads: number;
  readings: number;
  starved: number;
}

/** The lowest readings of a pool per window, the newest `windowsMax` of them. */
export class PoolWindows {
  readonly #windowMs: number;
  readonly #windowsMax: number;
  #windows: PoolWindow[] = [];
  #open: Open | undefined;

  constructor(options: { windowMs: number; windowsMax: number }) {
    this.#windowMs = options.windowMs;
    this.#windowsMax = options.windowsMax;
  }

  get closed(): readonly PoolWindow[] {
    return this.#windows;
  }

  /** Readings are in order of time. Returns the window that this reading closed. */
  add(reading: {
    atMs: number;
    value: number;
    load: number | null;
    isFloor: boolean;
    isStarved: boolean;
  }): PoolWindow | undefined {
    const { atMs, value, load, isFloor, isStarved } = reading;
    const startMs = Math.floor(atMs / this.#windowMs) * this.#windowMs;
    const closed = this.#open !== undefined && this.#open.startMs !== startMs ? this.#close(this.#open) : undefined;
    this.#open ??= {
      startMs,
      lowest: { value, atMs },
      lowestFloor: undefined,
      loadSum: 0,
      loads: 0,
      readings: 0,
      starved: 0,
    };
    const open = this.#open;
    if (value < open.lowest.value) Object.assign(open.lowest, { value, atMs });
    if (isFloor && (open.lowestFloor === undefined || value < open.lowestFloor.value))
      open.lowestFloor = { value, atMs };
    open.readings++;
    if (isStarved) open.starved++;
    if (load !== null) {
      open.loadSum += load;
      open.loads++;
    }
    return closed;
  }

  #close({ lowest, lowestFloor, loadSum, loads, readings, starved }: Open): PoolWindow {
    this.#open = undefined;
    const window = {
      ...(lowestFloor ?? lowest),
      load: loads === 0 ? null : loadSum / loads,
      isFloor: lowestFloor !== undefined,
      isStarved: starved > readings / 2,
    };
    this.#windows.push(window);
    if (this.#windows.length > this.#windowsMax) this.#windows = this.#windows.slice(-this.#windowsMax);
    return window;
  }
}
