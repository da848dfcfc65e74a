import type { RequestFilter, RequestShare, RequestShares } from '../flame/messages.ts';

/** As it stands in the link: `route:/invoices/:id`. */
export function readFilter(text: string | undefined): RequestFilter | null {
  const found = /^(trace|route):(.*)$/su.exec(text ?? '');
  return found === null ? null : { by: found[1] as RequestFilter['by'], value: found[2] ?? '' };
}

export function writeFilter({ by, value }: RequestFilter): string {
  return `${by}:${value}`;
}

/** What some requests have of a profile. */
export interface Covered {
  readonly weight: number;
  /** Of all that was not idle: 0 to 1. */
  readonly share: number;
  /** Of `weight`: 0 to 1. */
  readonly sureShare: number;
}

export interface RouteShare extends Pick<RequestShare, 'weight' | 'sureWeight'> {
  readonly route: string;
}

/** Most first. */
export function byRoute(requests: readonly RequestShare[]): RouteShare[] {
  const sums = new Map<string, { route: string; weight: number; sureWeight: number }>();
  for (const { route, weight, sureWeight } of requests) {
    const sum = sums.get(route);
    if (sum === undefined) sums.set(route, { route, weight, sureWeight });
    else {
      sum.weight += weight;
      sum.sureWeight += sureWeight;
    }
  }
  return [...sums.values()].toSorted((a, b) => b.weight - a.weight);
}

/** Of the requests that the filter leaves. */
export function coveredBy({ requests, weight: whole }: RequestShares, { by, value }: RequestFilter): Covered {
  const chosen = requests.filter((request) => (by === 'trace' ? request.traceId : request.route) === value);
  const weight = chosen.reduce((sum, request) => sum + request.weight, 0);
  const sureWeight = chosen.reduce((sum, request) => sum + request.sureWeight, 0);
  return { weight, share: whole > 0 ? weight / whole : 0, sureShare: weight > 0 ? sureWeight / weight : 0 };
}
