import { recorderQuery, recorderSchema } from './recorder.ts';
import type { Route } from './route.ts';

export const recorderRoutes = {
  readRecorder: {
    method: 'GET',
    path: '/recorder',
    scope: 'view',
    summary: 'The flight recorder: its windows of each target, and times that are in none',
    query: recorderQuery,
    answers: [{ status: 200, description: 'Its state', schema: recorderSchema }],
    errors: ['unknown-target', 'storage-failed'],
  },
} as const satisfies Record<string, Route>;
