import type { Handlers } from './router.ts';
import type { AdminServices } from './services.ts';

export function alertHandlers({ alerts, targets }: AdminServices): Pick<Handlers, 'listAlerts'> {
  return {
    listAlerts: ({ query: { target, evidence = true, ...filter } }) => {
      // Throws when there is none of that id.
      if (target !== undefined) targets.view(target);
      const list = alerts.list({ targetId: target, ...filter });
      if (evidence) return Response.json(list);
      return Response.json({ ...list, alerts: list.alerts.map((alert) => ({ ...alert, evidence: [] })) });
    },
  };
}
