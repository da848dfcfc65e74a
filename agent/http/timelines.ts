import type { Handlers } from './router.ts';
import type { AdminServices } from './services.ts';

type TimelineRoutes = 'listTimelines' | 'getTimeline' | 'listRoutes' | 'hotFunctions';

export function timelineHandlers({ timelines }: AdminServices): Pick<Handlers, TimelineRoutes> {
  return {
    listTimelines: ({ query }) => Response.json(timelines.list(query)),
    getTimeline: ({ id }) => Response.json(timelines.get(id)),
    listRoutes: ({ query }) => Response.json(timelines.routes(query)),
    hotFunctions: async ({ query, signal }) => Response.json(await timelines.hotFunctions(query, signal)),
  };
}
