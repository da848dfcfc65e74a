import { Counter, Gauge } from 'prom-client';
import type { Registry } from 'prom-client';

/** Of tokens that an issuer has signed. */
export function createJwtMetrics(registers: Registry[]) {
  return {
    jwtRefusalsTotal: new Counter({
      name: 'sidescope_jwt_refusals_total',
      help: 'JWTs that were not accepted, by reason.',
      labelNames: ['reason'],
      registers,
    }),
    jwtKeyReadingsTotal: new Counter({
      name: 'sidescope_jwt_key_readings_total',
      help: "Readings of the issuer's keys, by result: ok or failed.",
      labelNames: ['result'],
      registers,
    }),
    jwtKeysAgeSeconds: new Gauge({
      name: 'sidescope_jwt_keys_age_seconds',
      help: "Since the issuer's keys were last read; not there while they never were.",
      registers,
    }),
  };
}

interface ObservedJwt {
  readonly stats: {
    readonly refused: ReadonlyMap<string, number>;
    readonly readings: { readonly ok: number; readonly failed: number };
    readonly keysAgeMs: number | undefined;
  };
}

/** Read when they are scraped. */
export function observeJwt(metrics: ReturnType<typeof createJwtMetrics>, jwt: ObservedJwt): void {
  // prom-client has no collect hook after construction other than this property.
  Object.assign(metrics.jwtRefusalsTotal, {
    collect() {
      metrics.jwtRefusalsTotal.reset();
      for (const [reason, count] of jwt.stats.refused) metrics.jwtRefusalsTotal.inc({ reason }, count);
    },
  });
  Object.assign(metrics.jwtKeyReadingsTotal, {
    collect() {
      metrics.jwtKeyReadingsTotal.reset();
      for (const [result, count] of Object.entries(jwt.stats.readings))
        metrics.jwtKeyReadingsTotal.inc({ result }, count);
    },
  });
  Object.assign(metrics.jwtKeysAgeSeconds, {
    collect() {
      const { keysAgeMs } = jwt.stats;
      if (keysAgeMs === undefined) metrics.jwtKeysAgeSeconds.remove();
      else metrics.jwtKeysAgeSeconds.set(keysAgeMs / 1000);
    },
  });
}
