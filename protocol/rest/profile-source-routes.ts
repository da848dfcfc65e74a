import { profileSourceSchema } from './profile-source.ts';
import type { Route } from './route.ts';

export const profileSourceRoutes = {
  getProfileSource: {
    method: 'GET',
    path: '/profiles/:id/source',
    scope: 'view',
    action: 'profile.source',
    summary: 'Source lines around the hottest lines of a CPU profile, as they were readable when it was taken',
    unknownId: 'unknown-profile',
    answers: [{ status: 200, description: 'Or the reason why there are none', schema: profileSourceSchema }],
    errors: ['unknown-profile', 'unsupported-format', 'data-directory-unusable', 'storage-failed'],
  },
} as const satisfies Record<string, Route>;
