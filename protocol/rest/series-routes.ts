import type { Route } from './route.ts';
import { profileMetricsQuery, profileMetricsSchema, seriesListSchema, seriesQuery } from './series.ts';

export const seriesRoutes = {
  listSeries: {
    method: 'GET',
    path: '/series',
    scope: 'view',
    summary: "The target's own metrics over time: every page of a day, one in ten minutes of a week",
    query: seriesQuery,
    answers: [{ status: 200, description: 'One page of series with their values', schema: seriesListSchema }],
    errors: ['unknown-target', 'target-required', 'metrics-off', 'storage-failed'],
  },
  profileMetrics: {
    method: 'GET',
    path: '/profiles/:id/metrics',
    scope: 'view',
    summary: "What the target's own metrics did before, while and after a profile was taken",
    unknownId: 'unknown-profile',
    query: profileMetricsQuery,
    answers: [{ status: 200, description: 'Largest change first', schema: profileMetricsSchema }],
    errors: ['unknown-profile', 'metrics-off', 'data-directory-unusable', 'storage-failed'],
  },
} as const satisfies Record<string, Route>;
