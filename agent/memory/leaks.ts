import type { Feature } from '../../protocol/rest/info.ts';
import type { LeakList, LeakVerdict } from '../../protocol/rest/leaks.ts';
import type { Operation } from '../../protocol/rest/operation.ts';
import { LeakDetector, type LeakDetectorOptions, type LeakEvents } from './leak-detector.ts';
import { LeakInvestigations, type InvestigationRequest, type LeakInvestigationsOptions } from './leak-investigation.ts';

const investigationsShown = 20;

/** The watch for leaks and the guided search, as the agent has them. */
export class Leaks implements AsyncDisposable {
  readonly detector: LeakDetector;
  readonly #investigations: LeakInvestigations;

  readonly #vitalsIntervalMs: number;

  /** With a `vitalsIntervalMs` of 0 nothing is seen. */
  constructor(options: LeakDetectorOptions & LeakInvestigationsOptions & { readonly vitalsIntervalMs: number }) {
    this.detector = new LeakDetector(options);
    this.#investigations = new LeakInvestigations(options);
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
  list(query: { targetId?: string | undefined; limit?: number | undefined; cursor?: string | undefined }): LeakList {
    const { targetId } = query;
    return {
      ...this.detector.list(query),
      investigations: this.#investigations.list({ targetId, limit: investigationsShown }),
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

  async [Symbol.asyncDispose](): Promise<void> {
    await this.detector[Symbol.asyncDispose]();
  }
}
