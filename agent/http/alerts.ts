import type { Handlers } from './router.ts';
import type { AdminServices } from './services.ts';

export function alertHandlers({ alerts, targets }: AdminServices): Pick<Handlers, 'listAlerts'> {
  return {
    listAlerts: ({ query: { target, ...filter } }) => {
      // Throws when there is none of that id.
      if (target !== undefined) targets.view(target);
      return Response.json(alerts.list({ targetId: target, ...filter }));
    },
  };
}
