import type { RequestView } from './request-words.ts';

/** The choices of the requests view, as its link has them. */
export interface RequestQuery {
  readonly view: RequestView;
  readonly order: 'newest' | 'slowest';
  /** As the API takes it; undefined for all. */
  readonly status: string | undefined;
  readonly route: string | undefined;
  readonly minDuration: string | undefined;
  /** The request that is open. */
  readonly trace: string | undefined;
}

/** By what the API calls them. */
export const outcomes: Readonly<Record<string, string>> = {
  failed: 'Failed',
  ok: 'Not failed',
  '5xx': 'Status 5xx',
  '4xx': 'Status 4xx',
};

export function readRequestQuery(query: Readonly<Record<string, string>>): RequestQuery {
  const { view, order, status, route, min, trace } = query;
  return {
    view: view === 'routes' || view === 'hot' ? view : 'list',
    order: order === 'slowest' ? 'slowest' : 'newest',
    status: status !== undefined && status in outcomes ? status : undefined,
    route: route === undefined || route === '' ? undefined : route.slice(0, 500),
    minDuration: min !== undefined && /^\d{1,7}$/.test(min) ? min : undefined,
    trace: trace === undefined || trace === '' ? undefined : trace,
  };
}

export function isFiltered({ status, route, minDuration }: RequestQuery): boolean {
  return status !== undefined || route !== undefined || minDuration !== undefined;
}
