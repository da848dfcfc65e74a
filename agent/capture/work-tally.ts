import { isSidescopeError } from '../../protocol/error.ts';

/** How often work on snapshots ended how, and how long all of it took; read by the metrics. */
export class WorkTally {
  readonly #results = new Map<string, number>();
  #totalMs = 0;

  /** `ok`, `aborted`, or the code of what went wrong; refused work too, which took no time. */
  get results(): ReadonlyMap<string, number> {
    return this.#results;
  }

  get totalMs(): number {
    return this.#totalMs;
  }

  /** `startMs` of `performance.now`; without it the work did not begin. */
  count(result: string, startMs?: number): void {
    this.#results.set(result, (this.#results.get(result) ?? 0) + 1);
    if (startMs !== undefined) this.#totalMs += performance.now() - startMs;
  }

  countFailure(error: unknown, startMs?: number): void {
    this.count(isSidescopeError(error) ? error.code : 'unexpected', startMs);
  }
}
