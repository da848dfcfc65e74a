import { setTimeout as delay } from 'node:timers/promises';
import { parseCpuProfile } from '../../../protocol/cpu-profile/parse.ts';
import type { CpuProfile } from '../../../protocol/cpu-profile/model.ts';
import { SidescopeError } from '../../../protocol/error.ts';
import { heartbeatExpression, memoryExpression, stackExpression } from '../../../protocol/inspector/expressions.ts';
import { decodeMemory, decodeStack } from '../../../protocol/inspector/readings.ts';
import type { MemoryReading, StackReading, UsageReading } from '../../../protocol/inspector/readings.ts';
import type { AttachedThread, Attachment } from '../../attach/attachment.ts';
import type { Session } from '../../attach/session.ts';
import { decideDeoptimizing, deoptimize } from '../../capture/deoptimize.ts';
import { readUsage } from '../../capture/read-usage.ts';
import { within } from './schedule.ts';

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
  /** As long as it asked. */
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
const maxThreads = 16;

/** In `performance.now()` of this process. */
export interface Window {
  /** Until then it asks. */
  readonly endMs: number;
  /** Until then it waits for answers: what a native call at the end may take longer, so that its caller is still seen. */
  readonly answeredByMs: number;
  readonly signal: AbortSignal;
}

/** Questions to the main thread that are answered one native call sooner when they are sent while the target is being attached. */
export interface FirstQuestions {
  readonly askedMs: number;
  readonly stack: Promise<StackSample | undefined>;
  readonly usage: Promise<UsageReading | undefined>;
  /** Whether a CPU profile has been started. */
  readonly profile: Promise<boolean>;
}

/** Whoever looks waits for the answers as long as that takes; these outlast it. */
const firstTimeoutMs = 20_000;

export function askFirst(main: Session, signal: AbortSignal): FirstQuestions {
  const askedMs = performance.now();
  const asking = { answeredByMs: askedMs + firstTimeoutMs, signal };
  const questions = {
    askedMs,
    stack: readStack(main, asking),
    usage: readUsage(main),
    profile: startProfile(main, asking),
  };
  // Attaching fails then, with its own reason, and nobody waits for these.
  for (const question of [questions.stack, questions.usage, questions.profile]) question.catch(() => undefined);
  return questions;
}

/**
 * Looks at a target: stacks and heartbeats of every thread, a CPU profile of the main one, its memory. What is not answered is an observation and no failure.
 * Rejects with the attachment's reason when the target goes, and with the signal's.
 */
export async function observe(
  attachment: Attachment,
  window: Window,
  first: FirstQuestions = askFirst(attachment.main, window.signal),
): Promise<Observation> {
  const durationMs = window.endMs - performance.now();
  const threads = attachment.threads().slice(0, maxThreads);
  const [[main, ...workers], stack, profile, memory] = await Promise.all([
    Promise.all(threads.map((thread) => observeThread(thread, window))),
    within(first.stack, undefined, window.answeredByMs),
    takeProfile(attachment.main, first, window),
    readMemory(attachment.main, window),
  ]);
  if (main === undefined) throw new Error('an attachment has a main thread');
  const samples = stack === undefined ? main.samples : [stack, ...main.samples];
  return { durationMs, threads: [{ ...main, samples }, ...workers], profile, memory };
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
    const sample = await readStack(session, window);
    // A worker that ended in between has no more to say, and is no reason to stop looking at the others.
    if (sample === undefined) return { samples, unansweredMs: session.ended.aborted ? 0 : performance.now() - askedMs };
    samples.push(sample);
    await delay(Math.max(0, askedMs + samplePauseMs - performance.now()), undefined, { signal: window.signal });
  }
}

async function readStack(session: Session, window: Omit<Window, 'endMs'>): Promise<StackSample | undefined> {
  const askedMs = performance.now();
  const ask = () => session.evaluate(stackExpression, { timeoutMs: untilAnswered(window), signal: window.signal });
  const reading = await answered(ask, session);
  return reading && { ...decodeStack(reading.value), waitedMs: performance.now() - askedMs };
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

async function startProfile(main: Session, window: Omit<Window, 'endMs'>): Promise<boolean> {
  // All at once, each answer may take as long as a native call.
  const [, , started] = await Promise.all([
    askProfiler(main, 'Profiler.enable', window),
    askProfiler(main, 'Profiler.setSamplingInterval', window),
    askProfiler(main, 'Profiler.start', window),
  ]);
  return started !== undefined;
}

async function takeProfile(main: Session, first: FirstQuestions, window: Window): Promise<CpuProfile | null> {
  // Where an answer is missing, the profiler ends with our session.
  if (!(await within(first.profile, false, window.answeredByMs))) return null;
  const usage = await within(first.usage, undefined, window.answeredByMs);
  // Behind the start, and not waited for: each wait is one native call more. Where it fails the stacks still name the function.
  if (decideDeoptimizing(undefined, usage).deoptimize)
    void answered(() => deoptimize(main, untilAnswered(window)), main).catch(() => undefined);
  const replyMs = performance.now() - first.askedMs;
  // Asked for so early that the answer comes in time.
  const endMs = Math.min(window.endMs, window.answeredByMs - replyMs * replySpread);
  await delay(Math.max(shortestProfileMs, endMs - performance.now()), undefined, { signal: window.signal });
  const [answer] = await Promise.all([
    askProfiler(main, 'Profiler.stop', window),
    askProfiler(main, 'Profiler.disable', window),
  ]);
  if (answer === undefined || !('profile' in answer.value)) return null;
  return parseCpuProfile(answer.value.profile);
}

function askProfiler(
  main: Session,
  method: 'Profiler.enable' | 'Profiler.setSamplingInterval' | 'Profiler.start' | 'Profiler.stop' | 'Profiler.disable',
  window: Omit<Window, 'endMs'>,
) {
  const params = method === 'Profiler.setSamplingInterval' ? { interval: profileIntervalUs } : {};
  const options = { timeoutMs: untilAnswered(window), signal: window.signal };
  return answered(() => main.send(method, params, options), main);
}

/** One call may take longer than the one before it. */
const replySpread = 1.5;
const shortestProfileMs = 50;

async function readMemory(main: Session, window: Window): Promise<MemoryReading | null> {
  const timeoutMs = untilAnswered(window);
  const reading = await answered(() => main.evaluate(memoryExpression, { timeoutMs, signal: window.signal }), main);
  return reading === undefined ? null : decodeMemory(reading.value);
}

function untilAnswered({ answeredByMs }: Omit<Window, 'endMs'>): number {
  return Math.max(1, answeredByMs - performance.now());
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
