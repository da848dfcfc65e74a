import type { Route } from './route.ts';
import { profileSummarySchema, summaryQuery } from './summary.ts';

/** Of what reads stored profiles to answer. */
export const readingErrors = [
  'unknown-profile',
  'unsupported-format',
  'not-analysed',
  'damaged-profile',
  'unreadable-profile',
  'analysis-limit',
  'too-many-analyses',
  'data-directory-unusable',
  'storage-failed',
] as const;

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
    errors: readingErrors,
  },
} as const satisfies Record<string, Route>;
