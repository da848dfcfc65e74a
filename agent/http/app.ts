import { randomUUID } from 'node:crypto';
import { Hono } from 'hono';
import type { Context } from 'hono';
import { SidescopeError } from '../../protocol/error.ts';
import { apiPath } from '../../protocol/rest/routes.ts';
import { alertHandlers } from './alerts.ts';
import { AttemptBucket } from './attempt-bucket.ts';
import { baselineHandlers } from './baseline.ts';
import { cpuHandlers } from './cpu.ts';
import { deathHandlers } from './deaths.ts';
import { diffHandlers } from './diff.ts';
import { docsHandlers } from './docs.ts';
import { egressHandlers } from './egress.ts';
import { downloadHandlers } from './download.ts';
import { EventHub } from './event-hub.ts';
import { setSecurityHeaders } from './headers.ts';
import { heapHandlers } from './heap.ts';
import { infoHandlers } from './info.ts';
import { heapAnalysisHandlers } from './heap-analysis.ts';
import { leakHandlers } from './leaks.ts';
import { operationHandlers } from './operations.ts';
import { pageHandlers } from './page.ts';
import { asSidescopeError, problemResponse } from './problem.ts';
import { profileRequestHandlers } from './profile-requests.ts';
import { profileSourceHandlers } from './profile-source.ts';
import { profileHandlers } from './profiles.ts';
import { guardRequest } from './request-guards.ts';
import { allowedMethods, mountRoutes } from './router.ts';
import type { AppEnvironment, Handlers } from './router.ts';
import type { AdminServices } from './services.ts';
import { recorderHandlers } from './recorder.ts';
import { seriesHandlers } from './series.ts';
import { ruleHandlers } from './rules.ts';
import { stackHandlers } from './stacks.ts';
import { targetHandlers } from './targets.ts';
import { Tickets } from './tickets.ts';
import { summaryHandlers } from './summary.ts';
import { timelineHandlers } from './timelines.ts';
import { vitalsHandlers } from './vitals.ts';

export interface AdminApp extends Disposable {
  readonly app: Hono<AppEnvironment>;
}

/** The admin listener's application. Disposing ends the open event streams, which would else keep the server open. */
export function createAdminApp(services: AdminServices): AdminApp {
  const app = new Hono<AppEnvironment>();
  const events = new EventHub(services);
  const tickets = new Tickets();
  const handlers: Handlers = {
    ...docsHandlers(services),
    ...pageHandlers(services),
    ...infoHandlers(services),
    ...targetHandlers(services),
    ...cpuHandlers(services),
    ...heapHandlers(services),
    ...stackHandlers(services),
    ...vitalsHandlers(services),
    ...leakHandlers(services),
    ...heapAnalysisHandlers(services),
    ...deathHandlers(services),
    ...seriesHandlers(services),
    ...alertHandlers(services),
    ...summaryHandlers(services),
    ...recorderHandlers(services),
    ...ruleHandlers(services),
    ...egressHandlers(services),
    ...diffHandlers(services),
    ...baselineHandlers(services),
    ...timelineHandlers(services),
    ...operationHandlers(services),
    ...profileHandlers(services),
    ...profileRequestHandlers(services),
    ...profileSourceHandlers(services),
    ...downloadHandlers({ services, tickets }),
    events: (request) => events.open(request),
  };

  app.use('*', async (context, next) => {
    context.set('requestId', randomUUID());
    await next();
    finishAnswer(context as Context<AppEnvironment>, services);
  });
  app.use('*', async (context, next) => {
    const url = new URL(context.req.url);
    guardRequest(
      {
        method: context.req.method,
        url,
        host: context.req.header('host'),
        origin: context.req.header('origin'),
        fetchSite: context.req.header('sec-fetch-site'),
        fetchMode: context.req.header('sec-fetch-mode'),
        fetchDestination: context.req.header('sec-fetch-dest'),
      },
      services.allowedHosts,
    );
    await next();
  });
  app.get('/', (context) => context.redirect(`${apiPath}/ui`));
  const { tokens, jwt, log } = services;
  mountRoutes(app, { services, handlers, gate: { tokens, jwt, tickets, attempts: new AttemptBucket(), log } });
  app.notFound((context) => problemResponse(noSuchRoute(context), context.get('requestId')));
  app.onError((error, context) => answerError({ error, context, services }));
  return { app, [Symbol.dispose]: () => events.close() };
}

function finishAnswer(context: Context<AppEnvironment>, { metrics }: AdminServices): void {
  const { headers, status } = context.res;
  setSecurityHeaders(headers);
  headers.set('x-request-id', context.get('requestId'));
  // Without it Node sends an empty body in chunks.
  if (
    context.res.body === null &&
    status >= 200 &&
    status !== 204 &&
    status !== 304 &&
    context.req.raw.method !== 'HEAD'
  )
    headers.set('content-length', '0');
  const route = context.get('routeName') ?? 'unknown';
  const method = knownMethods.has(context.req.raw.method) ? context.req.raw.method : 'other';
  metrics.httpRequestsTotal.inc({ route, method, status: String(status) });
}

/** A label must not be the client's to choose. */
const knownMethods = new Set(['GET', 'HEAD', 'POST', 'PATCH', 'DELETE', 'PUT', 'OPTIONS']);

function noSuchRoute({ req }: Context<AppEnvironment>): SidescopeError {
  const methods = allowedMethods(req.path);
  if (req.path === '/') methods.push('GET', 'HEAD');
  if (methods.length === 0)
    return new SidescopeError('not-found', `there is no ${req.path.slice(0, 200)}; the routes are below ${apiPath}`);
  const allow = methods.join(', ');
  return new SidescopeError('method-not-allowed', `${req.method.slice(0, 20)} is not one of ${allow}`, {
    details: { allow },
  });
}

function answerError(failed: { error: Error; context: Context<AppEnvironment>; services: AdminServices }): Response {
  const { context, services } = failed;
  const requestId = context.get('requestId');
  const error = asSidescopeError(failed.error);
  const facts = { requestId, route: context.get('routeName'), code: error.code };
  if (context.req.raw.signal.aborted) services.log.debug({ ...facts, err: failed.error }, 'the client left');
  else if (error.code === 'internal') services.log.error({ ...facts, err: failed.error }, 'request failed');
  return problemResponse(error, requestId);
}
