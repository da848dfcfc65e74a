import { investigateLoadMs, investigateSettleMs } from '../../protocol/rest/limits.ts';
import { hasScope } from './auth.ts';
import { operationAnswer } from './operations.ts';
import type { Handlers } from './router.ts';
import type { AdminServices } from './services.ts';

export function leakHandlers(services: AdminServices): Pick<Handlers, 'listLeaks' | 'investigateLeaks'> {
  const { captures, leaks, targets } = services;
  return {
    listLeaks: ({ query: { target, ...page }, subject }) => {
      // Throws where there is none.
      if (target !== undefined) targets.view(target);
      return Response.json(leaks.list({ targetId: target, ...page, mayReadHeap: hasScope(subject, 'heap') }));
    },

    investigateLeaks: async (request) => {
      const { target, duration, settle } = request.query;
      const operation = await leaks.investigate({
        targetId: target,
        loadMs: duration ?? investigateLoadMs.default,
        settleMs: settle ?? investigateSettleMs.default,
        startedBy: request.subject.name,
        mayReadHeap: hasScope(request.subject, 'heap'),
      });
      return operationAnswer({ captures, request, operation });
    },
  };
}
