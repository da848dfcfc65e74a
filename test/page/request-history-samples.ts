import type { RequestHistoryList } from '../../protocol/rest/request-history.ts';

const names = ['GET /search', 'GET /users/:id'];

/** A service whose requests come and go, with a few failures in the middle. The same for the same times. */
export function sampleRequestHistory(search: URLSearchParams): RequestHistoryList {
  const fromMs = Date.parse(search.get('from') ?? '');
  const toMs = Date.parse(search.get('to') ?? '');
  const stepMs = Number(search.get('step') ?? 5_000);
  const firstMs = Math.ceil(fromMs / stepMs) * stepMs;
  return {
    targetId: search.get('target'),
    from: new Date(fromMs).toISOString(),
    to: new Date(toMs).toISOString(),
    stepMs,
    completeTo: new Date(toMs).toISOString(),
    since: new Date(fromMs - 60_000).toISOString(),
    routes: names,
    points: Array.from({ length: Math.floor((toMs - firstMs) / stepMs) }, (_, index) => {
      const atMs = firstMs + index * stepMs;
      const wave = Math.sin(atMs / 60_000);
      const requests = Math.round((40 + 15 * wave) * (stepMs / 1_000));
      const isBad = Math.floor(atMs / 60_000) % 15 === 7;
      return {
        at: new Date(atMs).toISOString(),
        durationMs: stepMs,
        requests,
        failed: isBad ? Math.round(requests / 10) : 0,
        p50Ms: 12 + 2 * wave,
        p95Ms: isBad ? 820 : 140 + 30 * wave,
        p99Ms: isBad ? 1_900 : 380 + 60 * wave,
        routeP95Ms: [isBad ? 900 : 160 + 30 * wave, 20 + 4 * wave],
      };
    }),
  };
}
