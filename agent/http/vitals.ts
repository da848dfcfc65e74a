import type { Handlers } from './router.ts';
import type { AdminServices } from './services.ts';

type VitalsRoutes = 'readVitals' | 'memoryStats' | 'memoryHistory' | 'listStalls';

export function vitalsHandlers({ monitor }: AdminServices): Pick<Handlers, VitalsRoutes> {
  return {
    readVitals: ({ query: { target, ...times } }) => Response.json(monitor.vitals({ targetId: target, ...times })),

    memoryStats: async ({ query }) => Response.json(await monitor.memoryStats({ targetId: query.target })),

    memoryHistory: ({ query: { target, ...times } }) =>
      Response.json(monitor.memoryHistory({ targetId: target, ...times })),

    listStalls: ({ query: { target, ...filter } }) =>
      Response.json(monitor.listStalls({ targetId: target, ...filter })),
  };
}
