import { readSchedule, type ThreadSchedule } from './process-files.ts';

/** Each undefined where the kernel does not show it. */
export interface TargetSchedules {
  readonly main: ThreadSchedule | undefined;
  readonly inspector: ThreadSchedule | undefined;
}

export interface WaitMark extends TargetSchedules {
  readonly agent: ThreadSchedule | undefined;
}

/** Ready to run and without a CPU, in milliseconds since a mark; null where the kernel does not show it. */
export interface Waits {
  /** The main thread. */
  readonly targetMs: number | null;
  /** Who passes its answers on, the inspector's thread or the agent: what was not heard meanwhile may have been said. */
  readonly passingMs: number | null;
}

export function markWait(target: TargetSchedules): WaitMark {
  return { ...target, agent: readSchedule('/proc/self') };
}

export function waitsBetween(before: WaitMark, now: WaitMark): Waits {
  const between = (who: keyof WaitMark): number | null => {
    const [then, latest] = [before[who], now[who]];
    return then === undefined || latest === undefined ? null : Math.max(0, latest.waitedMs - then.waitedMs);
  };
  const passing = [between('inspector'), between('agent')].filter((ms) => ms !== null);
  return { targetMs: between('main'), passingMs: passing.length === 0 ? null : Math.max(...passing) };
}
