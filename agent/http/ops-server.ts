import { randomUUID } from 'node:crypto';
import type { HttpBindings } from '@hono/node-server';
import { Hono } from 'hono';
import { SidescopeError } from '../../protocol/error.ts';
import type { Feature } from '../../protocol/rest/info.ts';
import type { Target } from '../../protocol/rest/target.ts';
import type { Log } from '../telemetry/log.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import type { TargetMetrics } from '../baseline/target-metrics.ts';
import type { AddressOptions } from './admin-server.ts';
import { setSecurityHeaders } from './headers.ts';
import { openListener } from './listener.ts';
import type { Listener } from './listener.ts';
import { asSidescopeError, problemResponse } from './problem.ts';

export interface OpsServices {
  readonly targets: { list(): readonly Target[] };
  features(): readonly Feature[];
  readonly metrics: Metrics;
  readonly targetMetrics: Pick<TargetMetrics, 'passThrough'>;
  readonly log: Log;
}

interface OpsEnvironment {
  /** Empty in tests that call the application without a socket. */
  Bindings: Partial<HttpBindings>;
}

/** What `GET /readyz` tells: it is 200 as long as the process works, also with a target down or a feature off. */
export interface Readiness {
  readonly status: 'ready';
  readonly features: readonly Feature[];
  readonly targets: readonly { id: string; state: string }[];
}

/** Health and metrics only, the target's included, without a credential: kubelet and Prometheus come to the pod's address. */
export function createOpsApp(services: OpsServices): Hono<OpsEnvironment> {
  const { targets, metrics, log } = services;
  const app = new Hono<OpsEnvironment>();
  app.use('*', async (context, next) => {
    await next();
    setSecurityHeaders(context.res.headers);
  });
  app.get('/livez', (context) => context.text('ok\n'));
  app.get('/readyz', (context) =>
    context.json({
      status: 'ready',
      features: services.features().filter(({ state }) => state !== 'on'),
      targets: targets.list().map(({ id, state }) => ({ id, state: state.state })),
    } satisfies Readiness),
  );
  app.get('/metrics', async () => {
    const text = await metrics.registry.metrics();
    return new Response(text, { headers: { 'content-type': metrics.registry.contentType } });
  });
  app.get('/target-metrics', async ({ req, env }) => {
    // Hono drops the body of an answer to HEAD; the page would be read for nothing.
    if (req.raw.method === 'HEAD') return new Response(null, { headers: { 'content-type': 'text/plain' } });
    const { outgoing } = env;
    return await services.targetMetrics.passThrough({
      headers: req.raw.headers,
      signal: req.raw.signal,
      destroySocket() {
        outgoing?.destroy();
        return outgoing !== undefined;
      },
    });
  });
  app.notFound((context) => {
    const isKnown = paths.includes(context.req.path);
    const error = isKnown
      ? new SidescopeError('method-not-allowed', 'only GET and HEAD', { details: { allow: 'GET, HEAD' } })
      : new SidescopeError('not-found', `this listener has only ${paths.join(', ')}`);
    return problemResponse(error, randomUUID());
  });
  app.onError((error) => {
    const requestId = randomUUID();
    const { code } = asSidescopeError(error);
    if (code === 'internal') log.error({ requestId, err: error }, 'ops request failed');
    else log.debug({ requestId, code }, error.message);
    return problemResponse(asSidescopeError(error), requestId);
  });
  return app;
}

const paths = ['/livez', '/readyz', '/metrics', '/target-metrics'];
/** One kubelet and a few scrapers. */
const maxConnections = 64;

export function openOpsServer(services: OpsServices, address: AddressOptions): Promise<Listener> {
  const app = createOpsApp(services);
  return openListener({
    name: 'ops',
    ...address,
    maxConnections,
    log: services.log,
    onDropped: () => services.metrics.httpConnectionsDroppedTotal.inc({ listener: 'ops' }),
    fetch: (request, bindings) => app.fetch(request, bindings),
  });
}
