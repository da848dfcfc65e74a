import { readFile } from 'node:fs/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { extname, join, normalize } from 'node:path';
import { securityPolicies, setSecurityHeaders } from '../../agent/http/headers.ts';
import type { SidescopeEvent } from '../../protocol/rest/event.ts';
import { eventSchema } from '../../protocol/rest/event.ts';
import type { SnapshotForecast } from '../../protocol/rest/forecast.ts';
import { snapshotForecastSchema } from '../../protocol/rest/forecast.ts';
import type { Info } from '../../protocol/rest/info.ts';
import { infoSchema } from '../../protocol/rest/info.ts';
import { operationListSchema, profileListSchema, targetListSchema } from '../../protocol/rest/lists.ts';
import type { Operation } from '../../protocol/rest/operation.ts';
import { operationSchema } from '../../protocol/rest/operation.ts';
import type { ProblemCode } from '../../protocol/rest/problem.ts';
import { problemKinds } from '../../protocol/rest/problem.ts';
import type { Profile, ProfilePatch } from '../../protocol/rest/profile.ts';
import { profileSchema } from '../../protocol/rest/profile.ts';
import type { Alert } from '../../protocol/rest/alerts.ts';
import { alertListSchema } from '../../protocol/rest/alerts.ts';
import type { BaselineView } from '../../protocol/rest/baseline.ts';
import { baselineViewSchema } from '../../protocol/rest/baseline.ts';
import type { ProfileDiff } from '../../protocol/rest/diff.ts';
import { profileDiffSchema } from '../../protocol/rest/diff.ts';
import type { Regression, RegressionCheck } from '../../protocol/rest/regressions.ts';
import { regressionCheckSchema, regressionListSchema } from '../../protocol/rest/regressions.ts';
import type { EgressView } from '../../protocol/rest/egress.ts';
import { egressSchema } from '../../protocol/rest/egress.ts';
import type { Catch, Rules } from '../../protocol/rest/rules.ts';
import { catchSchema, ruleExplanationSchema, ruleFiringSchema, rulesSchema } from '../../protocol/rest/rules.ts';
import { sampleCatch, sampleExplanation, sampleFiring, sampleRules } from './rule-samples.ts';
import { sampleBaseline, sampleCheck } from './regression-samples.ts';
import type { Death } from '../../protocol/rest/deaths.ts';
import { deathListSchema } from '../../protocol/rest/deaths.ts';
import type { Stall } from '../../protocol/rest/stalls.ts';
import type { LeakList } from '../../protocol/rest/leaks.ts';
import { leakListSchema } from '../../protocol/rest/leaks.ts';
import type { Stacks } from '../../protocol/rest/stacks.ts';
import { stacksSchema } from '../../protocol/rest/stacks.ts';
import type { MemoryStats, VitalsHistory } from '../../protocol/rest/vitals.ts';
import { memoryStatsSchema } from '../../protocol/rest/vitals.ts';
import { vitalsHistorySchema } from '../../protocol/rest/vitals.ts';
import { sampleHistory } from './history-samples.ts';
import { sampleRequestHistory } from './request-history-samples.ts';
import { seriesListSchema } from '../../protocol/rest/series.ts';
import { stallListSchema } from '../../protocol/rest/stalls.ts';
import type { HotFunctions } from '../../protocol/rest/hot-functions.ts';
import { hotFunctionsSchema } from '../../protocol/rest/hot-functions.ts';
import type { Target } from '../../protocol/rest/target.ts';
import { profileSourceSchema, type ProfileSource } from '../../protocol/rest/profile-source.ts';
import { profileRequestsSchema } from '../../protocol/rest/profile-requests.ts';
import { requestHistorySchema } from '../../protocol/rest/request-history.ts';
import type { RouteList, TimelineDetail } from '../../protocol/rest/timelines.ts';
import { routeListSchema, timelineDetailSchema, timelineListSchema } from '../../protocol/rest/timelines.ts';
import { noHotFunctions, sampleProfileRequests } from './request-samples.ts';
import { sampleLeaks, sampleMemoryStats, sampleStacks } from './memory-samples.ts';
import { pageDirectory } from './browser.ts';
import {
  sampleCpuProfile,
  sampleForecast,
  sampleInfo,
  sampleOperation,
  sampleProfile,
  sampleTarget,
} from './samples.ts';

/** What the stand-in answers with. Tests change it while the page is open. */
export interface World {
  token: string;
  info: Info;
  targets: Target[];
  stalls: Stall[];
  alerts: Alert[];
  deaths: Death[];
  regressions: Regression[];
  check: RegressionCheck;
  baseline: BaselineView;
  diff: ProfileDiff | null;
  rules: Rules;
  egress: EgressView;
  /** 404 as of an agent that knows no such route. */
  missing: readonly string[];
  /** So many downloads end at half. */
  cutDownloads: number;
  /** By hand, where the shape of the history matters; else it is made of one reading. */
  history: VitalsHistory | null;
  memory: MemoryStats;
  leaks: LeakList;
  stacks: Stacks;
  timelines: TimelineDetail[];
  routes: RouteList['routes'];
  otherRoots: number;
  hot: HotFunctions;
  operations: Operation[];
  profiles: Profile[];
  forecast: SnapshotForecast;
  /** The next start or deletion is answered with this problem. */
  refuse: { code: ProblemCode; detail: string } | null;
  pageSize: number;
  /** Source lines by the profile's id; others have none. */
  sources: Readonly<Record<string, ProfileSource>>;
  /** What a download by ticket gives; by the profile's id and the format, where both are named. */
  files: Readonly<Record<string, string | Uint8Array>>;
  /** The token is right and may do nothing. */
  powerless: boolean;
}

export interface StandIn extends AsyncDisposable {
  readonly world: World;
  readonly origin: string;
  readonly url: string;
  /** Method, path and query of each request but those for files. */
  readonly requests: string[];
  /** What it could not answer, such as a sample that the contract has outgrown. */
  readonly faults: unknown[];
  emit(event: SidescopeEvent): void;
  readonly streams: number;
  /** Cuts every event stream, as a lost port-forward does. */
  cut(): void;
  /** While true, connections are closed without an answer. */
  down: boolean;
}

interface Call {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly url: URL;
  readonly path: string;
}

const prefix = '/api/v1/profiling';
const types: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.woff2': 'font/woff2',
};

/** An agent's HTTP side without an agent: for states of the page that a real one does not reach on demand. */
export async function startStandIn(over: Partial<World> = {}): Promise<StandIn> {
  const world: World = {
    token: 'right',
    info: sampleInfo(),
    targets: [sampleTarget()],
    stalls: [],
    alerts: [],
    deaths: [],
    regressions: [],
    check: sampleCheck(),
    baseline: sampleBaseline(),
    diff: null,
    rules: sampleRules(),
    egress: { destinations: [], problems: [], deliveries: [] },
    missing: [],
    cutDownloads: 0,
    history: null,
    memory: sampleMemoryStats(),
    leaks: sampleLeaks({ verdicts: [], searches: [], investigations: [] }),
    stacks: sampleStacks(),
    timelines: [],
    routes: [],
    otherRoots: 0,
    hot: noHotFunctions,
    operations: [],
    profiles: [sampleProfile()],
    forecast: sampleForecast(),
    refuse: null,
    pageSize: 50,
    files: {},
    sources: {},
    powerless: false,
    ...over,
  };
  const streams = new Set<ServerResponse>();
  const requests: string[] = [];
  const faults: unknown[] = [];
  const server = createServer((request, response) => {
    if (standIn.down) return void request.socket.destroy();
    const url = new URL(request.url ?? '/', 'http://stand-in');
    const call = { request, response, url, path: url.pathname.slice(prefix.length) };
    answer(call).catch((error: unknown) => {
      faults.push(error);
      response.destroy();
    });
  });

  async function answer(call: Call): Promise<void> {
    const { request, response, path, url } = call;
    if (path.startsWith('/ui')) return sendFile(call);
    requests.push(`${request.method ?? ''} ${path}${url.search}`);
    const ticket = url.searchParams.get('ticket');
    if (path.endsWith('/download') && ticket === 'ticket') {
      world.cutDownloads -= 1;
      return world.cutDownloads >= 0 ? cutProfile(call) : sendProfile(call, world.files);
    }
    if (request.headers.authorization !== `Bearer ${world.token}`) {
      return sendProblem(response, 'unauthorized', 'the token is unknown or has expired');
    }
    if (world.powerless) return sendProblem(response, 'forbidden-scope', 'this route needs the scope view');
    if (path === '/events') return openStream(response);
    if (request.method !== 'GET' && world.refuse !== null && !path.endsWith('/ticket')) {
      return sendProblem(response, world.refuse.code, world.refuse.detail);
    }
    await sendData(call);
  }

  async function sendData({ request, response, path, url }: Call): Promise<void> {
    const [, resource, id, rest] = path.split('/');
    if (world.missing.includes(resource ?? '')) return sendProblem(response, 'not-found', `there is no ${path}`);
    switch (`${request.method ?? ''} /${resource ?? ''}`) {
      case 'GET /info':
        return sendJson(response, infoSchema.parse(world.info));
      case 'GET /targets':
        return sendJson(response, targetListSchema.parse({ targets: world.targets }));
      case 'GET /operations':
        return sendJson(response, operationListSchema.parse({ operations: world.operations }));
      case 'GET /stalls':
        return sendJson(response, stallListSchema.parse({ stalls: world.stalls, nextCursor: null }));
      case 'GET /alerts': {
        const bare = url.searchParams.get('evidence') === 'false';
        const alerts = world.alerts.map((alert) => (bare ? { ...alert, evidence: [] } : alert));
        return sendJson(response, alertListSchema.parse({ alerts, nextCursor: null }));
      }
      case 'GET /deaths':
        return sendJson(response, deathListSchema.parse({ deaths: world.deaths, nextCursor: null }));
      case 'GET /regressions':
        if (id === 'check') return sendJson(response, regressionCheckSchema.parse(world.check));
        return sendJson(response, regressionListSchema.parse({ regressions: world.regressions, nextCursor: null }));
      case 'GET /baseline':
      case 'POST /baseline':
        return sendJson(response, baselineViewSchema.parse(world.baseline));
      case 'GET /egress':
        return sendJson(response, egressSchema.parse(world.egress));
      case 'GET /rules':
        if (rest === 'explain') return sendJson(response, ruleExplanationSchema.parse(sampleExplanation(id ?? '')));
        return sendJson(response, rulesSchema.parse(world.rules));
      case 'POST /rules': {
        if (id !== 'catch') return sendJson(response, ruleFiringSchema.parse(sampleFiring(id ?? '')), 202);
        const event = url.searchParams.get('event') as Catch['event'];
        const one = sampleCatch({ event, targetId: url.searchParams.get('target') ?? '' });
        world.rules = { ...world.rules, catches: [one, ...world.rules.catches] };
        return sendJson(response, catchSchema.parse(one), 202);
      }
      case 'DELETE /rules': {
        const found = world.rules.catches.find((one) => one.id === rest);
        if (found === undefined) return sendProblem(response, 'unknown-catch', `no catch has the id ${rest ?? ''}`);
        const ended: Catch = { ...found, state: 'cancelled', why: 'somebody asked for it' };
        world.rules = { ...world.rules, catches: world.rules.catches.map((one) => (one === found ? ended : one)) };
        return sendJson(response, catchSchema.parse(ended));
      }
      case 'GET /vitals':
        return sendJson(response, vitalsHistorySchema.parse(world.history ?? sampleHistory(url.searchParams)));
      case 'GET /requests':
        return sendJson(response, requestHistorySchema.parse(sampleRequestHistory(url.searchParams)));
      case 'GET /series': {
        const times = [60_000, 40_000, 20_000].map((agoMs) => new Date(Date.now() - agoMs).toISOString());
        const about = { family: 'orders', type: 'counter', isCumulative: true, unit: null } as const;
        const values = { values: [10, 20, 60], rates: [null, 0.5, 2] };
        const series = [{ ...about, name: 'orders_total', labels: { country: 'FR' }, ...values }];
        const span = { from: times[0], to: times[2], stepMs: 0, times };
        return sendJson(
          response,
          seriesListSchema.parse({ targetId: 't1', ...span, scrape: null, series, total: 1, nextCursor: null }),
        );
      }
      case 'GET /memory':
        if (id === 'leaks') return sendJson(response, leakListSchema.parse(world.leaks));
        return sendJson(response, memoryStatsSchema.parse(world.memory));
      case 'POST /stacks':
        return sendJson(response, stacksSchema.parse(world.stacks));
      case 'GET /timelines': {
        if (id === undefined) return sendJson(response, timelinePage(url));
        const found = world.timelines.find(({ traceId }) => traceId === id);
        if (found === undefined) return sendProblem(response, 'unknown-trace', `no timeline has the trace id ${id}`);
        return sendJson(response, timelineDetailSchema.parse(found));
      }
      case 'GET /routes': {
        const now = new Date().toISOString();
        const { routes, otherRoots } = world;
        const list = { from: now, to: now, quantileErrorShare: 0.05, sampling: null, otherRoots, routes };
        return sendJson(response, routeListSchema.parse(list));
      }
      case 'GET /hot-functions':
        return sendJson(response, hotFunctionsSchema.parse(world.hot));
      case 'GET /heap':
        return sendJson(response, snapshotForecastSchema.parse(world.forecast));
      case 'GET /profiles':
        if (rest === 'diff' && world.diff !== null) return sendJson(response, profileDiffSchema.parse(world.diff));
        if (rest === 'source') {
          const none = { profileId: id, functions: [], omittedLines: 0, reason: 'none were kept' };
          return sendJson(response, profileSourceSchema.parse(world.sources[id ?? ''] ?? none));
        }
        if (rest === 'requests')
          return sendJson(response, profileRequestsSchema.parse(sampleProfileRequests(id ?? '')));
        if (id !== undefined) {
          const found = world.profiles.find((profile) => profile.id === id);
          return found === undefined
            ? sendProblem(response, 'unknown-profile', `no profile has the id ${id}`)
            : sendJson(response, profileSchema.parse(found));
        }
        return sendJson(response, profilePage(url));
      case 'POST /cpu':
        return id === 'start' ? sendStarted(response, 'cpu', url) : sendEnded(response, 'partial');
      case 'POST /heap':
        return sendStarted(response, id === 'sampling' ? 'heap-sampling' : 'heap-snapshot', url);
      case 'DELETE /operations':
        return sendEnded(response, 'cancelled');
      case 'POST /profiles': {
        if (rest !== 'ticket') break;
        const format = url.searchParams.get('format');
        const query = `ticket=ticket${format === null ? '' : `&format=${format}`}`;
        const expiresAt = new Date(Date.now() + 600_000).toISOString();
        return sendJson(response, { url: `${prefix}/profiles/${id ?? ''}/download?${query}`, expiresAt }, 201);
      }
      case 'PATCH /profiles': {
        const patch = JSON.parse(await readBody(request)) as ProfilePatch;
        const changed = { ...world.profiles.find((profile) => profile.id === id), ...patch } as Profile;
        world.profiles = world.profiles.map((profile) => (profile.id === id ? changed : profile));
        return sendJson(response, changed);
      }
      case 'DELETE /profiles': {
        const before = url.searchParams.get('before');
        const gone = world.profiles.filter((profile) =>
          before === null ? profile.id === id : profile.startedAt < before && !profile.pinned,
        );
        world.profiles = world.profiles.filter((profile) => !gone.includes(profile));
        for (const { id: profileId } of gone) standIn.emit({ type: 'profile-deleted', profileId });
        if (before === null) return void response.writeHead(204).end();
        const kept = { pinned: world.profiles.filter((profile) => profile.pinned).length, inUse: 0 };
        return sendJson(response, { deleted: gone.map((profile) => profile.id), kept });
      }
    }
    sendProblem(response, 'not-found', `there is no ${path}`);
  }

  function timelinePage({ searchParams }: URL) {
    const route = searchParams.get('route');
    const timelines = world.timelines
      .filter(
        ({ name, failed }) => (route === null || name === route) && (searchParams.get('status') === null || failed),
      )
      .toSorted((a, b) => (searchParams.get('order') === 'slowest' ? b.durationMs - a.durationMs : 0));
    const start = Number(searchParams.get('cursor') ?? 0);
    const end = start + Number(searchParams.get('limit') ?? 50);
    return timelineListSchema.parse({
      timelines: timelines.slice(start, end),
      nextCursor: end < timelines.length ? String(end) : null,
      total: timelines.length,
    });
  }

  function profilePage(url: URL) {
    const kind = url.searchParams.get('kind');
    const start = Number(url.searchParams.get('cursor') ?? 0);
    const matching = world.profiles.filter((profile) => kind === null || profile.kind === kind);
    const end = start + Math.min(world.pageSize, Number(url.searchParams.get('limit') ?? 50));
    const nextCursor = end < matching.length ? String(end) : null;
    return profileListSchema.parse({ profiles: matching.slice(start, end), nextCursor, total: matching.length });
  }

  function sendStarted(response: ServerResponse, kind: Operation['kind'], url: URL): void {
    const operation = sampleOperation({
      id: `op-${world.operations.length + 1}`,
      kind,
      createdAt: new Date().toISOString(),
      startedAt: new Date().toISOString(),
      parameters: { durationMs: Number(url.searchParams.get('duration') ?? 30_000) },
      progress: { phase: 'sampling', fraction: 0.1, bytes: 0 },
    });
    world.operations = [operation, ...world.operations];
    sendJson(response, operationSchema.parse(operation), 202);
  }

  function sendEnded(response: ServerResponse, state: Operation['state']): void {
    const [newest, ...others] = world.operations;
    if (newest === undefined) return sendProblem(response, 'nothing-to-stop', 'nothing runs');
    const ended: Operation = { ...newest, state, endedAt: new Date().toISOString() };
    world.operations = [ended, ...others];
    sendJson(response, ended);
  }

  function openStream(response: ServerResponse): void {
    setSecurityHeaders(headersOf(response));
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    streams.add(response);
    response.on('close', () => streams.delete(response));
    send(response, { type: 'hello', version: world.info.version, agentStartedAt: world.info.startedAt });
  }

  function send(response: ServerResponse, event: SidescopeEvent): void {
    response.write(`event: ${event.type}\ndata: ${JSON.stringify(eventSchema.parse(event))}\n\n`);
  }

  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const standIn: StandIn = {
    world,
    origin,
    url: `${origin}${prefix}/ui`,
    requests,
    faults,
    down: false,
    get streams() {
      return streams.size;
    },
    emit: (event) => streams.forEach((response) => send(response, event)),
    cut: () => streams.forEach((response) => response.destroy()),
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  return standIn;
}

async function sendFile({ response, path }: Call): Promise<void> {
  const name = normalize(path.slice('/ui'.length)).replace(/^\/+$|^\.$/, '/index.html');
  const policy = name.startsWith('/speedscope/') ? securityPolicies.speedscope : securityPolicies.page;
  const bytes = await readFile(join(pageDirectory, name)).catch(() => null);
  if (bytes === null) return sendProblem(response, 'not-found', `there is no ${path}`);
  response.setHeader('content-security-policy', policy);
  setSecurityHeaders(headersOf(response));
  response.writeHead(200, { 'content-type': types[extname(name)] ?? 'application/octet-stream' }).end(bytes);
}

function sendProfile({ response, path, url }: Call, files: World['files']): void {
  setSecurityHeaders(headersOf(response));
  const disposition = 'attachment; filename="shop.cpuprofile"';
  response.writeHead(200, { 'content-type': 'application/octet-stream', 'content-disposition': disposition });
  const id = path.split('/')[2] ?? '';
  response.end(files[`${id}.${url.searchParams.get('format') ?? ''}`] ?? sampleCpuProfile);
}

/** A connection that is lost at half of the file. */
function cutProfile({ response }: Call): void {
  setSecurityHeaders(headersOf(response));
  response.writeHead(200, {
    'content-type': 'application/octet-stream',
    'content-disposition': 'attachment; filename="shop.cpuprofile"',
    'content-length': String(sampleCpuProfile.length),
  });
  response.write(sampleCpuProfile.slice(0, sampleCpuProfile.length / 2), () => response.destroy());
}

function sendJson(response: ServerResponse, body: unknown, status = 200): void {
  setSecurityHeaders(headersOf(response));
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}

function sendProblem(response: ServerResponse, code: ProblemCode, detail: string): void {
  const { status, cause: title } = problemKinds[code];
  setSecurityHeaders(headersOf(response));
  response.writeHead(status, { 'content-type': 'application/problem+json' });
  response.end(JSON.stringify({ type: `#${code}`, title, status, code, detail }));
}

/** The agent sets its headers on a Headers object; node:http has its own. */
function headersOf(response: ServerResponse): Headers {
  return {
    has: (name: string) => response.hasHeader(name),
    set: (name: string, value: string) => void response.setHeader(name, value),
  } as Headers;
}

async function readBody(request: IncomingMessage): Promise<string> {
  let text = '';
  for await (const chunk of request) text += String(chunk);
  return text;
}
