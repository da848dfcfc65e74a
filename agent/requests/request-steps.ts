import { Histogram } from './histogram.ts';

export interface RequestSum {
  requests: number;
  failed: number;
  readonly durations: Histogram;
}

export interface RequestStep extends RequestSum {
  /** Of the busiest routes only. */
  readonly routes: Map<string, RequestSum>;
}

export interface EndedRequest {
  readonly name: string;
  readonly endMs: number;
  readonly durationMs: number;
  readonly failed: boolean;
}

/** The last `maxSteps` steps of one length, by their number since the epoch. A step of a busy service takes about 2 kB. */
export class RequestSteps {
  readonly stepMs: number;
  readonly #maxSteps: number;
  readonly #steps = new Map<number, RequestStep>();
  #newest = -Infinity;

  constructor({ stepMs, maxSteps }: { stepMs: number; maxSteps: number }) {
    this.stepMs = stepMs;
    this.#maxSteps = maxSteps;
  }

  /** False for one that ended before the oldest step. `tracked`: routes that have a histogram of their own. */
  add(request: EndedRequest, tracked: ReadonlySet<string>): boolean {
    const index = Math.floor(request.endMs / this.stepMs);
    if (index <= this.#newest - this.#maxSteps) return false;
    const step = this.#steps.get(index) ?? this.#create(index);
    count(step, request);
    if (!tracked.has(request.name)) return true;
    let route = step.routes.get(request.name);
    if (route === undefined) step.routes.set(request.name, (route = newSum()));
    count(route, request);
    return true;
  }

  /** Undefined where no request ended in that step. */
  at(startMs: number): RequestStep | undefined {
    return this.#steps.get(Math.floor(startMs / this.stepMs));
  }

  #create(index: number): RequestStep {
    const step = { ...newSum(), routes: new Map<string, RequestSum>() };
    this.#steps.set(index, step);
    if (index < this.#newest) return step;
    this.#newest = index;
    for (const old of this.#steps.keys()) if (old <= index - this.#maxSteps) this.#steps.delete(old);
    return step;
  }
}

export function newSum(): RequestSum {
  return { requests: 0, failed: 0, durations: new Histogram() };
}

export function addSum(to: RequestSum, from: RequestSum): void {
  to.requests += from.requests;
  to.failed += from.failed;
  to.durations.merge(from.durations);
}

function count(sum: RequestSum, { durationMs, failed }: EndedRequest): void {
  sum.requests += 1;
  if (failed) sum.failed += 1;
  sum.durations.add(durationMs);
}
