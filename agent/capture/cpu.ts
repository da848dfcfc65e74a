import { isSidescopeError, SidescopeError } from '../../protocol/error.ts';
import { clockExpression } from '../../protocol/inspector/expressions.ts';
import { sliceResultValue } from '../../protocol/inspector/message-bytes.ts';
import { decodeClock, type ClockReading } from '../../protocol/inspector/readings.ts';
import type { CaptureCost } from '../../protocol/rest/profile.ts';
import type { AttachedThread, Attachment } from '../attach/attachment.ts';
import type { Session } from '../attach/session.ts';
import { ExitRescue, hasLeftAtExit, type CaptureEnd } from './capture-end.ts';
import { readUsage } from './read-usage.ts';
import { startProfiler } from './start-profiler.ts';

/** The target may be inside a native call; then the answer comes at that call's end. */
const stopTimeoutMs = 60_000;
const commandTimeoutMs = 10_000;

export interface CpuRecording {
  /** The .cpuprofile, byte for byte as V8 wrote it. */
  readonly profile: Uint8Array;
  readonly startedAtMs: number;
  readonly endedAtMs: number;
  readonly end: CaptureEnd;
  readonly clock: ClockReading | null;
  readonly cost: CaptureCost;
  readonly warnings: readonly string[];
}

export interface CpuCaptureOptions {
  readonly attachment: Attachment;
  readonly thread: AttachedThread;
  readonly intervalUs: number;
  readonly durationMs: number;
  /** Undefined for where it pauses the target shortly. */
  readonly deoptimize?: boolean | undefined;
  /** Ends the capture early and keeps it; its reason is the CaptureEnd. */
  readonly endEarly: AbortSignal;
  readonly onSampling: () => void;
  /** Before `Profiler.stop` is sent. */
  readonly onEnding?: (() => void) | undefined;
}

/**
 * One CPU profile of one thread. When the target exits meanwhile, V8 still answers `Profiler.stop` inside the exit, so what was sampled is
 * kept. Rejects with `target-gone` when there was no time for that, `inspector-timeout`, `inspector-refused`.
 */
export async function captureCpu(options: CpuCaptureOptions): Promise<CpuRecording> {
  const { session } = options.thread;
  using rescue = new ExitRescue(options.attachment, options.endEarly);
  const before = await readUsage(session);
  await using _profiler = await enableProfiler(options.attachment, session);
  await session.send('Profiler.setSamplingInterval', { interval: options.intervalUs }, { timeoutMs: commandTimeoutMs });
  const startMs = performance.now();
  const lacks = await startProfiler(session, { asked: options.deoptimize, usage: before });
  const startedAtMs = Date.now();
  const startPauseMs = performance.now() - startMs;
  options.onSampling();
  const warnings = [...lacks];
  const clock = await readClock(session, warnings);
  const ended = await rescue.end.wait(options.durationMs - (Date.now() - startedAtMs), session.ended);
  options.onEnding?.();
  const stopMs = performance.now();
  const answer = await session.sendForBytes('Profiler.stop', {}, { timeoutMs: stopTimeoutMs });
  const endedAtMs = Date.now();
  rescue.received();
  const stopPauseMs = performance.now() - stopMs;
  const after = (await hasLeftAtExit(options.attachment)) ? undefined : await readUsage(session);
  return {
    profile: sliceResultValue(answer, 'profile'),
    startedAtMs,
    endedAtMs,
    end: ended,
    clock,
    cost: {
      pauseMs: Math.round(Math.max(startPauseMs, stopPauseMs) * 10) / 10,
      rssBeforeBytes: before?.rssBytes ?? null,
      rssAfterBytes: after?.rssBytes ?? null,
      rssPeakBytes: null,
    },
    warnings,
  };
}

async function enableProfiler(attachment: Attachment, session: Session): Promise<AsyncDisposable> {
  await session.send('Profiler.enable', {}, { timeoutMs: commandTimeoutMs });
  return {
    async [Symbol.asyncDispose]() {
      if (session.ended.aborted || attachment.isExiting) return;
      try {
        // Also ends a profile that still runs, when the capture failed half-way.
        await session.send('Profiler.disable', {}, { timeoutMs: commandTimeoutMs });
      } catch (error) {
        // Gone: nothing to disable. Timed out: the command waits in the target's queue and is carried out when it turns again.
        if (!isSidescopeError(error, 'target-gone') && !isSidescopeError(error, 'inspector-timeout')) throw error;
      }
    },
  };
}

async function readClock(session: Session, warnings: string[]): Promise<ClockReading | null> {
  try {
    return decodeClock(await session.evaluate(clockExpression, { timeoutMs: commandTimeoutMs }));
  } catch (error) {
    if (session.ended.aborted || !(error instanceof SidescopeError)) throw error;
    warnings.push(`the target's clock could not be read: ${error.message}`);
    return null;
  }
}
