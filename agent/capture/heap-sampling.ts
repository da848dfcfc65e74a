import { isSidescopeError, SidescopeError } from '../../protocol/error.ts';
import { identityExpression } from '../../protocol/inspector/expressions.ts';
import { sliceResultValue } from '../../protocol/inspector/message-bytes.ts';
import { decodeIdentity, type ClockReading } from '../../protocol/inspector/readings.ts';
import type { CaptureCost, SamplingMode } from '../../protocol/rest/profile.ts';
import type { AttachedThread, Attachment } from '../attach/attachment.ts';
import { ExitRescue, hasLeftAtExit, type CaptureEnd } from './capture-end.ts';
import { HeapSampler, readClock } from './heap-sampler.ts';
import { readUsage } from './read-usage.ts';

const commandTimeoutMs = 10_000;

export interface SamplingRecording {
  /** The .heapprofile, byte for byte as V8 wrote it. */
  readonly profile: Uint8Array;
  readonly startedAtMs: number;
  readonly endedAtMs: number;
  readonly end: CaptureEnd;
  readonly clock: ClockReading | null;
  readonly cost: CaptureCost;
}

export interface SamplingCaptureOptions {
  readonly attachment: Attachment;
  readonly thread: AttachedThread;
  readonly mode: SamplingMode;
  readonly intervalBytes: number;
  readonly durationMs: number;
  /** Ends the capture early and keeps it; its reason is the CaptureEnd. */
  readonly endEarly: AbortSignal;
  /** Stops waiting for V8's last answer; its reason is the error. */
  readonly abandon: AbortSignal;
  readonly onSampling: () => void;
}

/**
 * One allocation profile of one thread. Costs the target nothing measurable while it runs (512 KiB), and at the end a full collection: 10-55 ms
 * at 80 MB of heap, 700 ms at 500 MB. When the target exits meanwhile, V8 still answers inside the exit. The caller sees to it that one runs
 * per thread: V8 has one sampler per isolate, takes a second start for done, and ends it with the first stop.
 * Rejects with `target-gone`, `inspector-timeout`, `capture-interrupted` when somebody else ended the sampler.
 */
export async function captureHeapSampling(options: SamplingCaptureOptions): Promise<SamplingRecording> {
  const { session } = options.thread;
  using rescue = new ExitRescue(options.attachment, options.endEarly);
  const before = await readUsage(session);
  await using sampler = await HeapSampler.start(session, options);
  const startedAtMs = Date.now();
  options.onSampling();
  const clock = await readClock(session, commandTimeoutMs);
  const ended = await rescue.end.wait(options.durationMs - (Date.now() - startedAtMs), session.ended);
  const { answer, pauseMs } = await sampler.stop(options.abandon);
  const endedAtMs = Date.now();
  rescue.received();
  const after = (await hasLeftAtExit(options.attachment)) ? undefined : await readUsage(session);
  return {
    profile: sliceResultValue(answer, 'profile'),
    startedAtMs,
    endedAtMs,
    end: ended,
    clock,
    cost: {
      pauseMs,
      rssBeforeBytes: before?.rssBytes ?? null,
      rssAfterBytes: after?.rssBytes ?? null,
      rssPeakBytes: null,
    },
  };
}

/** Packages that use V8's heap profiler from inside the target. `@sentry/profiling-node` and `newrelic` take CPU profiles only. */
const heapProfilers = ['@datadog/pprof', '@pyroscope/nodejs', '@google-cloud/profiler'];

/**
 * Why the thread's sampler may not be used, or undefined: one that runs now is somebody else's, since V8 refuses to read one that does not; and a
 * profiler that is only loaded would fail for good when it starts beside ours. Costs a thread without sampler nothing, one with it a collection at most.
 */
export async function foreignHeapProfiler({ session, thread }: AttachedThread): Promise<SidescopeError | undefined> {
  const { agents } = decodeIdentity(await session.evaluate(identityExpression, { timeoutMs: commandTimeoutMs }));
  const loaded = heapProfilers.find((name) => agents.includes(name));
  if (loaded !== undefined) {
    return new SidescopeError('profiler-active', `${loaded} is loaded in ${thread.id} and uses its heap profiler`);
  }
  try {
    await session.sendForBytes('HeapProfiler.getSamplingProfile', {}, { timeoutMs: commandTimeoutMs });
  } catch (error) {
    if (isSidescopeError(error, 'inspector-refused')) return undefined;
    throw error;
  }
  return new SidescopeError('profiler-active', `somebody else samples the heap of ${thread.id} now`);
}
