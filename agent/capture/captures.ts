import { SidescopeError } from '../../protocol/error.ts';
import { memoryExpression } from '../../protocol/inspector/expressions.ts';
import { decodeMemory } from '../../protocol/inspector/readings.ts';
import type { SnapshotForecast } from '../../protocol/rest/forecast.ts';
import { invalidParameter } from '../../protocol/rest/invalid-request.ts';
import { cpuDurationMs, cpuIntervalUs, samplingDurationMs, samplingIntervalBytes } from '../../protocol/rest/limits.ts';
import type { Operation } from '../../protocol/rest/operation.ts';
import type { SamplingMode } from '../../protocol/rest/profile.ts';
import type { Stacks } from '../../protocol/rest/stacks.ts';
import type { TargetWatcher } from '../attach/target-watcher.ts';
import type { FrameOriginals } from '../source-maps/frame-originals.ts';
import type { PathMapping } from '../source-maps/target-files.ts';
import { programKeyOf } from '../store/snapshot-history.ts';
import { refuseChurn, refuseLongProfile } from './capture-checks.ts';
import type { CaptureJob } from './capture-job.ts';
import { runCpuOperation } from './cpu-operation.ts';
import { forecastSnapshot } from './forecast.ts';
import { foreignHeapProfiler } from './heap-sampling.ts';
import { runHeapSamplingOperation } from './heap-sampling-operation.ts';
import { runHeapSnapshotOperation } from './heap-snapshot-operation.ts';
import type { OperationEnding } from './operation-record.ts';
import { Operations, type CaptureRequest, type OperationsOptions } from './operations.ts';
import type { ProfileWorker } from './profile-worker.ts';
import type { FlightRecorder } from './recorder.ts';
import type { SpanReadingOptions } from './span-reading.ts';
import { readStacks, type StackSources } from './stacks.ts';

export interface CpuRequest extends CaptureRequest {
  readonly durationMs?: number | undefined;
  readonly intervalUs?: number | undefined;
  /** Undefined for where it pauses the target shortly. */
  readonly deoptimize?: boolean | undefined;
}

export interface SnapshotRequest extends CaptureRequest {
  readonly force?: boolean | undefined;
}

export interface SamplingRequest extends CaptureRequest {
  readonly durationMs?: number | undefined;
  readonly mode?: SamplingMode | undefined;
  readonly intervalBytes?: number | undefined;
}

export interface CapturesOptions extends OperationsOptions {
  readonly worker: ProfileWorker;
  /** Where directories of the targets are mounted here. */
  readonly sourceMapPaths?: readonly PathMapping[] | undefined;
  readonly frameOriginals?: FrameOriginals | undefined;
  /** What the stall watch knows of a thread's turn. */
  readonly turnOf?: StackSources['turnOf'];
  /** What the agent samples in main threads by itself; a person's capture goes before. */
  readonly search?: { yieldSampler(targetId: string): Promise<Disposable> } | undefined;
  /** What records all the time; a profile without an interval of its own is taken from it. */
  readonly recorder?: Pick<FlightRecorder, 'recording' | 'suspend' | 'lease'> | undefined;
  /** What is read of active spans beside CPU captures; nothing without. */
  readonly spanReading?: SpanReadingOptions | undefined;
  readonly livenessBudgetMs: number;
}

/**
 * What can be taken of a target. Every start is checked against the target's present state and the limiter before the target is touched, and rejects
 * with a SidescopeError: those of `Operations`, `snapshot-refused` with the forecast in `details`, `disk-budget` and others.
 */
export class Captures extends Operations {
  readonly #options: CapturesOptions;
  readonly #stacks = new Map<TargetWatcher, Promise<Stacks>>();

  constructor(options: CapturesOptions) {
    super(options);
    this.#options = options;
  }

  async startCpu(request: CpuRequest): Promise<Operation> {
    const durationMs = request.durationMs ?? cpuDurationMs.default;
    const intervalUs = request.intervalUs ?? this.#recordedIntervalUs(request) ?? cpuIntervalUs.default;
    refuseLongProfile({ durationMs, intervalUs });
    return this.held(request, (hold) =>
      this.begin({
        kind: 'cpu',
        request,
        hold,
        parameters: {
          durationMs,
          intervalUs,
          ...(request.deoptimize !== undefined && { deoptimize: request.deoptimize }),
        },
        run: (job) =>
          runCpuOperation(job, {
            durationMs,
            intervalUs,
            deoptimize: request.deoptimize,
            recorder: this.#options.recorder,
            spanReading: this.#options.spanReading,
            ...this.#reading,
          }),
      }),
    );
  }

  /** Ends the running, or else the queued, CPU capture of the target early and keeps what was sampled. `nothing-to-stop`. */
  async stopCpu(request: { targetId?: string | undefined }): Promise<Operation> {
    return this.stop('cpu', this.#options.targets.watcher(request.targetId));
  }

  async startHeapSnapshot(request: SnapshotRequest): Promise<Operation> {
    if (request.thread === 'all') {
      throw invalidParameter('thread', 'must be main or one worker: a heap snapshot is of one thread', 'all');
    }
    const force = request.force ?? false;
    return this.held(request, async (hold) => {
      // Before there is an operation, so that a refusal is this request's answer, and again when its turn comes.
      await this.#admit(request, force);
      return this.begin({
        kind: 'heap-snapshot',
        request,
        hold,
        parameters: { force },
        run: async (job) => {
          const latest = await this.#admit(request, force);
          return runHeapSnapshotOperation(job, { forecast: latest, force });
        },
      });
    });
  }

  /** Holds no heavy slot, but there is one sampler per thread. `capture-conflict`, `profiler-active`, `unsupported-target`, `too-many-samples`. */
  async startHeapSampling(request: SamplingRequest): Promise<Operation> {
    const { thread: threadId = 'main', mode = 'live' } = request;
    if (threadId === 'all') {
      throw invalidParameter('thread', 'must be main or one worker: a heap sampler is of one thread', 'all');
    }
    const durationMs = request.durationMs ?? samplingDurationMs.default;
    const intervalBytes = request.intervalBytes ?? samplingIntervalBytes.default;
    return this.held(request, async (hold) => {
      const watcher = this.#options.targets.watcher(request.targetId);
      const thread = watcher.attachment.thread(threadId);
      if (mode === 'churn')
        refuseChurn({ durationMs, intervalBytes, nodeVersion: watcher.attachedIdentity.nodeVersion });
      this.refuseTwin({ watcher, kind: 'heap-sampling', threadId });
      const sampler = threadId === 'main' ? await this.#options.search?.yieldSampler(watcher.id) : undefined;
      let finished: Promise<void> | undefined;
      try {
        const foreign = await foreignHeapProfiler(thread);
        // Before what V8 said: it may have seen the sampler of a request that came at the same time as this one.
        this.refuseTwin({ watcher, kind: 'heap-sampling', threadId });
        if (foreign !== undefined) throw foreign;
        const operation = this.begin({
          kind: 'heap-sampling',
          request,
          hold,
          parameters: { durationMs, mode, intervalBytes },
          run: (job) => runHeapSamplingOperation(job, { durationMs, mode, intervalBytes, ...this.#reading }),
        });
        finished = this.finished(operation.id);
        return operation;
      } finally {
        void (finished ?? Promise.resolve()).finally(() => sampler?.[Symbol.dispose]());
      }
    });
  }

  /** An operation that samples in the background and has its own result. `capture-conflict` when one runs on the target. */
  async startLeakSearch(search: {
    request: CaptureRequest;
    parameters: Operation['parameters'];
    run: (job: CaptureJob) => Promise<OperationEnding>;
  }): Promise<Operation> {
    return this.held(search.request, (hold) => {
      const watcher = this.#options.targets.watcher(search.request.targetId);
      this.refuseTwin({ watcher, kind: 'leak-search', threadId: 'main' });
      return this.begin({ kind: 'leak-search', hold, ...search });
    });
  }

  /** What every thread executes now. Costs each about a millisecond, and what is asked while it runs shares its answer. */
  async readStacks(request: { targetId?: string | undefined }): Promise<Stacks> {
    const watcher = this.#options.targets.watcher(request.targetId);
    const running = this.#stacks.get(watcher);
    if (running !== undefined) return running;
    const { frameOriginals: originals, turnOf } = this.#options;
    const read = async (): Promise<Stacks> => {
      using _held = await watcher.hold();
      return await readStacks(watcher, { originals, turnOf });
    };
    const stacks = read().finally(() => this.#stacks.delete(watcher));
    this.#stacks.set(watcher, stacks);
    return stacks;
  }

  /** The admission's answer without the capture. Costs the target one reading of about a millisecond. */
  async forecastHeapSnapshot(request: {
    targetId?: string | undefined;
    thread?: string | undefined;
  }): Promise<SnapshotForecast> {
    const watcher = this.#options.targets.watcher(request.targetId);
    const { session, thread } = watcher.attachment.thread(request.thread ?? 'main');
    const key = programKeyOf(watcher.attachedIdentity);
    return forecastSnapshot({
      targetId: watcher.id,
      thread: thread.id,
      memory: decodeMemory(await session.evaluate(memoryExpression, { timeoutMs: 10_000 })),
      earlier: key === undefined || thread.kind !== 'main' ? undefined : this.#options.store?.lastSnapshot(key),
      livenessBudgetMs: this.#options.livenessBudgetMs,
    });
  }

  async #admit(request: CaptureRequest, force: boolean): Promise<SnapshotForecast> {
    const forecast = await this.forecastHeapSnapshot(request);
    if (forecast.verdict === 'refuse' && !force) {
      throw new SidescopeError('snapshot-refused', forecast.reason, { details: { forecast } });
    }
    return forecast;
  }

  /** Of the main thread alone: what the flight recorder samples at, while it does. */
  #recordedIntervalUs({ targetId, thread = 'main' }: CaptureRequest): number | undefined {
    if (thread !== 'main' && thread !== 'all') return undefined;
    return this.#options.recorder?.recording(this.#options.targets.watcher(targetId).id)?.intervalUs;
  }

  get #reading(): { worker: ProfileWorker; sourceMapPaths: readonly PathMapping[] } {
    const { worker, sourceMapPaths = [] } = this.#options;
    return { worker, sourceMapPaths };
  }
}
