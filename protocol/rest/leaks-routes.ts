import { leakInvestigateQuery, leakListSchema, leaksQuery } from './leaks.ts';
import { operationSchema } from './operation.ts';
import type { Route } from './route.ts';

export const leakRoutes = {
  listLeaks: {
    method: 'GET',
    path: '/memory/leaks',
    scope: 'view',
    summary: 'Which pools of memory grow for good, since when, how fast, and what allocates it',
    query: leaksQuery,
    answers: [{ status: 200, description: 'Verdicts of now, and leaks of earlier', schema: leakListSchema }],
    errors: ['unknown-target', 'storage-failed'],
  },
  investigateLeaks: {
    method: 'POST',
    path: '/memory/leaks/investigate',
    scope: 'capture',
    action: 'leaks.investigate',
    summary:
      'The guided search: reads what is allocated, waits while you put load on the program, reads again, lets it settle, and says what was held and who allocated it',
    query: leakInvestigateQuery,
    answers: [
      { status: 202, description: 'Runs; `Location` names the operation', schema: operationSchema },
      {
        status: 200,
        description: 'With `wait=true`: it has ended; the result is in `GET /memory/leaks`',
        schema: operationSchema,
      },
    ],
    errors: [
      'target-required',
      'unknown-target',
      'target-not-attached',
      'wrapper-process',
      'capture-conflict',
      'profiler-active',
      'inspector-timeout',
      'storage-failed',
      'shutting-down',
    ],
  },
} as const satisfies Record<string, Route>;
