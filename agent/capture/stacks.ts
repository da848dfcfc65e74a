import { SidescopeError } from '../../protocol/error.ts';
import { stackExpression } from '../../protocol/inspector/expressions.ts';
import { decodeStack, type StackFrame } from '../../protocol/inspector/readings.ts';
import type { Stacks, ThreadStack, ThreadStackFrame } from '../../protocol/rest/stacks.ts';
import type { AttachedThread } from '../attach/attachment.ts';
import type { TargetWatcher } from '../attach/target-watcher.ts';
import type { FrameOriginals } from '../source-maps/frame-originals.ts';

/** A loop or a regular expression is interrupted within 30 ms; what takes longer is native and may take for ever. */
const answerTimeoutMs = 2_000;
const maxThreads = 256;

/** How long a thread's event loop has been in its turn, or why that is not known. */
export type TurnReading = { readonly turnMs: number } | { readonly unknown: string };

export interface StackSources {
  /** Names functions and places as in the source. */
  readonly originals?: FrameOriginals | undefined;
  /** Without it no turn is known. */
  readonly turnOf?: ((targetId: string, threadId: string) => Promise<TurnReading>) | undefined;
}

/**
 * What every thread of the target executes now, all asked at once. A thread that does not answer is an entry, not a failure. Costs each
 * thread about a millisecond. Rejects with `target-not-attached`.
 */
export async function readStacks(
  watcher: TargetWatcher,
  { originals, turnOf = turnNotAsked }: StackSources = {},
): Promise<Stacks> {
  const threads = watcher.attachment.threads();
  const asked = threads.slice(0, maxThreads);
  const takenAt = new Date().toISOString();
  const [stacks, turns] = await Promise.all([
    Promise.all(asked.map((thread) => readThread(thread))),
    Promise.all(asked.map(({ thread }) => turnOf(watcher.id, thread.id))),
  ]);
  const named = await originals?.of(
    watcher,
    stacks.flatMap(({ frames }) => frames),
  );
  let at = 0;
  return {
    targetId: watcher.id,
    takenAt,
    threads: stacks.map((stack, index) => {
      const frames = stack.frames.map(({ functionPlace: _, ...frame }) => ({
        ...frame,
        original: named?.frames[at++] ?? null,
      }));
      const turn = turnShown(stack, turns[index]);
      return { ...stack, ...turn, frames, summary: summaryOf({ ...stack, ...turn, frames }) };
    }),
    omittedThreads: threads.length - asked.length,
    ...(named !== undefined && named.warnings.length > 0 && { warnings: [...named.warnings] }),
  };
}

type ReadThread = Omit<ThreadStack, 'frames' | 'summary' | keyof Turn> & { readonly frames: readonly StackFrame[] };
type Turn = Pick<ThreadStack, 'turnMs' | 'turnUnknown'>;

async function turnNotAsked(): Promise<TurnReading> {
  return { unknown: 'stalls are not watched for' };
}

function turnShown({ state }: ReadThread, turn: TurnReading | undefined): Turn {
  // Out of its turn for as long as it waits, whatever the heartbeat before has seen.
  if (state === 'idle') return { turnMs: 0, turnUnknown: null };
  if (turn !== undefined && 'turnMs' in turn) return { turnMs: Math.round(turn.turnMs), turnUnknown: null };
  return { turnMs: null, turnUnknown: turn?.unknown ?? 'stalls are not watched for' };
}

function summaryOf({ state, frames, turnMs, error }: Omit<ThreadStack, 'summary'>): string {
  const since =
    turnMs === null || turnMs < 100 ? '' : `, its event loop in one turn for ${(turnMs / 1000).toFixed(1)} s`;
  if (state === 'idle') return 'idle, waiting for events';
  if (state === 'no-answer') return `${error?.message ?? 'no answer'}${since}`;
  const [running] = frames;
  if (running === undefined) return `running${since}`;
  // What runs may be a builtin of V8 or of Node, which alone says little.
  const own = frames.find(({ url }) => url !== '' && !url.startsWith('node:'));
  const place = (frame: ThreadStackFrame): string => {
    const { functionName, url, lineNumber } = frame.original ?? frame;
    const at = url === '' ? '' : ` (${url.split('/').at(-1)}:${lineNumber})`;
    return `${functionName || '(anonymous)'}${at}`;
  };
  const within = own === undefined || own === running ? '' : `, called by ${place(own)}`;
  return `running ${place(running)}${within}${since}`;
}

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
