import { SidescopeError } from '../../protocol/error.ts';
import { stackExpression } from '../../protocol/inspector/expressions.ts';
import { decodeStack, type StackFrame } from '../../protocol/inspector/readings.ts';
import type { Stacks, ThreadStack } from '../../protocol/rest/stacks.ts';
import type { AttachedThread } from '../attach/attachment.ts';
import type { TargetWatcher } from '../attach/target-watcher.ts';
import type { FrameOriginals } from '../source-maps/frame-originals.ts';

/** A loop or a regular expression is interrupted within 30 ms; what takes longer is native and may take for ever. */
const answerTimeoutMs = 2_000;
const maxThreads = 256;

/**
 * What every thread of the target executes now, all asked at once. A thread that does not answer is an entry, not a failure. Costs each
 * thread about a millisecond. `originals` names functions and places as in the source. Rejects with `target-not-attached`.
 */
export async function readStacks(watcher: TargetWatcher, originals?: FrameOriginals): Promise<Stacks> {
  const threads = watcher.attachment.threads();
  const asked = threads.slice(0, maxThreads);
  const takenAt = new Date().toISOString();
  const stacks = await Promise.all(asked.map((thread) => readThread(thread)));
  const named = await originals?.of(
    watcher,
    stacks.flatMap(({ frames }) => frames),
  );
  let at = 0;
  return {
    targetId: watcher.id,
    takenAt,
    threads: stacks.map((stack) => ({
      ...stack,
      frames: stack.frames.map(({ functionPlace: _, ...frame }) => ({
        ...frame,
        original: named?.frames[at++] ?? null,
      })),
    })),
    omittedThreads: threads.length - asked.length,
    ...(named !== undefined && named.warnings.length > 0 && { warnings: [...named.warnings] }),
  };
}

type ReadThread = Omit<ThreadStack, 'frames'> & { readonly frames: readonly StackFrame[] };

async function readThread({ thread, session }: AttachedThread): Promise<ReadThread> {
  const startMs = performance.now();
  const about = { thread: thread.id, title: thread.title };
  const waitedMs = (): number => Math.round((performance.now() - startMs) * 10) / 10;
  try {
    const reading = decodeStack(await session.evaluate(stackExpression, { timeoutMs: answerTimeoutMs }));
    if (reading.frames === null)
      throw new SidescopeError('inspector-bad-answer', 'its stack cannot be read from inside');
    const { frames, hasMore, span } = reading;
    // V8 runs our question on top of what it interrupts: with nothing below, the thread sat in its event loop.
    const state = frames.length === 0 ? 'idle' : 'running';
    return { ...about, state, frames, hasMore, span, waitedMs: waitedMs(), error: null };
  } catch (error) {
    if (!(error instanceof SidescopeError)) throw error;
    const { code } = error;
    const message =
      code === 'inspector-timeout'
        ? `no answer in ${answerTimeoutMs} ms: it is stopped, or in a native call (crypto, file system, child process)`
        : error.message;
    return {
      ...about,
      state: 'no-answer',
      frames: [],
      hasMore: false,
      span: null,
      waitedMs: waitedMs(),
      error: { code, message },
    };
  }
}
