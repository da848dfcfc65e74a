import type { EventEmitter } from 'node:events';
import type { SnapshotForecast } from '../../protocol/rest/forecast.ts';
import type { Operation } from '../../protocol/rest/operation.ts';

export interface CaptureRequest {
  /** May be left out when there is one target only: else `target-required`. */
  readonly targetId?: string | undefined;
  /** `main`, `all` or a thread id. Default main. */
  readonly thread?: string | undefined;
  /** Who asked: the credential's name. */
  readonly startedBy: string;
}

export interface CpuRequest extends CaptureRequest {
  readonly durationMs?: number | undefined;
  readonly intervalUs?: number | undefined;
}

export interface SnapshotRequest extends CaptureRequest {
  readonly force?: boolean | undefined;
}

/**
 * The operations. Every start validates against the target's present state and the limiter, and rejects with a
 * SidescopeError (`target-not-attached`, `unknown-thread`, `too-many-captures` with `details.retryAfterSeconds`,
 * `snapshot-refused` with the forecast in `details`, `disk-budget`, ...) before the target is touched.
 */
export declare class Captures extends EventEmitter<{ change: [Operation] }> {
  startCpu(request: CpuRequest): Promise<Operation>;
  /** Ends the running (or queued) CPU capture of the target early and keeps what was sampled. `nothing-to-stop`. */
  stopCpu(request: { targetId?: string | undefined }): Promise<Operation>;
  startHeapSnapshot(request: SnapshotRequest): Promise<Operation>;
  forecastHeapSnapshot(request: {
    targetId?: string | undefined;
    thread?: string | undefined;
  }): Promise<SnapshotForecast>;
  /** Newest first. */
  list(): readonly Operation[];
  /** Throws `unknown-operation`. */
  get(id: string): Operation;
  /** CPU: keeps a readable partial profile. Snapshot: abandons the file; a warning says that the pause goes on. `operation-ended`. */
  cancel(id: string, by: string): Promise<Operation>;
  /** Resolves with the operation when it has ended, or as it is after `timeoutMs`. */
  waitFor(id: string, options: { timeoutMs: number; signal?: AbortSignal }): Promise<Operation>;
}
