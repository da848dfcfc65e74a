const maxRoutes = 200;
const slowPerRoute = 5;
const failedPerRoute = 5;
/** A slow request of long ago does not stand for the route as it is now. */
const slowAgeMs = 3_600_000;

interface Slow {
  readonly traceId: string;
  readonly durationMs: number;
  readonly atMs: number;
}

interface RouteTail {
  slow: Slow[];
  failed: string[];
}

/** Which traces are worth more than their age: for each route the five slowest of the last hour and the last five that failed. */
export class Tail {
  readonly #routes = new Map<string, RouteTail>();
  readonly #kept = new Map<string, number>();

  keeps(traceId: string): boolean {
    return this.#kept.has(traceId);
  }

  offer({ name, traceId, durationMs, failed }: TailOffer, nowMs: number): void {
    const route = this.#route(name);
    if (failed && !route.failed.includes(traceId)) {
      this.#hold(traceId);
      route.failed.push(traceId);
      if (route.failed.length > failedPerRoute) this.#release(route.failed.shift());
    }
    const known = route.slow.find((slow) => slow.traceId === traceId);
    const others = route.slow.filter((slow) => slow !== known);
    if (known === undefined) this.#hold(traceId);
    const fresh = [...others, { traceId, durationMs, atMs: nowMs }].filter((slow) => slow.atMs > nowMs - slowAgeMs);
    const ranked = fresh.sort((a, b) => b.durationMs - a.durationMs).slice(0, slowPerRoute);
    for (const slow of [...route.slow, { traceId, durationMs, atMs: nowMs }])
      if (slow !== known && !ranked.some((kept) => kept.traceId === slow.traceId)) this.#release(slow.traceId);
    route.slow = ranked;
  }

  /** The trace is gone. */
  forget(traceId: string): void {
    if (!this.#kept.delete(traceId)) return;
    for (const route of this.#routes.values()) {
      route.slow = route.slow.filter((slow) => slow.traceId !== traceId);
      route.failed = route.failed.filter((failed) => failed !== traceId);
    }
  }

  #route(name: string): RouteTail {
    const key = this.#routes.has(name) || this.#routes.size < maxRoutes ? name : '(other)';
    const route = this.#routes.get(key) ?? { slow: [], failed: [] };
    this.#routes.set(key, route);
    return route;
  }

  #hold(traceId: string): void {
    this.#kept.set(traceId, (this.#kept.get(traceId) ?? 0) + 1);
  }

  #release(traceId: string | undefined): void {
    if (traceId === undefined) return;
    const count = (this.#kept.get(traceId) ?? 0) - 1;
    if (count > 0) this.#kept.set(traceId, count);
    else this.#kept.delete(traceId);
  }
}

export interface TailOffer {
  /** The route. */
  readonly name: string;
  readonly traceId: string;
  readonly durationMs: number;
  readonly failed: boolean;
}
