import { requireStore } from './profiles.ts';
import type { Handlers } from './router.ts';
import type { AdminServices } from './services.ts';

export function profileRequestHandlers(services: AdminServices): Pick<Handlers, 'getProfileRequests'> {
  return {
    getProfileRequests: async ({ id, query, signal }) => {
      requireStore(services);
      return Response.json(await services.joins.requestsOf(id, { limit: query.limit ?? 50, signal }));
    },
  };
}
