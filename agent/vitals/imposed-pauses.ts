import { isEndedState } from '../../protocol/rest/operation.ts';
import type { Operation } from '../../protocol/rest/operation.ts';

/** A profile's last answer pauses the target; it may come this much before the planned end by our clock. */
const slackMs = 250;

/** What our own captures do to main threads: their pauses are a cost of the capture, and no stalls. */
export class ImposedPauses {
  /** By operation id. */
  readonly #active = new Map<string, Operation>();
  readonly #lastMs = new Map<string, number>();
  /** Targets whose main thread the flight recorder samples. */
  readonly #recorded = new Set<string>();
  /** Targets that a reading of the allocation sites pauses. */
  readonly #reading = new Set<string>();

  /** To be called with every change of an operation. */
  follow(operation: Operation): void {
    const { id, targetId, thread, state, kind } = operation;
    // Its readings tell themselves when they pause; an analysis touches no target.
    if (kind === 'leak-search' || kind === 'heap-analysis') return;
    if (thread !== 'main' && thread !== 'all') return;
    const wasPausing = this.isPausing(targetId);
    if (isEndedState(state)) {
      if (!this.#active.delete(id)) return;
      this.#lastMs.set(targetId, performance.now());
    } else if (state === 'running') {
      this.#active.set(id, operation);
      if (wasPausing && !this.isPausing(targetId)) this.#lastMs.set(targetId, performance.now());
    }
  }

  /** To be called when a reading that forces a collection begins, and when it is over. */
  followReading({ targetId, isPausing }: { targetId: string; isPausing: boolean }): void {
    if (isPausing) this.#reading.add(targetId);
    else if (this.#reading.delete(targetId)) this.#lastMs.set(targetId, performance.now());
  }

  /** To be called when the flight recorder begins and ends. */
  followRecorder({ targetId, isSampling }: { targetId: string; isSampling: boolean }): void {
    if (isSampling) this.#recorded.add(targetId);
    else this.#recorded.delete(targetId);
  }

  /**
   * V8's CPU sampler runs in the main thread. Its signals cut the event loop's waiting short, and libuv forgets what had been waited: an idle target then shows a utilisation
   * of 0.88 at 10 ms, and of 0.95 at 1 ms (18-26).
   */
  isCpuSampled(targetId: string): boolean {
    return this.#recorded.has(targetId) || this.#of(targetId).some(({ kind }) => kind === 'cpu');
  }

  /** One is under way, or may be: a snapshot, the start of a profile, or its planned end. */
  isPausing(targetId: string): boolean {
    if (this.#reading.has(targetId)) return true;
    return this.#of(targetId).some((operation) => !isSampling(operation));
  }

  /** When the last one was over, of `performance.now()`. */
  lastMs(targetId: string): number {
    return this.#lastMs.get(targetId) ?? -Infinity;
  }

  isSampling(targetId: string): boolean {
    return this.#of(targetId).some(isSampling);
  }

  cpuOperationId(targetId: string): string | null {
    return this.#of(targetId).find((operation) => operation.kind === 'cpu' && isSampling(operation))?.id ?? null;
  }

  #of(targetId: string): Operation[] {
    return [...this.#active.values()].filter((operation) => operation.targetId === targetId);
  }
}

function isSampling({ kind, progress, startedAt, parameters }: Operation): boolean {
  if (kind === 'heap-snapshot' || progress.phase !== 'sampling') return false;
  const { durationMs } = parameters;
  return startedAt === null || durationMs === undefined || Date.now() < Date.parse(startedAt) + durationMs - slackMs;
}
