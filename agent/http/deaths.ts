import type { Handlers } from './router.ts';
import type { AdminServices } from './services.ts';

export function deathHandlers({ deaths, targets }: AdminServices): Pick<Handlers, 'listDeaths'> {
  return {
    listDeaths: ({ query: { target, ...filter } }) => {
      // Throws where there is none.
      if (target !== undefined) targets.view(target);
      return Response.json(deaths.list({ targetId: target, ...filter }));
    },
  };
}
