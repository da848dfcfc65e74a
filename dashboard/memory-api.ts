import type { DeathList } from '../protocol/rest/deaths.ts';
import type { LeakList } from '../protocol/rest/leaks.ts';
import type { Operation } from '../protocol/rest/operation.ts';
import type { Stacks } from '../protocol/rest/stacks.ts';
import type { StallList } from '../protocol/rest/stalls.ts';
import type { MemoryStats } from '../protocol/rest/vitals.ts';
import type { Api } from './api.ts';

/** The routes of the memory and stacks views. Each rejects with an ApiProblem. */
export const readMemoryStats = (api: Api, target: string, signal: AbortSignal) =>
  api.get<MemoryStats>('/memory/stats', { target }, signal);

export const readLeaks = (api: Api, target: string, signal: AbortSignal) =>
  api.get<LeakList>('/memory/leaks', { target, limit: 20 }, signal);

export const startInvestigation = (api: Api, query: { target: string; duration: number; settle: number }) =>
  api.post<Operation>('/memory/leaks/investigate', query);

export const readDeaths = (api: Api, target: string | undefined, signal: AbortSignal) =>
  api.get<DeathList>('/deaths', { target, limit: 10 }, signal);

export const readStacks = (api: Api, target: string) => api.post<Stacks>('/stacks', { target });

export const readStalls = (
  api: Api,
  query: { target?: string | undefined; cursor?: string | undefined },
  signal: AbortSignal,
) => api.get<StallList>('/stalls', { ...query, limit: 20 }, signal);
