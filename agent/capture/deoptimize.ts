import type { UsageReading } from '../../protocol/inspector/readings.ts';
import type { Session } from '../attach/session.ts';

/** 0.2 s of pause more, and less. */
const unaskedHeapBytes = 256 * 1024 * 1024;
/** Three walks over the heap, 18 to 26: 410-555 ms at 820 MB, 1.2-1.6 s at 2.4 GB, 13-34 ms at 24-50 MB. `Profiler.start` has as much again. */
const msPerHeapByte = 0.65 / 1e6;

export interface Deoptimizing {
  readonly deoptimize: boolean;
  /** What the profile lacks without it. */
  readonly warnings: readonly string[];
}

/**
 * Whether to let V8 forget what it optimised before a profile begins. Without that a profile is wrong about exactly the hottest code: a loop that was optimised while it ran
 * is counted for its caller, as far up as Node's `listOnTimeout`, and so is what was inlined (22 to 26: no sample of 370 was in the function that
 * burned all the CPU in 7 of 8 profiles, and in none of 8 of a loop that never ends, 18 to 26; with it 0.92-1.00 of them are).
 * `asked`: undefined for where it pauses the target shortly.
 */
export function decideDeoptimizing(asked: boolean | undefined, usage: UsageReading | undefined): Deoptimizing {
  if (asked === false) return { deoptimize: false, warnings: [blamesCallers('that was not to be deoptimised')] };
  if (usage === undefined) {
    return { deoptimize: false, warnings: [blamesCallers('the target did not say how large its heap is')] };
  }
  if (usage.collectsCoverage) {
    // There is one mode for all of an isolate: enabling the profiler and leaving already ends the counting of blocks (18-26), this would end that of functions.
    return { deoptimize: false, warnings: [blamesCallers('the target collects coverage'), endsCoverage] };
  }
  if (asked === undefined && usage.heapUsedBytes > unaskedHeapBytes) {
    const pause = `deoptimising would pause the target for about ${(usage.heapUsedBytes * msPerHeapByte).toFixed(0)} ms more`;
    return { deoptimize: false, warnings: [blamesCallers(`${pause}; deoptimize=true does it`)] };
  }
  return { deoptimize: true, warnings: [] };
}

const endsCoverage = 'the target collects coverage: V8 ends the counting of its blocks with any CPU profile';

function blamesCallers(reason: string): string {
  return `functions that V8 had optimised before may be counted for their callers: ${reason}`;
}

/**
 * V8 drops all optimised code of the isolate when precise coverage begins; it is optimised again within 0.1 s, and then by its name when a profile runs. Send it right before `Profiler.start`,
 * without waiting: V8 answers all in one turn, and the loop has no time to be optimised unseen in between. Closing the session ends it too.
 */
export async function deoptimize(session: Session, timeoutMs: number): Promise<void> {
  await Promise.all([
    session.send('Profiler.startPreciseCoverage', { callCount: false, detailed: false }, { timeoutMs }),
    session.send('Profiler.stopPreciseCoverage', {}, { timeoutMs }),
  ]);
}
