import type { Handlers } from './router.ts';
import type { AdminServices } from './services.ts';

type VitalsRoutes = 'readVitals' | 'memoryStats' | 'memoryHistory' | 'listStalls';

export function vitalsHandlers({ monitor, limits }: AdminServices): Pick<Handlers, VitalsRoutes> {
  return {
    readVitals: ({ query: { target, ...times } }) => Response.json(monitor.vitals({ targetId: target, ...times })),

    memoryStats: async ({ query }) => {
      const stats = await monitor.memoryStats({ targetId: query.target });
      return Response.json({ ...stats, ...limits.limitOf(stats.targetId) });
    },

    memoryHistory: ({ query: { target, ...times } }) =>
      Response.json(monitor.memoryHistory({ targetId: target, ...times })),

    listStalls: ({ query: { target, tree = true, ...filter } }) => {
      const list = monitor.listStalls({ targetId: target, ...filter });
      if (tree) return Response.json(list);
      return Response.json({ ...list, stalls: list.stalls.map((stall) => ({ ...stall, tree: [] })) });
    },
  };
}
