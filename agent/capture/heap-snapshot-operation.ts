import type { SnapshotForecast } from '../../protocol/rest/forecast.ts';
import type { Profile } from '../../protocol/rest/profile.ts';
import { programKeyOf } from '../store/snapshot-history.ts';
import { draftOf, type CaptureJob } from './capture-job.ts';
import { captureHeapSnapshot, type SnapshotRecording } from './heap-snapshot.ts';
import type { OperationEnding } from './operation-record.ts';

export interface SnapshotParameters {
  readonly forecast: SnapshotForecast;
  readonly force: boolean;
}

/** One heap snapshot of one thread; what it was predicted to cost and did cost goes into its metadata and into the next prediction. */
export async function runHeapSnapshotOperation(
  job: CaptureJob,
  parameters: SnapshotParameters,
): Promise<OperationEnding> {
  const { forecast, force } = parameters;
  const { attachment } = job.watcher;
  const thread = attachment.thread(job.threadId);
  const expectedBytes = (forecast.predictedFileBytes.low + forecast.predictedFileBytes.high) / 2;
  const writer = await job.store.create(draftOf(job, thread.thread), { expectedBytes });
  try {
    const recording = await captureHeapSnapshot({
      attachment,
      thread,
      writer,
      expectedBytes,
      abandon: job.abandon,
      onProgress: throttled((progress) => job.record.progress(progress)),
    });
    const profile = await writer.finish({
      endedAt: new Date(recording.endedAtMs).toISOString(),
      durationMs: recording.endedAtMs - recording.startedAtMs,
      complete: true,
      incompleteReason: null,
      cost: recording.cost,
      cpu: null,
      snapshot: factsOf(recording, parameters),
      sampling: null,
      clock: recording.clock,
      warnings: force && forecast.verdict === 'refuse' ? [`taken with force: ${forecast.reason}`] : [],
    });
    remember(job, { profile, forecast });
    job.record.addProfile(profile.id);
    return { state: 'succeeded' };
  } catch (error) {
    await writer.abandon();
    throw error;
  }
}

function factsOf(recording: SnapshotRecording, { forecast, force }: SnapshotParameters): Profile['snapshot'] {
  return {
    forced: force,
    predictedPeakBytes: forecast.predictedPeakBytes,
    predictedPauseMs: forecast.predictedPauseMs,
    actualPeakBytes: recording.cost.rssPeakBytes,
    actualPauseMs: recording.pauseMs,
    nodes: recording.nodes,
    edges: recording.edges,
  };
}

function remember(job: CaptureJob, { profile, forecast }: { profile: Profile; forecast: SnapshotForecast }): void {
  const key = programKeyOf(profile.target);
  const { rssPeakBytes, rssBeforeBytes, pauseMs } = profile.cost;
  // A worker's heap tells nothing about the main thread's. Without a new high-water mark of RSS there is nothing to learn.
  if (key === undefined || profile.thread.kind !== 'main' || rssPeakBytes === null || rssBeforeBytes === null) return;
  // A second snapshot reuses pages that the first left behind and looks cheaper than it is for a new process: the dearest counts.
  const earlier = job.store.lastSnapshot(key);
  const earlierExtraBytes = ((earlier?.actualExtraBytes ?? 0) / (earlier?.heapUsedBytes || 1)) * forecast.heapUsedBytes;
  job.store.rememberSnapshot(key, {
    takenAt: profile.startedAt,
    predictedExtraBytes: forecast.predictedExtraBytes,
    actualExtraBytes: Math.round(Math.max(earlierExtraBytes, rssPeakBytes - rssBeforeBytes)),
    predictedPauseMs: forecast.predictedPauseMs,
    actualPauseMs: pauseMs,
    heapUsedBytes: forecast.heapUsedBytes,
    oldSpaceBytes: forecast.oldSpaceBytes,
    largeObjectBytes: forecast.largeObjectBytes,
    fileBytes: profile.sizeBytes,
  });
}

/** A chunk arrives every few milliseconds; people and the event stream want a few steps a second. */
function throttled<T>(report: (value: T) => void): (value: T) => void {
  let lastMs = -Infinity;
  return (value) => {
    const nowMs = performance.now();
    if (nowMs - lastMs < 250) return;
    lastMs = nowMs;
    report(value);
  };
}
