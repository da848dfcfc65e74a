import { requireStore } from './profiles.ts';
import type { Handlers } from './router.ts';
import type { AdminServices } from './services.ts';

export function seriesHandlers(services: AdminServices): Pick<Handlers, 'listSeries' | 'profileMetrics'> {
  const { targetMetrics } = services;
  return {
    listSeries: ({ query }) => Response.json(targetMetrics.list(query)),

    profileMetrics: ({ id, query }) => Response.json(targetMetrics.ofProfile(requireStore(services).get(id), query)),
  };
}
