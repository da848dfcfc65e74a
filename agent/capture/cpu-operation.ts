import { isSidescopeError, SidescopeError } from '../../protocol/error.ts';
import type { CpuProblem } from '../../protocol/cpu-profile/facts.ts';
import type { AttachedThread, Attachment } from '../attach/attachment.ts';
import type { Session } from '../attach/session.ts';
import { sourceMapContext } from '../source-maps/context.ts';
import type { PathMapping } from '../source-maps/target-files.ts';
import type { ArtifactWriter } from '../store/artifact.ts';
import { draftOf, selectThreads, type CaptureJob } from './capture-job.ts';
import { earlyReason, showSampling } from './capture-end.ts';
import { captureCpu, type CpuRecording } from './cpu.ts';
import { isLong, recordLong, recordWindows } from './cpu-windows.ts';
import { decideDeoptimizing, deoptimize } from './deoptimize.ts';
import { keepOriginals } from './keep-originals.ts';
import type { OperationEnding } from './operation-record.ts';
import type { ProfileWorker } from './profile-worker.ts';
import { readUsage } from './read-usage.ts';
import type { FlightRecorder } from './recorder.ts';
import { SpanCapture, type SpanReadingOptions } from './span-reading.ts';

export interface CpuParameters {
  readonly durationMs: number;
  readonly intervalUs: number;
  /** Undefined for where it pauses the target shortly. */
  readonly deoptimize?: boolean | undefined;
  readonly worker: ProfileWorker;
  readonly sourceMapPaths: readonly PathMapping[];
  /** At the same interval the main thread's profile is taken from it; at another it is suspended meanwhile. */
  readonly recorder?: Pick<FlightRecorder, 'recording' | 'suspend' | 'lease'> | undefined;
  readonly spanReading?: SpanReadingOptions | undefined;
}

const deoptimizeTimeoutMs = 20_000;

/** One artifact per thread, all threads at once. A thread that fails costs only its own artifact. */
export async function runCpuOperation(job: CaptureJob, parameters: CpuParameters): Promise<OperationEnding> {
  const { attachment } = job.watcher;
  const threads = selectThreads(job.watcher, job.threadId);
  using _progress = showSampling(job, parameters.durationMs);
  const starting = new Set(threads);
  const results = await Promise.allSettled(
    threads.map(async (thread) => {
      const onSampling = (): void => {
        if (starting.delete(thread) && starting.size === 0)
          job.record.progress({ phase: 'sampling', fraction: 0, bytes: 0 });
      };
      try {
        return await recordThread(job, { ...parameters, attachment, thread, onSampling });
      } catch (error) {
        onSampling();
        throw error;
      }
    }),
  );
  const kept = results.filter((result) => result.status === 'fulfilled').map(({ value }) => value);
  const failures = results.filter((result) => result.status === 'rejected').map(({ reason }) => reason as unknown);
  for (const error of failures) {
    if (!(error instanceof SidescopeError))
      job.log.error({ err: error, operation: job.record.id }, 'a capture failed by a fault of ours');
  }
  if (kept.length === 0) return { state: 'failed', error: failures[0] };
  const warnings = threads.flatMap((thread, index) => {
    const result = results[index];
    const reason: unknown = result?.status === 'rejected' ? result.reason : undefined;
    return reason === undefined ? [] : [`${thread.thread.id}: ${reason instanceof Error ? reason.message : 'failed'}`];
  });
  const incomplete = kept.find(({ reason }) => reason !== null);
  if (job.endEarly.reason === 'cancelled') {
    const error = new SidescopeError('capture-abandoned', 'cancelled; what was sampled is kept');
    return { state: 'cancelled', error, warnings };
  }
  if (incomplete === undefined && failures.length === 0) return { state: 'succeeded' };
  const error =
    incomplete === undefined
      ? failures[0]
      : new SidescopeError(incomplete.isEmpty ? 'empty-profile' : 'capture-interrupted', incomplete.reason ?? '');
  return { state: 'partial', error, warnings };
}

interface ThreadResult {
  /** Why it is not all that was asked for; null when it is. */
  readonly reason: string | null;
  readonly isEmpty: boolean;
}

async function recordThread(
  job: CaptureJob,
  options: CpuParameters & { attachment: Attachment; thread: AttachedThread; onSampling: () => void },
): Promise<ThreadResult> {
  const { durationMs, intervalUs, attachment, thread } = options;
  const isMain = thread.thread.id === 'main';
  const feed = isMain ? options.recorder?.recording(job.watcher.id) : undefined;
  if (feed?.intervalUs === intervalUs) {
    // Whoever has switched it on may be done with it before this is.
    using _lease = options.recorder?.lease(job.watcher.id);
    const warnings = options.deoptimize === true ? await deoptimizeNow(thread.session) : undefined;
    return await recordWindows(job, { ...options, feed, warnings });
  }
  using _suspended = isMain ? await options.recorder?.suspend(job.watcher.id) : undefined;
  if (isLong(options)) return await recordLong(job, options);
  const draft = draftOf(job, thread.thread);
  const writer = await job.store.create(draft, { expectedBytes: expectedBytes(durationMs, intervalUs) });
  const { spanReading = { rateHz: 0 } } = options;
  using spans = new SpanCapture(job, { attachment, thread, profileId: writer.profileId, options: spanReading });
  try {
    const recording = await captureCpu({
      attachment,
      thread,
      intervalUs,
      durationMs,
      deoptimize: options.deoptimize,
      endEarly: job.endEarly,
      onSampling: () => {
        options.onSampling();
        spans.start();
      },
      onEnding: () => spans[Symbol.dispose](),
    });
    return await keep(job, { recording, writer, spans, parameters: options });
  } catch (error) {
    await writer.abandon();
    throw error;
  }
}

/** The recorder has done it when it began, unless the heap was too large. */
async function deoptimizeNow(session: Session): Promise<readonly string[]> {
  const deoptimizing = decideDeoptimizing(true, await readUsage(session));
  if (deoptimizing.deoptimize) await deoptimize(session, deoptimizeTimeoutMs);
  return deoptimizing.warnings;
}

async function keep(
  job: CaptureJob,
  parts: { recording: CpuRecording; writer: ArtifactWriter; spans: SpanCapture; parameters: CpuParameters },
): Promise<ThreadResult> {
  const { recording, writer, spans, parameters } = parts;
  await writer.write(recording.profile);
  await writer.flush();
  const warnings = [...recording.warnings];
  const checked = await checkProfile(job, { parameters, path: writer.temporaryPath, warnings });
  const sourceMaps = keepOriginals(job, { profileId: writer.profileId, originals: checked.originals, warnings });
  await spans.finish(warnings);
  const tookMs = recording.endedAtMs - recording.startedAtMs;
  const early = earlyReason(recording.end, { tookMs, durationMs: parameters.durationMs });
  const reason = checked.problem ?? early;
  const profile = await writer.finish({
    endedAt: new Date(recording.endedAtMs).toISOString(),
    durationMs: tookMs,
    complete: reason === null,
    incompleteReason: reason,
    cost: recording.cost,
    cpu: checked.facts,
    snapshot: null,
    sampling: null,
    ...(sourceMaps !== undefined && { sourceMaps }),
    clock: recording.clock,
    warnings,
  });
  job.record.addProfile(profile.id);
  return { reason, isEmpty: checked.problem !== null };
}

/** The bytes are V8's and are kept whatever the check says; it adds what they hold and what is wrong with them. */
async function checkProfile(
  job: CaptureJob,
  { parameters, path, warnings }: { parameters: CpuParameters; path: string; warnings: string[] },
): Promise<CheckedProfile> {
  const { worker, sourceMapPaths } = parameters;
  try {
    const sourceMaps = sourceMapContext(job.watcher, sourceMapPaths);
    const { facts, problems, originals } = await worker.facts(path, { sourceMaps });
    return { facts, originals, problem: problems[0] === undefined ? null : problemTexts[problems[0]] };
  } catch (error) {
    const unchecked = { facts: null, originals: undefined };
    if (isSidescopeError(error, 'unreadable-profile')) return { ...unchecked, problem: error.message };
    if (!(error instanceof SidescopeError)) throw error;
    warnings.push(`the profile could not be checked: ${error.message}`);
    return { ...unchecked, problem: null };
  }
}

interface CheckedProfile {
  readonly facts: Awaited<ReturnType<ProfileWorker['facts']>>['facts'] | null;
  readonly originals: Awaited<ReturnType<ProfileWorker['facts']>>['originals'] | undefined;
  readonly problem: string | null;
}

const problemTexts: Readonly<Record<CpuProblem, string>> = {
  'no-samples': "V8's sampler took no sample in that time",
  'only-root': "V8's sampler is stuck: every sample holds only the root",
};

/** A sample takes 8-12 bytes, the tree rarely over 2 MB. */
function expectedBytes(durationMs: number, intervalUs: number): number {
  return 512 * 1024 + Math.ceil((durationMs * 1000) / intervalUs) * 12;
}
