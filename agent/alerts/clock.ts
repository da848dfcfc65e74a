/** Both, because the wall clock may step: times are told by one, durations measured by the other. */
export interface AlertClock {
  wallMs(): number;
  /** Only ever grows. */
  elapsedMs(): number;
}

export const systemClock: AlertClock = { wallMs: () => Date.now(), elapsedMs: () => performance.now() };
