import type { UsageReading } from '../../protocol/inspector/readings.ts';
import type { Session } from '../attach/session.ts';
import { decideDeoptimizing, deoptimize } from './deoptimize.ts';

/** Creating V8's profiler stalls 37-1,048 ms, by the amount of compiled code; Node 22 can deadlock in it for good (nodejs/node#65140), so no retry either. */
const startTimeoutMs = 20_000;

/** A cold start, with what was optimised forgotten first where that is decided. Resolves with what the profile lacks. */
export async function startProfiler(
  session: Session,
  { asked, usage }: { asked: boolean | undefined; usage: UsageReading | undefined },
): Promise<readonly string[]> {
  const deoptimizing = decideDeoptimizing(asked, usage);
  await Promise.all([
    deoptimizing.deoptimize && deoptimize(session, startTimeoutMs),
    session.send('Profiler.start', {}, { timeoutMs: startTimeoutMs }),
  ]);
  return deoptimizing.warnings;
}
