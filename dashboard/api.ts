import type { AlertList } from '../protocol/rest/alerts.ts';
import type { BaselineView } from '../protocol/rest/baseline.ts';
import type { DeathList } from '../protocol/rest/deaths.ts';
import type { ProfileDiff } from '../protocol/rest/diff.ts';
import type { SnapshotForecast } from '../protocol/rest/forecast.ts';
import type { Info } from '../protocol/rest/info.ts';
import type { DeletedProfiles, OperationList, ProfileList, TargetList } from '../protocol/rest/lists.ts';
import type { Operation } from '../protocol/rest/operation.ts';
import type { EgressView } from '../protocol/rest/egress.ts';
import type { Problem } from '../protocol/rest/problem.ts';
import { problemKinds } from '../protocol/rest/problem.ts';
import type { Profile, ProfileFormat, ProfileKind, ProfilePatch } from '../protocol/rest/profile.ts';
import type { HotFunctions } from '../protocol/rest/hot-functions.ts';
import type { RegressionCheck, RegressionList } from '../protocol/rest/regressions.ts';
import type { ProfileSource } from '../protocol/rest/profile-source.ts';
import type { ProfileRequests } from '../protocol/rest/profile-requests.ts';
import type { Catch, RuleExplanation, RuleFiring, Rules } from '../protocol/rest/rules.ts';
import type { RequestHistoryList } from '../protocol/rest/request-history.ts';
import type { RouteList, TimelineDetail, TimelineList } from '../protocol/rest/timelines.ts';
import type { StallList } from '../protocol/rest/stalls.ts';
import type { Ticket } from '../protocol/rest/ticket.ts';
import type { VitalsHistory } from '../protocol/rest/vitals.ts';

export const apiBase = '/api/v1/profiling';
const requestTimeoutMs = 30_000;

type Query = Readonly<Record<string, string | number | boolean | undefined>>;

interface Call {
  readonly method?: 'GET' | 'POST' | 'PATCH' | 'DELETE';
  readonly query?: Query;
  readonly body?: unknown;
  readonly signal?: AbortSignal | undefined;
}

/** What the agent answered instead, or why there was no answer (`status` 0, code `unreachable`). */
export class ApiProblem extends Error {
  readonly status: number;
  readonly code: string;
  readonly remedy: string | null;
  readonly details: Readonly<Record<string, unknown>>;

  constructor(problem: Pick<Problem, 'status' | 'code' | 'detail' | 'errors' | 'details'>, cause?: unknown) {
    const parameters = (problem.errors ?? []).map((error) => `${error.parameter}: ${error.message}`);
    super(parameters.length > 0 ? parameters.join('; ') : problem.detail, { cause });
    this.name = 'ApiProblem';
    this.status = problem.status;
    this.code = problem.code;
    this.remedy = remedyFor(problem.code);
    this.details = problem.details ?? {};
  }
}

/** Whatever was thrown, for people. */
export function asProblem(error: unknown): ApiProblem {
  if (error instanceof ApiProblem) return error;
  const detail = error instanceof Error ? error.message : String(error);
  return new ApiProblem({ status: 0, code: 'page-fault', detail }, error);
}

export function remedyFor(code: string): string | null {
  const kinds: Readonly<Record<string, { readonly remedy: string }>> = problemKinds;
  return Object.hasOwn(kinds, code) ? (kinds[code]?.remedy ?? null) : null;
}

/** The agent's routes that the page uses. Each rejects with an ApiProblem; a 401 is told to `onUnauthorized` too. */
export class Api {
  readonly #token: () => string | null;
  readonly #onUnauthorized: (problem: ApiProblem) => void;

  constructor(options: { token: () => string | null; onUnauthorized: (problem: ApiProblem) => void }) {
    this.#token = options.token;
    this.#onUnauthorized = options.onUnauthorized;
  }

  egress = (signal?: AbortSignal) => this.#json<EgressView>('/egress', { signal });

  info = (signal?: AbortSignal) => this.#json<Info>('/info', { signal });

  targets = async (signal?: AbortSignal) => (await this.#json<TargetList>('/targets', { signal })).targets;

  /** Without their merged stacks, which are up to 30 kB each. */
  stalls = async (query: { limit: number }, signal?: AbortSignal) =>
    (await this.#json<StallList>('/stalls', { query: { ...query, tree: false }, signal })).stalls;

  /** The texts of the evidence are left out unless asked for: a list of them may be 5 MB. */
  alerts = (query: { limit: number; cursor?: string | undefined; evidence: boolean }, signal?: AbortSignal) =>
    this.#json<AlertList>('/alerts', { query, signal });

  deaths = (query: { limit: number; cursor?: string | undefined }, signal?: AbortSignal) =>
    this.#json<DeathList>('/deaths', { query, signal });

  vitals = (query: { target: string; from: string; to: string; step?: number | undefined }, signal?: AbortSignal) =>
    this.#json<VitalsHistory>('/vitals', { query, signal });

  baseline = (target: string, signal?: AbortSignal) =>
    this.#json<BaselineView>('/baseline', { query: { target }, signal });

  takeBaseline = (target: string) => this.#json<BaselineView>('/baseline', { method: 'POST', query: { target } });

  checkRegressions = (target: string, signal?: AbortSignal) =>
    this.#json<RegressionCheck>('/regressions/check', { query: { target }, signal });

  regressions = (query: { target?: string | undefined; limit: number }, signal?: AbortSignal) =>
    this.#json<RegressionList>('/regressions', { query, signal });

  rules = (target: string | undefined, signal?: AbortSignal) =>
    this.#json<Rules>('/rules', { query: { target }, signal });

  explainRule = (name: string, target: string) =>
    this.#json<RuleExplanation>(`/rules/${encodeURIComponent(name)}/explain`, { query: { target } });

  fireRule = (name: string, target: string) =>
    this.#json<RuleFiring>(`/rules/${encodeURIComponent(name)}/fire`, { method: 'POST', query: { target } });

  catchNext = (query: { target: string; event: Catch['event']; for: string }) =>
    this.#json<Catch>('/rules/catch', { method: 'POST', query });

  cancelCatch = (id: string) => this.#json<Catch>(`/rules/catch/${encodeURIComponent(id)}`, { method: 'DELETE' });

  operations = async (signal?: AbortSignal) => (await this.#json<OperationList>('/operations', { signal })).operations;

  profiles = (
    query: { kind?: ProfileKind | undefined; cursor?: string | undefined; limit?: number },
    signal?: AbortSignal,
  ) => this.#json<ProfileList>('/profiles', { query: { limit: 50, ...query }, signal });

  profile = (id: string, signal?: AbortSignal) => this.#json<Profile>(profilePath(id), { signal });

  diff = (ids: { before: string; after: string }, signal?: AbortSignal) =>
    this.#json<ProfileDiff>(`${profilePath(ids.before)}/diff/${encodeURIComponent(ids.after)}`, { signal });

  profileSource = (id: string, signal?: AbortSignal) =>
    this.#json<ProfileSource>(`${profilePath(id)}/source`, { signal });

  profileRequests = (id: string, limit: number, signal?: AbortSignal) =>
    this.#json<ProfileRequests>(`${profilePath(id)}/requests`, { query: { limit }, signal });

  timelines = (
    query: {
      order: 'newest' | 'slowest';
      status?: string | undefined;
      route?: string | undefined;
      minDuration?: string | undefined;
      limit: number;
      cursor?: string | undefined;
    },
    signal?: AbortSignal,
  ) => this.#json<TimelineList>('/timelines', { query, signal });

  timeline = (traceId: string, signal?: AbortSignal) =>
    this.#json<TimelineDetail>(`/timelines/${encodeURIComponent(traceId)}`, { signal });

  requestHistory = (
    query: { target?: string | undefined; from: string; to: string; step: number },
    signal?: AbortSignal,
  ) => this.#json<RequestHistoryList>('/requests/history', { query, signal });

  routes = (signal?: AbortSignal) => this.#json<RouteList>('/routes', { signal });

  hotFunctions = (signal?: AbortSignal) => this.#json<HotFunctions>('/hot-functions', { signal });

  startCpu = (query: { target: string; thread: string; duration: number; interval?: number | undefined }) =>
    this.#json<Operation>('/cpu/start', { method: 'POST', query });

  stopCpu = (target: string) => this.#json<Operation>('/cpu/stop', { method: 'POST', query: { target } });

  forecast = (query: { target: string; thread: string }, signal?: AbortSignal) =>
    this.#json<SnapshotForecast>('/heap/snapshot/forecast', { query, signal });

  startSnapshot = (query: { target: string; thread: string; force?: true | undefined }) =>
    this.#json<Operation>('/heap/snapshot', { method: 'POST', query });

  cancel = (operationId: string) =>
    this.#json<Operation>(`/operations/${encodeURIComponent(operationId)}`, { method: 'DELETE' });

  patchProfile = (id: string, body: ProfilePatch) => this.#json<Profile>(profilePath(id), { method: 'PATCH', body });

  deleteProfile = async (id: string) => {
    await this.#request(profilePath(id), { method: 'DELETE' });
  };

  deleteProfiles = (query: { before?: string | undefined; kind?: ProfileKind | undefined }) =>
    this.#json<DeletedProfiles>('/profiles', {
      method: 'DELETE',
      query,
    });

  /** A link that needs no header, for ten minutes and this one file. */
  ticket = (id: string, format?: ProfileFormat, redact?: true) =>
    this.#json<Ticket>(`${profilePath(id)}/ticket`, { method: 'POST', query: { format, redact } });

  /** The body stays open: no time limit but the caller's signal. */
  events = async (signal: AbortSignal): Promise<ReadableStream<Uint8Array>> => {
    const response = await this.#fetch('/events', { signal });
    if (response.body === null) throw unreachable(undefined);
    return response.body;
  };

  /** Any route that answers with JSON: views with routes of their own name them beside themselves. */
  get = <T>(path: string, query?: Query, signal?: AbortSignal) => this.#json<T>(path, { query: query ?? {}, signal });

  post = <T>(path: string, query?: Query, signal?: AbortSignal) =>
    this.#json<T>(path, { method: 'POST', query: query ?? {}, signal });

  async #json<T>(path: string, call: Call = {}): Promise<T> {
    const response = await this.#request(path, call);
    return (await response.json()) as T;
  }

  #request(path: string, call: Call): Promise<Response> {
    const limit = AbortSignal.timeout(requestTimeoutMs);
    return this.#fetch(path, { ...call, signal: call.signal ? AbortSignal.any([call.signal, limit]) : limit });
  }

  async #fetch(path: string, call: Call): Promise<Response> {
    const token = this.#token();
    const headers = new Headers();
    if (token !== null) headers.set('authorization', `Bearer ${token}`);
    if (call.body !== undefined) headers.set('content-type', 'application/json');
    const response = await fetch(`${apiBase}${path}${queryText(call.query ?? {})}`, {
      method: call.method ?? 'GET',
      headers,
      body: call.body === undefined ? null : JSON.stringify(call.body),
      credentials: 'omit',
      cache: 'no-store',
      signal: call.signal ?? null,
    }).catch((cause: unknown) => {
      if (call.signal?.aborted === true && !isTimeout(call.signal.reason)) throw cause;
      throw unreachable(cause);
    });
    if (response.ok) return response;
    const problem = await readProblem(response);
    // Only for the token that is still in use: an answer may come after somebody signed in again.
    if (response.status === 401 && token === this.#token()) this.#onUnauthorized(problem);
    throw problem;
  }
}

function profilePath(id: string): string {
  return `/profiles/${encodeURIComponent(id)}`;
}

function queryText(query: Query): string {
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) if (value !== undefined) search.set(name, String(value));
  return search.size === 0 ? '' : `?${search.toString()}`;
}

async function readProblem(response: Response): Promise<ApiProblem> {
  const fallback = {
    status: response.status,
    code: `http-${response.status}`,
    detail: `the agent answered ${response.status} ${response.statusText}`,
  };
  try {
    return new ApiProblem({ ...fallback, ...((await response.json()) as Partial<Problem>) });
  } catch {
    // A proxy's page, or a body cut off: the status is what we know.
    return new ApiProblem(fallback);
  }
}

function unreachable(cause: unknown): ApiProblem {
  return new ApiProblem({ status: 0, code: 'unreachable', detail: 'no answer from the agent' }, cause);
}

function isTimeout(reason: unknown): boolean {
  return reason instanceof DOMException && reason.name === 'TimeoutError';
}
