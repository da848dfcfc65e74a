export interface OverloadLimits {
  readonly utilization: number;
  readonly relaxedUtilization: number;
  readonly afterMs: number;
  /** Of the time that the limits are of. */
  readonly nowMs?: () => number;
}

/** With no idle time for two minutes the sampler's 1 % is taken from requests. A gap between the two values keeps it from going on and off. */
const defaultLimits: OverloadLimits = { utilization: 0.99, relaxedUtilization: 0.9, afterMs: 120_000 };

/** Whether the event loop of a target has been saturated for long, from its readings. */
export class Overload {
  readonly #limits: OverloadLimits;
  readonly #nowMs: () => number;
  #isOverloaded = false;
  /** Since when the readings say the opposite. */
  #sinceMs: number | undefined;

  constructor(limits: OverloadLimits = defaultLimits) {
    this.#limits = limits;
    this.#nowMs = limits.nowMs ?? (() => performance.now());
  }

  get reason(): string {
    const { utilization, afterMs } = this.#limits;
    return `the event loop had a utilisation over ${utilization} for ${Math.round(afterMs / 1000)} s`;
  }

  /** A reading without the value says nothing. */
  note(utilization: number | null): 'overloaded' | 'relaxed' | undefined {
    if (utilization === null) return undefined;
    const { utilization: most, relaxedUtilization, afterMs } = this.#limits;
    const isOpposite = this.#isOverloaded ? utilization < relaxedUtilization : utilization > most;
    if (!isOpposite) {
      this.#sinceMs = undefined;
      return undefined;
    }
    const nowMs = this.#nowMs();
    this.#sinceMs ??= nowMs;
    if (nowMs - this.#sinceMs < afterMs) return undefined;
    this.#sinceMs = undefined;
    this.#isOverloaded = !this.#isOverloaded;
    return this.#isOverloaded ? 'overloaded' : 'relaxed';
  }
}
