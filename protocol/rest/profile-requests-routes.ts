import { readingErrors } from './reading-errors.ts';
import { profileRequestsQuery, profileRequestsSchema } from './profile-requests.ts';
import type { Route } from './route.ts';

export const profileRequestRoutes = {
  getProfileRequests: {
    method: 'GET',
    path: '/profiles/:id/requests',
    scope: 'view',
    summary: 'The requests that ran while a CPU profile was taken, by the CPU time that each took',
    unknownId: 'unknown-profile',
    query: profileRequestsQuery,
    answers: [{ status: 200, description: 'Most CPU time first', schema: profileRequestsSchema }],
    errors: ['unknown-profile', 'unsupported-format', ...readingErrors],
  },
} as const satisfies Record<string, Route>;
