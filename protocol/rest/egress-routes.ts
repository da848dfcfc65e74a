import { egressSchema } from './egress.ts';
import type { Route } from './route.ts';

export const egressRoutes = {
  readEgress: {
    method: 'GET',
    path: '/egress',
    scope: 'view',
    summary: 'Where profiles are sent: destinations, their queues, the last error, and which profile went where',
    answers: [{ status: 200, description: 'Destinations are set by configuration only', schema: egressSchema }],
    errors: ['storage-failed'],
  },
} as const satisfies Record<string, Route>;
