import { isSidescopeError, SidescopeError } from '../../protocol/error.ts';
import type { AttachedThread, Attachment } from '../attach/attachment.ts';
import { sourceMapContext } from '../source-maps/context.ts';
import type { PathMapping } from '../source-maps/target-files.ts';
import type { ArtifactWriter } from '../store/artifact.ts';
import { CaptureEnding, earlyReason, hasLeftAtExit, type CaptureEnd } from './capture-end.ts';
import { draftOf, type CaptureJob } from './capture-job.ts';
import { keepJoined } from './keep-joined.ts';
import type { ProfileWorker } from './profile-worker.ts';
import { TargetRecorder } from './recorder-target.ts';
import type { WindowDraft } from './recorder-windows.ts';
import { SpanCapture, type SpanReadingOptions } from './span-reading.ts';
import { WindowSpill } from './window-spill.ts';

/** V8 answers with one message: 10 minutes at 1 ms have 7 MB, which it also builds as a string in the target. */
const oneMessageSamples = 600_000;
const oneMessageMs = 3_600_000;
/** 1-2 MB of JSON: joining holds one of them, parsed, beside the tree. */
const windowSamples = 100_000;
const windowMaxMs = 600_000;

export interface ThreadParameters {
  readonly durationMs: number;
  readonly intervalUs: number;
  /** Undefined for where it pauses the target shortly. */
  readonly deoptimize?: boolean | undefined;
  readonly worker: ProfileWorker;
  readonly sourceMapPaths: readonly PathMapping[];
  readonly attachment: Attachment;
  readonly thread: AttachedThread;
  readonly onSampling: () => void;
  readonly spanReading?: SpanReadingOptions | undefined;
}

/** `reason`: why it is not all that was asked for; null when it is. */
interface ThreadResult {
  readonly reason: string | null;
  readonly isEmpty: boolean;
}

/** What hands out windows from now on: the flight recorder, or a recorder of the capture's own. */
export type WindowFeed = Pick<TargetRecorder, 'take'>;

export function isLong({ durationMs, intervalUs }: Pick<ThreadParameters, 'durationMs' | 'intervalUs'>): boolean {
  return durationMs > oneMessageMs || (durationMs * 1000) / intervalUs > oneMessageSamples;
}

/** A profile too long for one message: in windows of its own, so that neither side holds more than one of them. */
export async function recordLong(job: CaptureJob, parameters: ThreadParameters): Promise<ThreadResult> {
  const { intervalUs, attachment, thread } = parameters;
  await using own = new TargetRecorder({
    target: job.watcher.view,
    attachment,
    thread,
    deoptimize: parameters.deoptimize,
    tempo: { intervalUs, windowMs: Math.min(windowMaxMs, Math.floor((windowSamples * intervalUs) / 1000)) },
    log: job.log,
    onWindow: () => undefined,
    onPausing: () => undefined,
    onState: () => undefined,
  });
  return await recordWindows(job, { ...parameters, feed: own });
}

/** A profile made of windows, from the next one on. They go to disk as they end; the process that reads profiles joins them. */
export async function recordWindows(
  job: CaptureJob,
  parameters: ThreadParameters & { feed: WindowFeed; warnings?: readonly string[] | undefined },
): Promise<ThreadResult> {
  const { durationMs, intervalUs, attachment, thread, spanReading = { rateHz: 0 } } = parameters;
  const samples = Math.ceil((durationMs * 1000) / intervalUs);
  // The windows, compressed; their samples beside each other; and what they are joined to.
  const expectedBytes = 1024 * 1024 + samples * 24;
  const writer = await job.store.create(draftOf(job, thread.thread), { expectedBytes });
  using spans = new SpanCapture(job, { attachment, thread, profileId: writer.profileId, options: spanReading });
  try {
    await using spill = new WindowSpill(`${writer.temporaryPath}.windows`);
    const taken = await takeWindows(job, { ...parameters, spill, spans });
    return await keep(job, { ...parameters, writer, spill, spans, taken });
  } catch (error) {
    await writer.abandon();
    throw error;
  }
}

interface Taken {
  readonly end: CaptureEnd;
  readonly first: WindowDraft;
  readonly last: WindowDraft;
  readonly pauseMs: number;
  /** What the windows lack. */
  readonly warnings: ReadonlySet<string>;
}

async function takeWindows(
  job: CaptureJob,
  parts: ThreadParameters & { feed: WindowFeed; spill: WindowSpill; spans: SpanCapture },
): Promise<Taken> {
  const { attachment, thread, durationMs, onSampling, feed, spill, spans } = parts;
  const ending = new CaptureEnding(job.endEarly);
  // The recording itself is rescued by who owns it.
  using _exit = attachment.onExit(async () => ending.now('target-exit'));
  let first: WindowDraft | undefined;
  let last: WindowDraft | undefined;
  let pauseMs = 0;
  const warnings = new Set<string>();
  const taking = await feed.take((window) => {
    first ??= window;
    last = window;
    pauseMs = Math.max(pauseMs, window.facts.pauseMs ?? 0);
    for (const warning of window.facts.warnings ?? []) warnings.add(warning);
    spill.add(window.gzip);
    job.record.progress({ ...job.record.view.progress, bytes: spill.sizeBytes });
  });
  onSampling();
  spans.start();
  const end = await untilEnd(ending, { durationMs, gone: thread.session.ended });
  spans[Symbol.dispose]();
  // The last window comes in the exit, and nothing of ours may hold that.
  await hasLeftAtExit(attachment);
  await taking.end();
  if (first === undefined || last === undefined)
    throw new SidescopeError('capture-interrupted', 'no window was recorded before the end');
  return { end, first, last, pauseMs, warnings };
}

/** What was recorded before the connection was lost is kept. */
async function untilEnd(
  ending: CaptureEnding,
  { durationMs, gone }: { durationMs: number; gone: AbortSignal },
): Promise<CaptureEnd> {
  try {
    return await ending.wait(durationMs, gone);
  } catch (error) {
    if (isSidescopeError(error, 'target-gone')) return 'target-exit';
    throw error;
  }
}

async function keep(
  job: CaptureJob,
  parts: ThreadParameters & {
    writer: ArtifactWriter;
    spill: WindowSpill;
    spans: SpanCapture;
    taken: Taken;
    warnings?: readonly string[] | undefined;
  },
): Promise<ThreadResult> {
  const { worker, sourceMapPaths, durationMs, writer, spill, spans } = parts;
  const { end, first, last, pauseMs } = parts.taken;
  const tookMs = Math.round((last.endUs - first.startUs) / 1000);
  const early = earlyReason(end, { tookMs, durationMs });
  const warnings = [...(parts.warnings ?? parts.taken.warnings)];
  await spans.finish(warnings);
  const profile = await keepJoined({
    store: job.store,
    worker,
    writer,
    sources: await spill.sources(),
    sourceMaps: sourceMapContext(job.watcher, sourceMapPaths),
    startedAtMs: last.endedAtMs - tookMs,
    endedAtMs: last.endedAtMs,
    clock: last.facts.clock,
    pauseMs,
    warnings,
    incompleteReason: ({ gaps }) =>
      early ?? (gaps.length > 0 ? `${gaps.length} gaps, in which the target could not be sampled` : null),
  });
  job.record.addProfile(profile.id);
  return { reason: profile.incompleteReason, isEmpty: profile.cpu?.samples === 0 };
}
