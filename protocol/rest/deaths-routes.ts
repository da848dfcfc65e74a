import { deathListSchema, deathsQuery } from './deaths.ts';
import type { Route } from './route.ts';

export const deathRoutes = {
  listDeaths: {
    method: 'GET',
    path: '/deaths',
    scope: 'view',
    summary: 'How earlier runs of the targets ended, as far as that is known from outside, and their last ten minutes',
    query: deathsQuery,
    answers: [{ status: 200, description: 'Newest first', schema: deathListSchema }],
    errors: ['unknown-target', 'storage-failed'],
  },
} as const satisfies Record<string, Route>;
