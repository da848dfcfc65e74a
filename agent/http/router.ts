import type { Context, Hono } from 'hono';
import type { HttpBindings } from '@hono/node-server';
import type { z } from 'zod';
import { isSidescopeError, SidescopeError } from '../../protocol/error.ts';
import { problemKinds } from '../../protocol/rest/problem.ts';
import { apiPath, routes } from '../../protocol/rest/routes.ts';
import type { Route } from '../../protocol/rest/route.ts';
import type { RouteName } from '../../protocol/rest/routes.ts';
import type { AuditRecord } from '../telemetry/audit.ts';
import { admit, requireScope } from './auth.ts';
import type { Admission, Gate } from './auth.ts';
import { ignoreBody, parseJsonBody, parseQuery } from './parse-request.ts';
import { asSidescopeError } from './problem.ts';
import type { AdminServices } from './services.ts';
import type { TicketGrant } from './tickets.ts';
import type { Subject } from './tokens.ts';

export interface AppEnvironment {
  /** Empty in tests that call the application without a socket. */
  Bindings: Partial<HttpBindings>;
  Variables: { requestId: string; routeName: string };
}

type ParsedBy<N extends RouteName, Part extends 'query' | 'body'> = (typeof routes)[N] extends {
  readonly [P in Part]: infer Schema extends z.ZodType;
}
  ? z.output<Schema>
  : Readonly<Record<never, never>>;

/** What a handler sees: validated values only. */
export interface RouteRequest<N extends RouteName = RouteName> {
  readonly id: string;
  readonly query: ParsedBy<N, 'query'>;
  readonly body: ParsedBy<N, 'body'>;
  /** Undefined on public routes. */
  readonly admission: Admission | undefined;
  /** Throws on public routes: their handlers have no business with it. */
  readonly subject: Subject;
  readonly grant: TicketGrant | undefined;
  readonly method: string;
  /** Decoded path below `apiPath`. */
  readonly path: string;
  readonly headers: Headers;
  readonly requestId: string;
  /** Aborts when the client leaves. */
  readonly signal: AbortSignal;
  readonly audit: AuditEntry;
  /** Cuts the connection, so that a client cannot take what it has for the whole. False without a socket. */
  destroySocket(): boolean;
}

export type Handlers = { readonly [N in RouteName]: (request: RouteRequest<N>) => Response | Promise<Response> };

type AuditFacts = Partial<Pick<AuditRecord, 'target' | 'bytes' | 'profileId' | 'operationId' | 'sha256'>>;

/** The line of one action. Written when the answer is made, or by the handler itself once it called `defer`. */
export class AuditEntry {
  readonly facts: AuditFacts = {};
  readonly #write: (result: string, status: number, facts: AuditFacts) => void;
  #isDeferred = false;
  #isWritten = false;

  constructor(write: (result: string, status: number, facts: AuditFacts) => void) {
    this.#write = write;
  }

  add(facts: AuditFacts): void {
    Object.assign(this.facts, facts);
  }

  /** The action goes on after the answer has begun; the caller then writes the line when it has ended. */
  defer(): (result: string, status: number) => void {
    this.#isDeferred = true;
    return (result, status) => this.#once(result, status);
  }

  answered(result: string, status: number): void {
    if (!this.#isDeferred) this.#once(result, status);
  }

  #once(result: string, status: number): void {
    if (this.#isWritten) return;
    this.#isWritten = true;
    this.#write(result, status, this.facts);
  }
}

/** One Hono route per row of the table; the scope is asked for here and nowhere else can it be left out. */
export function mountRoutes(app: Hono<AppEnvironment>, options: MountOptions): void {
  for (const name of Object.keys(options.handlers))
    if (!Object.hasOwn(routes, name)) throw new Error(`the handler ${name} has no row in the route table`);
  for (const name of Object.keys(routes) as RouteName[]) mountRoute(app, name, options);
}

export interface MountOptions {
  readonly services: AdminServices;
  readonly gate: Gate;
  readonly handlers: Handlers;
}

function mountRoute(app: Hono<AppEnvironment>, name: RouteName, { services, gate, handlers }: MountOptions): void {
  const route: Route = routes[name];
  const handler = handlers[name] as ((request: RouteRequest) => Response | Promise<Response>) | undefined;
  if (handler === undefined) throw new Error(`the route ${name} has no handler`);

  app.on(route.method, apiPath + route.path, async (context) => {
    context.set('routeName', route.path);
    const asked: Asked = { route, context, admission: undefined };
    const audit = new AuditEntry(auditWriter(services, asked));
    try {
      const url = new URL(context.req.url);
      if (route.scope !== 'public') {
        const ticket = url.searchParams.get('ticket') ?? undefined;
        const authorization = context.req.header('authorization');
        asked.admission = await admit(gate, route, { authorization, ticket });
        if (asked.admission.grant === undefined) requireScope(asked.admission.subject, route.scope);
      }
      const response = await handler(await parsed(asked, { url, audit }));
      audit.answered('ok', response.status);
      return response;
    } catch (error) {
      if (isSidescopeError(error)) countRefusal(services, route, error);
      throw auditedError(error, audit);
    }
  });
}

interface Asked {
  readonly route: Route;
  readonly context: Context<AppEnvironment>;
  admission: Admission | undefined;
}

async function parsed(
  { route, context, admission }: Asked,
  parts: { url: URL; audit: AuditEntry },
): Promise<RouteRequest> {
  const { raw } = context.req;
  const id = context.req.param('id') ?? '';
  if (route.unknownId !== undefined && !/^[0-9A-Za-z_-]{1,64}$/.test(id))
    throw new SidescopeError(route.unknownId, 'the id in the path is not one that this agent makes');
  const query = parseQuery(parts.url.searchParams, route.query);
  let body: unknown = {};
  if (route.body !== undefined) body = await parseJsonBody(raw, route.body);
  else if (route.method !== 'GET') await ignoreBody(raw);
  const outgoing = (context.env as Partial<HttpBindings> | undefined)?.outgoing;
  return {
    id,
    query: query as RouteRequest['query'],
    body: body as RouteRequest['body'],
    admission,
    get subject() {
      if (admission === undefined) throw new Error(`${route.path} is public`);
      return admission.subject;
    },
    grant: admission?.grant,
    method: raw.method,
    path: context.req.path.slice(apiPath.length),
    headers: raw.headers,
    requestId: context.get('requestId'),
    signal: raw.signal,
    audit: parts.audit,
    destroySocket() {
      outgoing?.destroy();
      return outgoing !== undefined;
    },
  };
}

function auditWriter(services: AdminServices, asked: Asked): ConstructorParameters<typeof AuditEntry>[0] {
  const startedAtMs = performance.now();
  const { route, context } = asked;
  return (result, status, facts) => {
    // Bounded by the same bucket: a flood of guesses must not become a flood of lines. The metric counts them all.
    if (route.action === undefined || result === 'too-many-attempts') return;
    services.audit.write({
      requestId: context.get('requestId'),
      subject: asked.admission?.subject.name ?? null,
      scopes: asked.admission?.subject.scopes ?? [],
      credential: credentialOf(asked.admission),
      action: route.action,
      ...facts,
      parameters: auditedParameters(context),
      result,
      status,
      durationMs: Math.round(performance.now() - startedAtMs),
    });
  };
}

function credentialOf(admission: Admission | undefined): AuditRecord['credential'] {
  if (admission === undefined) return null;
  return admission.grant === undefined ? admission.subject.credential : 'ticket';
}

/** As asked for, bounded, without the ticket. */
function auditedParameters(context: Context<AppEnvironment>): Record<string, string> {
  const entries = [...new URL(context.req.url).searchParams].filter(([name]) => name !== 'ticket').slice(0, 20);
  const id = context.req.param('id');
  const path: [string, string][] = id === undefined ? [] : [['id', id]];
  return Object.fromEntries([...path, ...entries].map(([name, value]) => [name.slice(0, 50), value.slice(0, 100)]));
}

const startActions: ReadonlySet<string | undefined> = new Set(['cpu.start', 'heap.snapshot', 'heap.sampling.start']);

const authCodes: ReadonlySet<string> = new Set<SidescopeError['code']>([
  'unauthorized',
  'forbidden-scope',
  'bad-ticket',
  'jwt-keys-unavailable',
  'too-many-attempts',
]);

/** Refused before the target was touched: only the routes that start captures. */
function countRefusal({ metrics }: AdminServices, route: Route, { code }: SidescopeError): void {
  if (authCodes.has(code)) metrics.authFailuresTotal.inc({ code });
  else if (startActions.has(route.action)) metrics.refusalsTotal.inc({ code });
}

/** The error goes on to the one place that answers it; the line says how it will be answered. */
function auditedError(error: unknown, audit: AuditEntry): unknown {
  const { code } = asSidescopeError(error);
  audit.answered(code, problemKinds[code].status);
  return error;
}

const patterns = Object.values<Route>(routes).map(({ method, path }) => ({
  method,
  pattern: new RegExp(`^${(apiPath + path).replace(/:\w+/g, '[^/]+').replace(/\*$/, '.*')}$`),
}));

/** Methods of the routes with this path, for `Allow`; empty when there is no such path. */
export function allowedMethods(path: string): string[] {
  const methods = patterns.filter(({ pattern }) => pattern.test(path)).map(({ method }) => method);
  return [...new Set(methods.flatMap((method) => (method === 'GET' ? ['GET', 'HEAD'] : [method])))];
}
