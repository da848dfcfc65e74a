import type { Handlers } from './router.ts';
import type { AdminServices } from './services.ts';

type RuleRoutes = 'listRules' | 'fireRule' | 'explainRule' | 'catchNext' | 'cancelCatch';

export function ruleHandlers({ rules }: AdminServices): Pick<Handlers, RuleRoutes> {
  return {
    listRules: ({ query }) => Response.json(rules.list(query.target)),

    fireRule: ({ id, query, subject, audit }) => {
      const firing = rules.fire(id, { targetId: query.target, by: subject.name });
      audit.add({ target: firing.targetId });
      return Response.json(firing, { status: 202 });
    },

    explainRule: async ({ id, query }) => Response.json(await rules.explain(id, query.target)),

    catchNext: ({ query, subject, audit }) => {
      const { event, target, for: forMs, above } = query;
      const waiting = rules.catchNext({ event, targetId: target, forMs, above, startedBy: subject.name });
      audit.add({ target: waiting.targetId });
      return Response.json(waiting, { status: 202 });
    },

    cancelCatch: ({ id, subject, audit }) => {
      const cancelled = rules.cancelCatch(id, subject.name);
      audit.add({ target: cancelled.targetId });
      return Response.json(cancelled);
    },
  };
}
