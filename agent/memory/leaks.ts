import type { Feature } from '../../protocol/rest/info.ts';
import type { LeakList, LeakVerdict, ListedLeak } from '../../protocol/rest/leaks.ts';
import type { Operation } from '../../protocol/rest/operation.ts';
import { LeakDetector, type LeakDetectorOptions, type LeakEvents } from './leak-detector.ts';
import { LeakInvestigations, type InvestigationRequest, type LeakInvestigationsOptions } from './leak-investigation.ts';
import { withoutHeapScope, type LeakSnapshots } from './leak-snapshots.ts';

const investigationsShown = 20;

/** The watch for leaks and the guided search, as the agent has them. */
export class Leaks implements AsyncDisposable {
  readonly detector: LeakDetector;
  readonly #investigations: LeakInvestigations;

  readonly #vitalsIntervalMs: number;
  readonly #snapshots: LeakSnapshots;

  /** With a `vitalsIntervalMs` of 0 nothing is seen. */
  constructor(options: LeakDetectorOptions & LeakInvestigationsOptions & { readonly vitalsIntervalMs: number }) {
    this.detector = new LeakDetector(options);
    this.#investigations = new LeakInvestigations(options);
    this.#snapshots = options.snapshots;
    this.#vitalsIntervalMs = options.vitalsIntervalMs;
  }

  feature(): Feature {
    if (this.#vitalsIntervalMs > 0) return { name: 'leak-watch', state: 'on', reason: null, remedy: null };
    return {
      name: 'leak-watch',
      state: 'off',
      reason: '--vitals-interval is 0: no memory is read',
      remedy: 'Set --vitals-interval, such as 5s.',
    };
  }

  /** Throws `storage-failed`, `invalid-request` for a cursor that is none. */
  list(query: {
    targetId?: string | undefined;
    limit?: number | undefined;
    cursor?: string | undefined;
    /** Whether it is told what is in heap snapshots. */
    mayReadHeap: boolean;
  }): LeakList {
    const { targetId, mayReadHeap } = query;
    const found = this.detector.list(query);
    const investigations = this.#investigations.list({ targetId, limit: investigationsShown });
    return {
      ...found,
      verdicts: found.verdicts.map((verdict) => this.#withHeap(verdict, mayReadHeap)),
      investigations: mayReadHeap
        ? investigations
        : investigations.map((each) => (each.heap === undefined ? each : { ...each, heap: withoutHeapScope })),
    };
  }

  on<Name extends keyof LeakEvents>(event: Name, listener: (...values: LeakEvents[Name]) => void): void {
    this.detector.on(event, listener as never);
  }

  off<Name extends keyof LeakEvents>(event: Name, listener: (...values: LeakEvents[Name]) => void): void {
    this.detector.off(event, listener as never);
  }

  verdicts(targetId: string): readonly LeakVerdict[] {
    return this.detector.verdicts(targetId);
  }

  investigate(request: InvestigationRequest): Promise<Operation> {
    return this.#investigations.start(request);
  }

  #withHeap(verdict: LeakVerdict, mayReadHeap: boolean): ListedLeak {
    // Of native memory a snapshot knows nothing; the owners of Buffers are in it.
    if (verdict.verdict === 'settled' || verdict.pool === 'native') return verdict;
    return { ...verdict, heap: mayReadHeap ? this.#snapshots.evidence(verdict) : withoutHeapScope };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.detector[Symbol.asyncDispose]();
  }
}
