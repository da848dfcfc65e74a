import type { RequestHandler } from 'express';
import { Gauge, Histogram, Registry, collectDefaultMetrics } from 'prom-client';
import { countSessions } from './sessions.ts';

/** The shop's own metrics page, as an application would have it. */
export function createMetrics(): { registry: Registry; observeRequests: RequestHandler } {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  new Gauge({
    name: 'shop_sessions',
    help: 'Sessions held in memory',
    registers: [registry],
    collect() {
      this.set(countSessions());
    },
  });
  const durations = new Histogram({
    name: 'http_request_duration_seconds',
    help: 'Time from request to the end of the response',
    labelNames: ['method', 'route', 'status'],
    buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5],
    registers: [registry],
  });
  return {
    registry,
    observeRequests(request, response, next) {
      const end = durations.startTimer({ method: request.method });
      response.once('finish', () => {
        const route = (request.route as { path?: string } | undefined)?.path ?? 'none';
        end({ route, status: response.statusCode });
      });
      next();
    },
  };
}
