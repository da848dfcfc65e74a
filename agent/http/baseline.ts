import type { Handlers } from './router.ts';
import type { AdminServices } from './services.ts';

export function baselineHandlers({
  regressions,
}: AdminServices): Pick<Handlers, 'readBaseline' | 'takeBaseline' | 'checkRegressions' | 'listRegressions'> {
  return {
    readBaseline: ({ query }) => Response.json(regressions.baseline(query.target)),

    takeBaseline: async ({ query }) => Response.json(await regressions.takeBaseline(query.target)),

    checkRegressions: async ({ query, signal }) => Response.json(await regressions.check(query.target, signal)),

    listRegressions: ({ query: { target, ...page } }) => Response.json(regressions.list({ targetId: target, ...page })),
  };
}
