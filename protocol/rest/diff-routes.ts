import { z } from 'zod';
import { diffQuery, profileDiffSchema } from './diff.ts';
import { heapSnapshotDiffSchema } from './heap-analysis.ts';
import type { Route } from './route.ts';
import { analysisErrors } from './summary-routes.ts';

export const diffRoutes = {
  diffProfiles: {
    method: 'GET',
    path: '/profiles/:id/diff/:other',
    scope: 'view',
    heapScope: 'heap',
    summary:
      'What grew and shrank between two CPU profiles, or two of heap sampling: functions and call tree, by shares; between two heap snapshots, or three with `third`, where they were analysed: classes, and how new objects are held',
    unknownId: 'unknown-profile',
    query: diffQuery,
    answers: [
      {
        status: 200,
        description: 'From the earlier to the later one',
        schema: z.union([profileDiffSchema, heapSnapshotDiffSchema]),
      },
    ],
    errors: analysisErrors,
  },
} as const satisfies Record<string, Route>;
