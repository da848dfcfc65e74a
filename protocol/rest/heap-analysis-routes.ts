import { analyseQuery, classesQuery, heapClassListSchema } from './heap-analysis.ts';
import { operationSchema } from './operation.ts';
import type { Route } from './route.ts';

export const heapAnalysisRoutes = {
  analyseProfile: {
    method: 'POST',
    path: '/profiles/:id/analyse',
    scope: 'heap',
    action: 'profile.analyse',
    summary: 'Analyses a heap snapshot in the agent (`--heap-analysis`); summary, classes and diff answer afterwards',
    unknownId: 'unknown-profile',
    query: analyseQuery,
    answers: [
      { status: 202, description: 'The operation', schema: operationSchema },
      { status: 200, description: 'With `wait=true`: the operation, when it has ended', schema: operationSchema },
    ],
    errors: [
      'unknown-profile',
      'unsupported-format',
      'heap-analysis-off',
      'heap-analysis-refused',
      'too-many-analyses',
      'data-directory-unusable',
      'storage-failed',
    ],
  },
  listClasses: {
    method: 'GET',
    path: '/profiles/:id/classes',
    scope: 'heap',
    summary: 'The classes of an analysed heap snapshot',
    unknownId: 'unknown-profile',
    query: classesQuery,
    answers: [{ status: 200, description: 'Most retained bytes first', schema: heapClassListSchema }],
    errors: ['unknown-profile', 'unsupported-format', 'not-analysed', 'data-directory-unusable', 'storage-failed'],
  },
} as const satisfies Record<string, Route>;
