import type { EndedRequest, SealedSums } from './request-sum.ts';
import { RequestSums } from './request-sum.ts';

/** Requests come late by seconds: newer steps than these are added to all the time. */
const openSteps = 6;

/** The last `maxSteps` steps of one length, by their number since the epoch; all but the newest packed, in about 0.5 kB each. */
export class RequestSteps {
  readonly stepMs: number;
  readonly #maxSteps: number;
  readonly #steps = new Map<number, RequestSums | SealedSums>();
  readonly #open = new Set<number>();
  #newest = -Infinity;

  constructor({ stepMs, maxSteps }: { stepMs: number; maxSteps: number }) {
    this.stepMs = stepMs;
    this.#maxSteps = maxSteps;
  }

  /** False for one that ended before the oldest step: it is left out. `tracked`: routes that have a sum of their own. */
  add(request: EndedRequest, tracked: ReadonlySet<string>): boolean {
    const index = Math.floor(request.endMs / this.stepMs);
    if (index <= this.#newest - this.#maxSteps) return false;
    const sums = this.#opened(index);
    sums.all.add(request);
    if (tracked.has(request.name)) sums.route(request.name).add(request);
    return true;
  }

  /** What ended in the step that begins then. */
  addTo(startMs: number, into: RequestSums): void {
    this.#steps.get(Math.floor(startMs / this.stepMs))?.addTo(into);
  }

  /** Of steps that are in the future since a clock was set back; says how many requests they had. */
  forgetAfter(nowMs: number): number {
    const gone = new RequestSums();
    const newest = Math.floor(nowMs / this.stepMs);
    for (const [index, sums] of this.#steps) {
      if (index <= newest) continue;
      sums.addTo(gone);
      this.#steps.delete(index);
      this.#open.delete(index);
    }
    this.#newest = Math.min(this.#newest, newest);
    return gone.all.requests;
  }

  #opened(index: number): RequestSums {
    const known = this.#steps.get(index);
    if (known instanceof RequestSums) return known;
    const sums = new RequestSums();
    known?.addTo(sums);
    this.#steps.set(index, sums);
    this.#open.add(index);
    if (index > this.#newest) this.#advance(index);
    return sums;
  }

  #advance(newest: number): void {
    this.#newest = newest;
    for (const index of this.#open) {
      if (index > newest - openSteps) continue;
      this.#open.delete(index);
      const sums = this.#steps.get(index);
      if (sums instanceof RequestSums) this.#steps.set(index, sums.seal());
    }
    for (const index of this.#steps.keys()) if (index <= newest - this.#maxSteps) this.#steps.delete(index);
  }
}
