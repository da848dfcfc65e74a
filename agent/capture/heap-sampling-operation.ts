import type { HeapSamplingContent } from '../../protocol/heap-sampling/facts.ts';
import { isSidescopeError, SidescopeError } from '../../protocol/error.ts';
import type { SamplingMode } from '../../protocol/rest/profile.ts';
import { sourceMapContext } from '../source-maps/context.ts';
import type { PathMapping } from '../source-maps/target-files.ts';
import type { ArtifactWriter } from '../store/artifact.ts';
import { earlyReason, showSampling } from './capture-end.ts';
import { draftOf, type CaptureJob } from './capture-job.ts';
import { captureHeapSampling, type SamplingRecording } from './heap-sampling.ts';
import { keepOriginals } from './keep-originals.ts';
import type { OperationEnding } from './operation-record.ts';
import type { ProfileWorker } from './profile-worker.ts';

export interface SamplingParameters {
  readonly durationMs: number;
  readonly mode: SamplingMode;
  readonly intervalBytes: number;
  readonly worker: ProfileWorker;
  readonly sourceMapPaths: readonly PathMapping[];
}

/** Live mode holds a sample per 512 KiB of heap; a churn profile is bounded by `samplingMaxSamples`: some 10 MB at most. */
const expectedBytes = 1024 * 1024;

/** One allocation profile of one thread, kept also when it ended early. */
export async function runHeapSamplingOperation(
  job: CaptureJob,
  parameters: SamplingParameters,
): Promise<OperationEnding> {
  const { attachment } = job.watcher;
  const thread = attachment.thread(job.threadId);
  using _progress = showSampling(job, parameters.durationMs);
  const writer = await job.store.create(draftOf(job, thread.thread), { expectedBytes });
  try {
    const recording = await captureHeapSampling({
      ...parameters,
      attachment,
      thread,
      endEarly: job.endEarly,
      abandon: job.abandon,
      onSampling: () => job.record.progress({ phase: 'sampling', fraction: 0, bytes: 0 }),
    });
    const reason = await keep(job, { recording, writer, parameters });
    if (job.endEarly.reason === 'cancelled') {
      return {
        state: 'cancelled',
        error: new SidescopeError('capture-abandoned', 'cancelled; what was sampled is kept'),
      };
    }
    return reason === null
      ? { state: 'succeeded' }
      : { state: 'partial', error: new SidescopeError('capture-interrupted', reason) };
  } catch (error) {
    await writer.abandon();
    throw error;
  }
}

/** Returns why the artifact is not all that was asked for; null when it is. */
async function keep(
  job: CaptureJob,
  parts: { recording: SamplingRecording; writer: ArtifactWriter; parameters: SamplingParameters },
): Promise<string | null> {
  const { recording, writer, parameters } = parts;
  const { durationMs, mode, intervalBytes } = parameters;
  await writer.write(recording.profile);
  await writer.flush();
  const { content, originals, problem, warnings } = await checkProfile(job, {
    parameters,
    path: writer.temporaryPath,
  });
  const tookMs = recording.endedAtMs - recording.startedAtMs;
  const reason = problem ?? earlyReason(recording.end, { tookMs, durationMs });
  job.abandon.throwIfAborted();
  const sourceMaps = keepOriginals(job, { profileId: writer.profileId, originals, warnings });
  const profile = await writer.finish({
    endedAt: new Date(recording.endedAtMs).toISOString(),
    durationMs: tookMs,
    complete: reason === null,
    incompleteReason: reason,
    cost: recording.cost,
    cpu: null,
    snapshot: null,
    sampling: content === null ? null : { mode, intervalBytes, ...content },
    ...(sourceMaps !== undefined && { sourceMaps }),
    clock: recording.clock,
    warnings,
  });
  job.record.addProfile(profile.id);
  return reason;
}

/** The bytes are V8's and are kept whatever the check says. */
async function checkProfile(
  job: CaptureJob,
  { parameters, path }: { parameters: SamplingParameters; path: string },
): Promise<CheckedProfile> {
  const { worker, mode, sourceMapPaths } = parameters;
  try {
    const sourceMaps = sourceMapContext(job.watcher, sourceMapPaths);
    const { content, originals } = await worker.heapSamplingFacts(path, { sourceMaps });
    const isEmpty = content.samples === 0;
    const emptyWarning =
      mode === 'live' ? 'nothing that was sampled is still in memory' : 'nothing was allocated that a sample fell on';
    return { content, originals, problem: null, warnings: isEmpty ? [emptyWarning] : [] };
  } catch (error) {
    const unchecked = { content: null, originals: undefined };
    if (isSidescopeError(error, 'unreadable-profile')) return { ...unchecked, problem: error.message, warnings: [] };
    if (!(error instanceof SidescopeError)) throw error;
    return { ...unchecked, problem: null, warnings: [`the profile could not be checked: ${error.message}`] };
  }
}

interface CheckedProfile {
  readonly content: HeapSamplingContent | null;
  readonly originals: Awaited<ReturnType<ProfileWorker['heapSamplingFacts']>>['originals'] | undefined;
  readonly problem: string | null;
  readonly warnings: string[];
}
