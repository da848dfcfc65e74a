import { baselineQuery, baselineViewSchema } from './baseline.ts';
import { regressionCheckQuery, regressionCheckSchema, regressionListSchema, regressionsQuery } from './regressions.ts';
import type { Route } from './route.ts';

export const baselineRoutes = {
  readBaseline: {
    method: 'GET',
    path: '/baseline',
    scope: 'view',
    summary: 'What is normal for this program and its version, and what the version before was like',
    query: baselineQuery,
    answers: [{ status: 200, description: 'Baselines, or why there are none yet', schema: baselineViewSchema }],
    errors: ['target-required', 'unknown-target'],
  },
  takeBaseline: {
    method: 'POST',
    path: '/baseline',
    scope: 'capture',
    action: 'baseline.take',
    summary: 'What the last windows were like is normal from now on, for this version',
    query: baselineQuery,
    answers: [{ status: 200, description: 'With the new baseline', schema: baselineViewSchema }],
    errors: ['target-required', 'unknown-target', 'baseline-not-ready'],
  },
  checkRegressions: {
    method: 'GET',
    path: '/regressions/check',
    scope: 'view',
    summary: 'The last windows beside the baselines, now; functions beside those of the version before',
    query: regressionCheckQuery,
    answers: [{ status: 200, description: 'Every measure with its verdict', schema: regressionCheckSchema }],
    errors: ['target-required', 'unknown-target'],
  },
  listRegressions: {
    method: 'GET',
    path: '/regressions',
    scope: 'view',
    summary: 'What got worse, by how much, since when, and why, as far as that is known',
    query: regressionsQuery,
    answers: [{ status: 200, description: 'Newest first', schema: regressionListSchema }],
    errors: ['unknown-target', 'storage-failed'],
  },
} as const satisfies Record<string, Route>;
