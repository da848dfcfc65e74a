import type { Vitals } from '../../protocol/rest/vitals.ts';

const mb = 1e6;

/** mulberry32: the same numbers for the same seed. */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

export interface ProcessShape {
  readonly seed: number;
  /** What the program holds at rest, after its start. */
  readonly baseMb: number;
  /** What requests under way hold at full load. */
  readonly loadMb: number;
  /** Garbage per hour of full load that only a collection of the whole heap takes. */
  readonly garbageMbPerHour: number;
  /** The load at `atMs` of the process's life: 0 to 1. */
  readonly load: (atMs: number) => number;
  /** A cache: grows to `mb`, as an exponential with `tauMs`, or in a straight line by then. */
  readonly cache?: { readonly mb: number; readonly tauMs: number; readonly isLinear?: boolean } | undefined;
  /** Bytes that stay, per hour. */
  readonly leakMbPerHour?: number | undefined;
  readonly pool?: 'heap' | 'external' | 'native' | undefined;
  /** Now and then much is asked for at once. */
  readonly bursts?: boolean | undefined;
  /** Of the time that it wanted a CPU, the share that it waited for one. */
  readonly starved?: ((atMs: number) => number) | undefined;
  readonly heapLimitMb: number;
  readonly containerLimitMb: number;
}

/** Vitals of a process that there is not: a saw-tooth of collections over what is held, noise, an allocator that gives memory back late. */
export class SimulatedProcess {
  readonly #shape: ProcessShape;
  readonly #random: () => number;
  #garbageMb = 0;
  #externalGarbageMb = 0;
  #rssTopMb = 0;
  #burstMb = 0;
  #lastMs = 0;
  isCollectionForced = false;

  constructor(shape: ProcessShape) {
    this.#shape = shape;
    this.#random = seededRandom(shape.seed);
  }

  read(atMs: number, startMs: number): Vitals {
    const shape = this.#shape;
    const elapsedMs = atMs - this.#lastMs;
    this.#lastMs = atMs;
    const load = Math.min(1, Math.max(0, shape.load(atMs) * (0.9 + 0.2 * this.#random())));
    if (shape.bursts === true && this.#random() < elapsedMs / (2 * 3_600_000))
      this.#burstMb = 60 + 100 * this.#random();
    this.#burstMb *= Math.exp(-elapsedMs / 90_000);
    const leakedMb = ((shape.leakMbPerHour ?? 0) * atMs) / 3_600_000;
    const of = (pool: NonNullable<ProcessShape['pool']>): number => ((shape.pool ?? 'heap') === pool ? leakedMb : 0);
    const liveMb = shape.baseMb + shape.loadMb * load + this.#cacheMb(atMs) + this.#burstMb + of('heap');
    this.#garbageMb += (shape.garbageMbPerHour * load * elapsedMs) / 3_600_000;
    this.#externalGarbageMb += (shape.garbageMbPerHour * 0.1 * load * elapsedMs) / 3_600_000;
    // V8 lets the old generation grow by about half before it collects all of it.
    const isCollected = this.isCollectionForced || this.#garbageMb > 0.5 * liveMb + 20 * this.#random();
    if (isCollected) this.#garbageMb = this.#externalGarbageMb = 0;
    this.isCollectionForced = false;
    const youngMb = 16 * this.#random();
    const heapMb = liveMb + this.#garbageMb + youngMb;
    const heapTotalMb = heapMb * 1.1 + 8;
    const externalMb = 6 + 8 * load * this.#random() + this.#externalGarbageMb + of('external');
    const nativeMb = 38 + 4 * this.#random() + 6 * load + of('native');
    // Freed memory goes back in part, and late.
    this.#rssTopMb = Math.max(heapTotalMb + externalMb + nativeMb, this.#rssTopMb * Math.exp(-elapsedMs / 1_800_000));
    const rssMb = heapTotalMb + externalMb + nativeMb + 0.15 * (this.#rssTopMb - heapTotalMb - externalMb - nativeMb);
    return {
      targetId: 'target',
      instanceId: '1-1',
      at: new Date(startMs + atMs).toISOString(),
      error: null,
      problems: [],
      memory: {
        rssBytes: rssMb * mb,
        heapUsedBytes: heapMb * mb,
        heapTotalBytes: heapTotalMb * mb,
        heapLimitBytes: shape.heapLimitMb * mb,
        externalBytes: externalMb * mb,
        arrayBuffersBytes: externalMb * 0.7 * mb,
        containerLimitBytes: shape.containerLimitMb * mb,
        spaces: [{ name: 'new_space', usedBytes: youngMb * mb, sizeBytes: 16 * mb }],
      },
      cpu: {
        userCores: load,
        systemCores: 0,
        mainCores: load,
        workerCores: 0,
        otherCores: 0,
        starvedRatio: shape.starved?.(atMs) ?? null,
      },
      nodeLoad: null,
      loop: { utilization: load, delayMeanMs: null, delayP99Ms: null, delayMaxMs: null, turnsPerSecond: null },
      gc: {
        count: isCollected ? 1 : 0,
        pauseMs: isCollected ? 50 : 0,
        kinds: isCollected ? [{ kind: 'MarkSweepCompact', count: 1, pauseMs: 50 }] : [],
      },
      activeResources: [],
      uptimeMs: atMs,
      measures: null,
      threads: [],
      omittedThreads: 0,
      cgroup: null,
    };
  }

  #cacheMb(atMs: number): number {
    const { cache } = this.#shape;
    if (cache === undefined) return 0;
    return cache.mb * (cache.isLinear === true ? Math.min(1, atMs / cache.tauMs) : 1 - Math.exp(-atMs / cache.tauMs));
  }
}
