import { filePathOf } from '../../protocol/cpu-profile/frame-text.ts';
import type { WindowFunction } from '../../protocol/cpu-profile/window.ts';
import type { StackFrame } from '../../protocol/inspector/readings.ts';
import type { Operation } from '../../protocol/rest/operation.ts';
import type { Stall } from '../../protocol/rest/stalls.ts';
import type { ProfileWorker } from '../capture/profile-worker.ts';
import type { ProfileStore } from '../store/store.ts';
import { summaryOf } from './stall-words.ts';

/** Less of a stall says nothing about all of it. */
const leastCovered = 0.5;

interface Sources {
  readonly operation: Operation;
  readonly store: Pick<ProfileStore, 'get' | 'open' | 'sourcePositions'>;
  readonly worker: Pick<ProfileWorker, 'window'>;
  readonly signal: AbortSignal;
}

/**
 * The record with what a CPU profile says of its time, whose operation has ended: undefined when that is not enough to compare. For native work the
 * profile's function becomes the record's: the profiler's signals reach where no question does. Rejects with the errors of store and worker.
 */
export async function compareWithProfile(
  stall: Stall,
  dominant: StackFrame | null,
  { operation, store, worker, signal }: Sources,
): Promise<Stall | undefined> {
  const profile = operation.profileIds.map((id) => store.get(id)).find(({ thread }) => thread.id === stall.thread);
  if (profile === undefined || profile.cpu === null) return undefined;
  // Both by the agent's clock: the target's own may be broken, and the last answer of a profile is sent at its end.
  const endMs = Date.parse(profile.endedAt);
  const { endTimeUs } = profile.cpu;
  const toUs = (atMs: number): number => endTimeUs - (endMs - atMs) * 1_000;
  const startMs = Date.parse(stall.startedAt);
  const window = { fromUs: toUs(startMs), toUs: toUs(startMs + stall.durationMs) };
  await using reader = await store.open(profile.id);
  const positions = store.sourcePositions(profile.id);
  const work = await worker.window(reader.path, { ...window, positions, signal });
  if (work.dominant === null || work.coveredUs < leastCovered * stall.durationMs * 1_000) return undefined;
  const agrees = dominant !== null && isSameFunction(dominant, work.dominant);
  const compared = { ...stall, cpuProfileAgrees: agrees };
  if (stall.verdict !== 'native') return compared;
  const named = { ...compared, dominant: dominantOf(work.dominant) };
  return { ...named, summary: summaryOf(named) };
}

/** V8 names some functions differently in a stack and in a profile; the line where one begins is then the same. */
function isSameFunction(frame: StackFrame, found: WindowFunction): boolean {
  // A CommonJS module is a path in a stack, and a URL in a profile.
  if (filePathOf(frame.url) !== filePathOf(found.url)) return false;
  return nameOf(frame) === nameOf(found) || frame.functionPlace?.line === found.line;
}

/** The top level of a script has no name in a stack, and this one in a profile. */
function nameOf({ functionName }: { functionName: string }): string {
  return functionName === '(anonymous)' ? '' : functionName;
}

function dominantOf(found: WindowFunction): NonNullable<Stall['dominant']> {
  const { functionName, url, line, column, hotLine, original, share } = found;
  return {
    functionName,
    url,
    lineNumber: hotLine,
    columnNumber: hotLine === line ? column : 0,
    original: original && {
      functionName: original.functionName,
      url: original.url,
      lineNumber: original.line,
      columnNumber: 0,
    },
    share,
    from: 'cpu-profile',
  };
}
