import { alertListSchema, alertsQuery } from './alerts.ts';
import type { Route } from './route.ts';

export const alertRoutes = {
  listAlerts: {
    method: 'GET',
    path: '/alerts',
    scope: 'view',
    summary: 'What was reported as a problem, as episodes with their evidence',
    query: alertsQuery,
    answers: [{ status: 200, description: 'Newest first', schema: alertListSchema }],
    errors: ['unknown-target', 'storage-failed'],
  },
} as const satisfies Record<string, Route>;
