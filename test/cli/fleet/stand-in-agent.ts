// What the commands ask of an agent, from a few facts: pods of a test have no process of their own.
import { randomUUID } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { gzipSync } from 'node:zlib';
import type { Alert } from '../../../protocol/rest/alerts.ts';
import type { MintedToken } from '../../../protocol/rest/control.ts';
import type { Operation } from '../../../protocol/rest/operation.ts';
import type { Stall } from '../../../protocol/rest/stalls.ts';
import type { Target } from '../../../protocol/rest/target.ts';
import type { RouteStatistics } from '../../../protocol/rest/timelines.ts';
import { apiPath } from '../../../protocol/rest/routes.ts';
import { encodePprof } from '../../../protocol/cpu-profile/pprof.ts';
import { parseCpuProfile } from '../../../protocol/cpu-profile/parse.ts';
import { fileOf } from '../../cpu-profile/profiles.ts';

export interface AgentFacts {
  /** As `fileOf` takes them. */
  readonly stacks?: readonly string[];
  readonly alerts?: readonly Partial<Alert>[];
  readonly stalls?: readonly Partial<Stall>[];
  readonly targets?: readonly Partial<Target>[];
  readonly routes?: readonly Partial<RouteStatistics>[];
  readonly rssBytes?: number;
  /** Since when the process runs. */
  readonly startedAt?: string;
  /** What the start of a capture is answered with. */
  readonly refusal?: { readonly status: number; readonly code: string; readonly detail: string };
  /** Answers with a redirect to this path of the API. */
  readonly leadsTo?: string;
  /** It never ends by itself. */
  readonly isEndless?: boolean;
}

export interface StandInAgent extends AsyncDisposable {
  readonly port: number;
  readonly token: string;
  readonly minted: () => MintedToken;
  /** `POST /cpu/start?…`, in order, with their time. */
  readonly asked: readonly { readonly line: string; readonly atMs: number }[];
}

export async function startStandInAgent(facts: AgentFacts): Promise<StandInAgent> {
  const token = `sst_${randomUUID()}`;
  const asked: { line: string; atMs: number }[] = [];
  const operations = new Map<string, Operation>();
  const file = fileOf(...(facts.stacks ?? ['main@file:///app/a.js:1 10']));
  const server = createServer((request, response) => {
    const url = new URL(request.url ?? '', 'http://agent');
    const path = url.pathname.slice(apiPath.length);
    asked.push({ line: `${request.method} ${request.url?.slice(apiPath.length) ?? ''}`, atMs: performance.now() });
    const send = (body: unknown, status = 200): void => {
      const bytes = Buffer.isBuffer(body) ? body : Buffer.from(JSON.stringify(body));
      response.writeHead(status, { 'content-type': 'application/json' }).end(bytes);
    };
    const problem = (status: number, code: string, detail: string): void =>
      send({ type: code, title: code, status, code, detail }, status);
    if (request.headers.authorization !== `Bearer ${token}`) return problem(401, 'unauthorized', 'wrong token');
    if (facts.leadsTo !== undefined)
      return void response.writeHead(307, { location: `${apiPath}${facts.leadsTo}` }).end();
    const [, id = ''] = /^\/operations\/(.+)$/.exec(path) ?? [];
    if (path === '/targets') return send({ targets: (facts.targets ?? [{}]).map((target) => targetOf(target, facts)) });
    if (path === '/alerts') return send({ alerts: alertsOf(facts, url.searchParams), nextCursor: null });
    if (path === '/stalls') return send({ stalls: (facts.stalls ?? []).map(stallOf), nextCursor: null });
    if (path === '/cpu/start' || path === '/heap/sampling/start') {
      const { refusal } = facts;
      if (refusal !== undefined) return problem(refusal.status, refusal.code, refusal.detail);
      const operation = operationOf(path === '/cpu/start' ? 'cpu' : 'heap-sampling');
      operations.set(operation.id, operation);
      return send(operation, 202);
    }
    const operation = operations.get(id);
    if (operation !== undefined) {
      if (request.method === 'DELETE') operations.set(id, { ...operation, state: 'cancelled' });
      else if (facts.isEndless !== true) operations.set(id, { ...operation, state: 'succeeded', profileIds: [id] });
      return send(operations.get(id));
    }
    if (path.endsWith('/download')) {
      const pprof = gzipSync(encodePprof(parseCpuProfile(file)));
      return send(url.searchParams.get('format') === 'pprof' ? pprof : Buffer.from(JSON.stringify(file)));
    }
    if (path === '/routes') return send(routesOf(facts));
    if (path === '/memory/stats') return send(memoryOf(facts));
    problem(404, 'not-found', 'no such route');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const agent = {
    pid: 1,
    version: '0.1.0',
    startedAt: now(),
    dataDirectory: '/data',
    admin: { url: 'http://127.0.0.1:7777', port: 7777 },
  };
  return {
    port,
    token,
    asked,
    minted: () => ({ token, expiresAt: now(), agent }),
    [Symbol.asyncDispose]: () => {
      server.closeAllConnections();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
}

const now = (): string => new Date().toISOString();

function targetOf(target: Partial<Target>, { startedAt = now() }: AgentFacts): Target {
  return {
    id: 't1',
    address: '127.0.0.1:9229',
    name: 'shop',
    state: { state: 'attached', since: now(), captures: [] },
    identity: {
      ...{ instanceId: 'i1', pid: 7, ppid: null, startedAt, nodeVersion: '24.0.0', v8Version: '13', arch: 'x64' },
      ...{ platform: 'linux', hostname: 'shop', title: 'node', mainScript: null, appName: null, appVersion: null },
    },
    previous: [],
    threads: [],
    detectedAgents: [],
    warnings: [],
    ...target,
  };
}

function alertsOf({ alerts = [] }: AgentFacts, query: URLSearchParams): Alert[] {
  const wanted = query.get('state');
  return alerts
    .map((alert): Alert => ({
      ...{
        id: randomUUID(),
        problem: 'rule',
        state: 'open',
        targetId: 't1',
        key: '',
        severity: 'warning',
        title: 'a title',
      },
      ...{ text: null, facts: {}, profileIds: [], traceId: null, service: null, openedAt: now(), updatedAt: now() },
      ...{ closedAt: null, closeReason: null, reports: 1, reopened: 0, evidence: [] },
      ...alert,
    }))
    .filter(({ state }) => wanted === null || state === wanted)
    .slice(0, Number(query.get('limit')));
}

function stallOf(stall: Partial<Stall>): Stall {
  return {
    ...{ id: randomUUID(), targetId: 't1', instanceId: 'i1', thread: 'main', kind: 'blocked', state: 'ongoing' },
    ...{
      startedAt: now(),
      noticedAt: now(),
      endedAt: null,
      durationMs: 3_000,
      verdict: 'javascript',
      summary: 'blocked',
    },
    ...{
      dominant: null,
      samples: { asked: 1, running: 1, idle: 0, longestAnswerMs: 1 },
      tree: [],
      span: null,
      gcMs: null,
    },
    ...{ throttledMs: null, waitedMs: null, cpuOperationId: null, cpuProfileAgrees: null },
    ...stall,
  };
}

function operationOf(kind: 'cpu' | 'heap-sampling'): Operation {
  return {
    ...{ id: randomUUID(), kind, state: 'running', targetId: 't1', thread: 'main', startedBy: 'x', createdAt: now() },
    ...{ startedAt: now(), endedAt: null, expiresAt: null, parameters: {}, queuePosition: null, profileIds: [] },
    ...{ progress: { phase: 'sampling', fraction: 0, bytes: 0 }, warnings: [], error: null },
  };
}

function routesOf({ routes = [] }: AgentFacts): object {
  const usual = {
    ...{
      name: 'GET /',
      kind: 'server',
      count: 100,
      estimatedCount: null,
      ratePerSecond: 10,
      errors: 0,
      errorShare: 0,
    },
    ...{ averageMs: 5, p50Ms: 5, p95Ms: 9, p99Ms: 10, totalMs: 500, databaseShare: 0, totals: [], summary: '' },
    ...{ lastSeenAt: now(), slowestTraceId: null },
  };
  const rows = routes.map((route) => ({ ...usual, ...route }));
  return { from: now(), to: now(), quantileErrorShare: 0.05, sampling: null, otherRoots: 0, routes: rows };
}

function memoryOf({ rssBytes = 100e6 }: AgentFacts): object {
  return {
    ...{
      targetId: 't1',
      instanceId: 'i1',
      at: now(),
      rssBytes,
      heapUsedBytes: rssBytes / 2,
      heapTotalBytes: rssBytes / 2,
    },
    ...{ externalBytes: 1e6, arrayBuffersBytes: 0, heapLimitBytes: 4e9, heapUsedPercent: 1, containerBytes: rssBytes },
    ...{ containerLimitBytes: null, containerUsedPercent: null, spaces: [], nearerLimit: null, limitNotes: [] },
  };
}
