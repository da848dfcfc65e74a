import type { AlertSummary } from '../../protocol/rest/alerts.ts';
import type { SidescopeEvent } from '../../protocol/rest/event.ts';
import type { Info } from '../../protocol/rest/info.ts';
import type { Operation } from '../../protocol/rest/operation.ts';
import { isEndedState } from '../../protocol/rest/operation.ts';
import type { DiskUsage, Profile, ProfileKind } from '../../protocol/rest/profile.ts';
import type { Regression } from '../../protocol/rest/regressions.ts';
import type { Stall } from '../../protocol/rest/stalls.ts';
import type { Target } from '../../protocol/rest/target.ts';
import type { RequestCounts } from '../../protocol/rest/timelines.ts';
import type { Vitals } from '../../protocol/rest/vitals.ts';

/** How the page stands with the agent. `reconnecting` keeps what was shown; `signed-out` asks for a token above it. */
export type Connection =
  | { readonly state: 'connecting' }
  | { readonly state: 'live' }
  | { readonly state: 'reconnecting'; readonly attempt: number; readonly retryAtMs: number; readonly reason: string }
  | { readonly state: 'signed-out'; readonly reason: string | null };

export interface ProfileList {
  readonly kind: ProfileKind | null;
  readonly items: readonly Profile[];
  readonly nextCursor: string | null;
  /** With the filter, as the agent counts. */
  readonly total: number;
}

/** As the event stream tells it; `GET /deaths` has what was known until then. */
export type DeathSummary = Extract<SidescopeEvent, { type: 'death' }>['death'];

export interface PageState {
  readonly connection: Connection;
  /** False until the lists were read once: then the page shows what it knows, however old. */
  readonly loaded: boolean;
  readonly info: Info | null;
  readonly targets: readonly Target[];
  /** The last reading of each target. */
  readonly vitals: Readonly<Record<string, Vitals>>;
  /** Of each target: from the reading before to the last one, where both are of one process. */
  readonly readingMs: Readonly<Record<string, number | null>>;
  /** Newest first, without their merged stacks: the view of them reads its own. */
  readonly stalls: readonly Stall[];
  /** Newest first, open and closed. */
  readonly alerts: readonly AlertSummary[];
  /** Newest first. */
  readonly deaths: readonly DeathSummary[];
  /** Newest first, open and ended. */
  readonly regressions: readonly Regression[];
  /** Newest first. */
  readonly operations: readonly Operation[];
  readonly profiles: ProfileList;
  /** What came since the agent started; null until something did. */
  readonly requests: RequestCounts | null;
  readonly storage: DiskUsage | null;
  /** Agent's clock minus the browser's. */
  readonly clockOffsetMs: number;
}

export interface Lists {
  readonly info: Info;
  readonly targets: readonly Target[];
  readonly stalls: readonly Stall[];
  readonly alerts: readonly AlertSummary[];
  readonly deaths: readonly DeathSummary[];
  readonly regressions: readonly Regression[];
  readonly operations: readonly Operation[];
  readonly profiles: ProfileList;
}

export type Change =
  | { readonly type: 'connection'; readonly connection: Connection }
  | { readonly type: 'lists'; readonly lists: Lists; readonly readAtMs: number }
  | { readonly type: 'info'; readonly info: Info; readonly readAtMs: number }
  | { readonly type: 'event'; readonly event: SidescopeEvent }
  | { readonly type: 'operation'; readonly operation: Operation }
  | { readonly type: 'profile'; readonly profile: Profile }
  | { readonly type: 'profiles-gone'; readonly ids: readonly string[] }
  | { readonly type: 'profiles-first'; readonly list: ProfileList }
  | { readonly type: 'profiles-more'; readonly list: ProfileList };

/** Kept on the page, and drawn fifty at a time: behind them the filter, and the API, are the better way. */
export const maxProfileRows = 10_000;
const maxOperations = 200;
/** Without their stacks: one answer of the agent. */
export const maxStalls = 100;
const maxAlerts = 50;
const maxDeaths = 20;
/** Each has up to 120 windows with it. */
const maxRegressions = 20;

export const emptyState: PageState = {
  connection: { state: 'connecting' },
  loaded: false,
  info: null,
  targets: [],
  vitals: {},
  readingMs: {},
  stalls: [],
  alerts: [],
  deaths: [],
  regressions: [],
  operations: [],
  profiles: { kind: null, items: [], nextCursor: null, total: 0 },
  requests: null,
  storage: null,
  clockOffsetMs: 0,
};

/** Pure. Events hold whole objects, so one applied twice, or over a list that has it already, changes nothing. */
export function nextState(state: PageState, change: Change): PageState {
  switch (change.type) {
    case 'connection':
      return { ...state, connection: change.connection };
    case 'lists': {
      const { info, ...lists } = change.lists;
      return { ...withInfo(state, info, change.readAtMs), loaded: true, ...lists };
    }
    case 'info':
      return withInfo(state, change.info, change.readAtMs);
    case 'event':
      return afterEvent(state, change.event);
    case 'operation':
      return withOperation(state, change.operation);
    case 'profile':
      return withProfile(state, change.profile);
    case 'profiles-gone':
      return change.ids.reduce(withoutProfile, state);
    case 'profiles-first':
      return { ...state, profiles: change.list };
    case 'profiles-more': {
      if (change.list.kind !== state.profiles.kind) return state;
      const known = new Set(state.profiles.items.map((profile) => profile.id));
      const items = [...state.profiles.items, ...change.list.items.filter((profile) => !known.has(profile.id))];
      return { ...state, profiles: { ...change.list, items: items.slice(0, maxProfileRows) } };
    }
  }
}

function afterEvent(state: PageState, event: SidescopeEvent): PageState {
  switch (event.type) {
    case 'target': {
      const known = state.targets.some((target) => target.id === event.target.id);
      const targets = known
        ? state.targets.map((target) => (target.id === event.target.id ? event.target : target))
        : [...state.targets, event.target];
      return { ...state, targets };
    }
    case 'operation':
      return withOperation(state, event.operation);
    case 'profile':
      return withProfile(state, event.profile);
    case 'profile-deleted':
      return withoutProfile(state, event.profileId);
    case 'storage':
      return { ...state, storage: event.storage };
    case 'vitals':
      return withVitals(state, event.vitals);
    case 'stall':
      return withStall(state, event.stall);
    case 'alert': {
      const alerts = newestFirst([event.alert, ...without(state.alerts, event.alert.id)], ({ openedAt }) => openedAt);
      return { ...state, alerts: alerts.slice(0, maxAlerts) };
    }
    case 'death': {
      const deaths = newestFirst([event.death, ...without(state.deaths, event.death.id)], ({ at }) => at);
      return { ...state, deaths: deaths.slice(0, maxDeaths) };
    }
    case 'regression': {
      const { regression } = event;
      const regressions = newestFirst([regression, ...without(state.regressions, regression.id)], ({ since }) => since);
      return { ...state, regressions: regressions.slice(0, maxRegressions) };
    }
    case 'requests':
      return { ...state, requests: event.requests };
    // At `hello` and `resync` the connection reads the lists again; other events are for views that read lists of their own.
    default:
      return state;
  }
}

function withInfo(state: PageState, info: Info, readAtMs: number): PageState {
  const agentNowMs = Date.parse(info.startedAt) + info.uptimeMs;
  return { ...state, info, storage: info.storage, clockOffsetMs: agentNowMs - readAtMs };
}

function withOperation(state: PageState, operation: Operation): PageState {
  const known = state.operations.find((other) => other.id === operation.id);
  // The answer of a request may come after the event that ended the operation.
  if (known !== undefined && isEndedState(known.state) && !isEndedState(operation.state)) return state;
  const operations = known
    ? state.operations.map((other) => (other === known ? operation : other))
    : [operation, ...state.operations].sort((a, b) => b.createdAt.localeCompare(a.createdAt));
  return { ...state, operations: operations.slice(0, maxOperations) };
}

/** One that is known already, such as the last one that a history came with, says nothing of the time between two. */
function withVitals(state: PageState, vitals: Vitals): PageState {
  const { targetId, instanceId, at } = vitals;
  const before = state.vitals[targetId];
  const isSame = before?.instanceId === instanceId;
  if (isSame && before.at > at) return state;
  const sinceMs = isSame ? Date.parse(at) - Date.parse(before.at) : null;
  const elapsedMs = sinceMs === 0 ? (state.readingMs[targetId] ?? null) : sinceMs;
  return {
    ...state,
    vitals: { ...state.vitals, [targetId]: vitals },
    readingMs: { ...state.readingMs, [targetId]: elapsedMs },
  };
}

function withStall(state: PageState, stall: Stall): PageState {
  const stalls = newestFirst(
    [{ ...stall, tree: [] }, ...without(state.stalls, stall.id)],
    ({ startedAt }) => startedAt,
  );
  return { ...state, stalls: stalls.slice(0, maxStalls) };
}

function without<T extends { readonly id: string }>(list: readonly T[], id: string): T[] {
  return list.filter((other) => other.id !== id);
}

function newestFirst<T>(list: readonly T[], at: (item: T) => string): T[] {
  return list.toSorted((a, b) => at(b).localeCompare(at(a)));
}

function withProfile(state: PageState, profile: Profile): PageState {
  const { kind, items, total } = state.profiles;
  if (kind !== null && profile.kind !== kind) return state;
  if (items.some((other) => other.id === profile.id)) {
    const replaced = items.map((other) => (other.id === profile.id ? profile : other));
    return { ...state, profiles: { ...state.profiles, items: replaced } };
  }
  const oldest = items.at(-1);
  // Older than the pages read so far: it comes with "more".
  if (state.profiles.nextCursor !== null && oldest !== undefined && profile.startedAt < oldest.startedAt) return state;
  const sorted = [profile, ...items].sort((a, b) => b.startedAt.localeCompare(a.startedAt));
  return { ...state, profiles: { ...state.profiles, items: sorted.slice(0, maxProfileRows), total: total + 1 } };
}

function withoutProfile(state: PageState, id: string): PageState {
  const items = state.profiles.items.filter((profile) => profile.id !== id);
  if (items.length === state.profiles.items.length) return state;
  return { ...state, profiles: { ...state.profiles, items, total: Math.max(items.length, state.profiles.total - 1) } };
}
