import type { Handlers } from './router.ts';
import type { AdminServices } from './services.ts';

type TimelineRoutes = 'listTimelines' | 'getTimeline' | 'listRoutes' | 'requestHistory' | 'hotFunctions';

export function timelineHandlers({ timelines, joins }: AdminServices): Pick<Handlers, TimelineRoutes> {
  return {
    listTimelines: ({ query }) => Response.json(timelines.list(query)),
    getTimeline: async ({ id, signal }) => {
      const timeline = timelines.get(id);
      return Response.json({ ...timeline, ...(await joins.cpuOf(timeline, signal)) });
    },
    listRoutes: ({ query }) => Response.json(timelines.routes(query)),
    requestHistory: ({ query }) => Response.json(timelines.requestHistory(query)),
    hotFunctions: async ({ query, signal }) => Response.json(await timelines.hotFunctions(query, signal)),
  };
}
