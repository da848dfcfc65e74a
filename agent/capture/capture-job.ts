import type { Profile } from '../../protocol/rest/profile.ts';
import type { Thread } from '../../protocol/rest/target.ts';
import type { AttachedThread } from '../attach/attachment.ts';
import type { TargetWatcher } from '../attach/target-watcher.ts';
import type { ProfileDraft } from '../store/artifact.ts';
import type { ProfileStore } from '../store/store.ts';
import type { OperationRecord } from './operation-record.ts';

export interface CaptureLog {
  info(facts: object, message: string): void;
  warn(facts: object, message: string): void;
  error(facts: object, message: string): void;
}

/** What every kind of capture is given to run with. */
export interface CaptureJob {
  readonly record: OperationRecord;
  readonly watcher: TargetWatcher;
  readonly threadId: string;
  readonly trigger: Profile['trigger'];
  readonly store: ProfileStore;
  /** Keep what is there and end: the reason is a CaptureEnd. */
  readonly endEarly: AbortSignal;
  /** Throw away: the reason is the error to report. */
  readonly abandon: AbortSignal;
  readonly environment: Readonly<Record<string, string>>;
  readonly log: CaptureLog;
}

/** The threads that an operation is about, at this moment. Throws `target-not-attached`, `unknown-thread`. */
export function selectThreads(watcher: TargetWatcher, threadId: string): AttachedThread[] {
  const { attachment } = watcher;
  return threadId === 'all' ? attachment.threads() : [attachment.thread(threadId)];
}

/** The metadata that is known before a capture begins. */
export function draftOf(job: CaptureJob, thread: Thread): ProfileDraft {
  const { record, watcher } = job;
  const { kind } = record.view;
  if (kind === 'leak-search' || kind === 'heap-analysis') throw new Error(`${kind} makes no artifact`);
  return {
    kind,
    operationId: record.id,
    targetId: watcher.id,
    targetName: watcher.view.name,
    target: watcher.attachedIdentity,
    thread,
    trigger: job.trigger,
    startedAt: new Date().toISOString(),
    environment: { ...job.environment },
  };
}
