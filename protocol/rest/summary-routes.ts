import { readingErrors } from './reading-errors.ts';
import type { Route } from './route.ts';
import { profileSummarySchema, summaryQuery } from './summary.ts';

/** Of what also knows snapshots that were analysed. */
export const analysisErrors = ['unknown-profile', 'unsupported-format', 'not-analysed', ...readingErrors] as const;

export const summaryRoutes = {
  getSummary: {
    method: 'GET',
    path: '/profiles/:id/summary',
    scope: 'view',
    heapScope: 'heap',
    summary:
      'What a profile says at a glance, a heap snapshot where it was analysed; `format=text` is for a person or an assistant',
    unknownId: 'unknown-profile',
    query: summaryQuery,
    answers: [
      { status: 200, description: 'The summary; as `text/plain` with `format=text`', schema: profileSummarySchema },
    ],
    errors: analysisErrors,
  },
} as const satisfies Record<string, Route>;
