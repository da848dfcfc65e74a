import { hotFunctionsQuery, hotFunctionsSchema } from './hot-functions.ts';
import { requestHistoryQuery, requestHistorySchema } from './request-history.ts';
import type { Route } from './route.ts';
import { routeListSchema, routesQuery, timelineDetailSchema, timelineListSchema, timelinesQuery } from './timelines.ts';

export const timelineRoutes = {
  listTimelines: {
    method: 'GET',
    path: '/timelines',
    scope: 'view',
    summary: 'Requests that the target reported as OpenTelemetry spans, newest or slowest first',
    query: timelinesQuery,
    answers: [{ status: 200, description: 'One page', schema: timelineListSchema }],
    errors: ['unknown-target'],
  },
  getTimeline: {
    method: 'GET',
    path: '/timelines/:id',
    scope: 'view',
    summary: 'One request as a waterfall: where its time went, and what else happened meanwhile',
    unknownId: 'unknown-trace',
    answers: [{ status: 200, description: 'The waterfall', schema: timelineDetailSchema }],
    errors: ['unknown-trace'],
  },
  listRoutes: {
    method: 'GET',
    path: '/routes',
    scope: 'view',
    summary: 'What each route did in the last hour: count, errors, latency, and where the time went',
    query: routesQuery,
    answers: [{ status: 200, description: 'Most total time first', schema: routeListSchema }],
    errors: [],
  },
  requestHistory: {
    method: 'GET',
    path: '/requests/history',
    scope: 'view',
    summary: 'Requests over time: rate, failures and latency, every 5 s for an hour, every minute for a day',
    query: requestHistoryQuery,
    answers: [{ status: 200, description: 'The points', schema: requestHistorySchema }],
    errors: ['unknown-target'],
  },
  hotFunctions: {
    method: 'GET',
    path: '/hot-functions',
    scope: 'view',
    summary: 'What takes the most time: middleware, handlers and queries by spans, functions by CPU profiles',
    query: hotFunctionsQuery,
    answers: [{ status: 200, description: 'Ranked by self time', schema: hotFunctionsSchema }],
    errors: ['unknown-target', 'analysis-limit', 'too-many-analyses'],
  },
} as const satisfies Record<string, Route>;
