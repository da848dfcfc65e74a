import { setTimeout as delay } from 'node:timers/promises';
import { parseCpuProfile } from '../../../protocol/cpu-profile/parse.ts';
import type { CpuProfile } from '../../../protocol/cpu-profile/model.ts';
import { SidescopeError } from '../../../protocol/error.ts';
import { heartbeatExpression, memoryExpression, stackExpression } from '../../../protocol/inspector/expressions.ts';
import { decodeMemory, decodeStack } from '../../../protocol/inspector/readings.ts';
import type { MemoryReading, StackReading } from '../../../protocol/inspector/readings.ts';
import type { AttachedThread, Attachment } from '../../attach/attachment.ts';
import type { Session } from '../../attach/session.ts';

export interface StackSample extends StackReading {
  /** Long where the thread was in native code, which cannot be interrupted: the stack is then of just behind it. */
  readonly waitedMs: number;
}

export interface ThreadObservation {
  readonly id: string;
  readonly title: string;
  readonly samples: readonly StackSample[];
  /** The longest time in which the event loop did not turn; up to the end when it never did. */
  readonly longestTurnMs: number;
  /** How long the loop had not turned when we left; 0 when it turned. */
  readonly blockedMs: number;
  /** How long the last question had gone unanswered when we left: native code. 0 when it was answered. */
  readonly unansweredMs: number;
}

export interface Observation {
  readonly durationMs: number;
  readonly threads: readonly ThreadObservation[];
  /** Of the main thread; null when it could not be started or stopped in time. */
  readonly profile: CpuProfile | null;
  readonly memory: MemoryReading | null;
}

/** 20 stacks a second cost the target less than 0.7 %. */
const samplePauseMs = 50;
const heartbeatPauseMs = 100;
const profileIntervalUs = 1_000;
/** What a native call at the end may take longer, so that its caller is still seen. The whole answer is due in 5 s. */
const patienceMs = 800;
const maxThreads = 16;

/**
 * Looks at a target for `durationMs`: stacks and heartbeats of every thread, a CPU profile of the main one, its memory. What is not answered is an observation and
 * no failure. Rejects with the attachment's reason when the target goes, and with the signal's.
 */
export async function observe(
  attachment: Attachment,
  { durationMs, signal }: { durationMs: number; signal: AbortSignal },
): Promise<Observation> {
  const startMs = performance.now();
  const window: Window = { endMs: startMs + durationMs, signal };
  const threads = attachment.threads().slice(0, maxThreads);
  const [observed, profile, memory] = await Promise.all([
    Promise.all(threads.map((thread) => observeThread(thread, window))),
    takeProfile(attachment.main, window),
    readMemory(attachment.main, window),
  ]);
  return { durationMs: performance.now() - startMs, threads: observed, profile, memory };
}

interface Window {
  readonly endMs: number;
  readonly signal: AbortSignal;
}

async function observeThread({ thread, session }: AttachedThread, window: Window): Promise<ThreadObservation> {
  const [stacks, heart] = await Promise.all([sampleStacks(session, window), beat(session, window)]);
  return { id: thread.id, title: thread.title, ...stacks, ...heart };
}

async function sampleStacks(
  session: Session,
  window: Window,
): Promise<Pick<ThreadObservation, 'samples' | 'unansweredMs'>> {
  const samples: StackSample[] = [];
  for (;;) {
    const askedMs = performance.now();
    const leftMs = window.endMs - askedMs;
    if (leftMs <= 0) return { samples, unansweredMs: 0 };
    // A worker that ended in between has no more to say, and is no reason to stop looking at the others.
    const reading = await answered(
      () => session.evaluate(stackExpression, { timeoutMs: leftMs + patienceMs, signal: window.signal }),
      session,
    );
    if (reading === undefined)
      return { samples, unansweredMs: session.ended.aborted ? 0 : performance.now() - askedMs };
    samples.push({ ...decodeStack(reading.value), waitedMs: performance.now() - askedMs });
    await delay(Math.max(0, askedMs + samplePauseMs - performance.now()), undefined, { signal: window.signal });
  }
}

async function beat(session: Session, window: Window): Promise<Pick<ThreadObservation, 'longestTurnMs' | 'blockedMs'>> {
  let longestTurnMs = 0;
  for (;;) {
    const askedMs = performance.now();
    const leftMs = window.endMs - askedMs;
    if (leftMs <= 0) return { longestTurnMs, blockedMs: 0 };
    const reading = await answered(
      () =>
        session.evaluate(heartbeatExpression, { timeoutMs: leftMs + 50, signal: window.signal, awaitPromise: true }),
      session,
    );
    const turnMs = performance.now() - askedMs;
    longestTurnMs = Math.max(longestTurnMs, turnMs);
    if (reading === undefined) return { longestTurnMs, blockedMs: session.ended.aborted ? 0 : turnMs };
    await delay(Math.min(heartbeatPauseMs, leftMs), undefined, { signal: window.signal });
  }
}

async function takeProfile(main: Session, window: Window): Promise<CpuProfile | null> {
  const send = async (
    method: 'Profiler.enable' | 'Profiler.start' | 'Profiler.stop' | 'Profiler.disable',
    extraMs = 0,
  ) =>
    answered(
      () => main.send(method, {}, { timeoutMs: window.endMs - performance.now() + extraMs, signal: window.signal }),
      main,
    );
  // Where an answer is missing, the enabling ends with our session.
  if ((await send('Profiler.enable')) === undefined) return null;
  const isSet = await answered(
    () => main.send('Profiler.setSamplingInterval', { interval: profileIntervalUs }, { timeoutMs: 1_000 }),
    main,
  );
  if (isSet === undefined || (await send('Profiler.start')) === undefined) return null;
  await delay(Math.max(0, window.endMs - performance.now()), undefined, { signal: window.signal });
  const answer = await send('Profiler.stop', patienceMs);
  if (answer === undefined || !('profile' in answer.value)) return null;
  await send('Profiler.disable', patienceMs);
  return parseCpuProfile(answer.value.profile);
}

async function readMemory(main: Session, window: Window): Promise<MemoryReading | null> {
  const timeoutMs = window.endMs - performance.now();
  const reading = await answered(() => main.evaluate(memoryExpression, { timeoutMs, signal: window.signal }), main);
  return reading === undefined ? null : decodeMemory(reading.value);
}

/** Undefined for no answer in time and for a refusal; the end of the whole connection is thrown. */
async function answered<T>(ask: () => Promise<T>, session: Session): Promise<{ value: T } | undefined> {
  try {
    return { value: await ask() };
  } catch (error) {
    if (session.ended.aborted && session.threadId === 'main') throw error;
    // The absence of an answer is what is reported.
    if (error instanceof SidescopeError) return undefined;
    throw error;
  }
}
