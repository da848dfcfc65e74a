import type { OperationList } from '../../protocol/rest/lists.ts';
import { isEndedState } from '../../protocol/rest/operation.ts';
import type { Operation } from '../../protocol/rest/operation.ts';
import { apiPath } from '../../protocol/rest/routes.ts';
import type { Handlers, RouteRequest } from './router.ts';
import type { AdminServices, CaptureService } from './services.ts';

type OperationRoutes = 'listOperations' | 'getOperation' | 'cancelOperation';

export function operationHandlers({ captures }: AdminServices): Pick<Handlers, OperationRoutes> {
  return {
    listOperations: ({ query }) => {
      const operations = captures
        .list()
        .filter(
          ({ targetId, state }) =>
            (query.target === undefined || targetId === query.target) &&
            (query.state === undefined || isEndedState(state) === (query.state === 'ended')),
        );
      return Response.json({ operations } satisfies OperationList);
    },

    getOperation: ({ id }) => Response.json(captures.get(id)),

    cancelOperation: async ({ id, subject, audit }) => {
      audit.add({ operationId: id });
      const operation = await captures.cancel(id, subject.name);
      audit.add({ target: operation.targetId });
      return Response.json(operation);
    },
  };
}

/** Proxies on the way cut requests that stay silent for longer. */
const longestWaitMs = 60_000;

/** What a route that began or ended a capture answers: at once, or with `wait=true` when it has ended. */
export async function operationAnswer(started: {
  captures: CaptureService;
  request: RouteRequest<
    'startCpu' | 'stopCpu' | 'startHeapSnapshot' | 'startHeapSampling' | 'investigateLeaks' | 'analyseProfile'
  >;
  operation: Operation;
}): Promise<Response> {
  const { captures, request } = started;
  const { id, targetId } = started.operation;
  request.audit.add({ operationId: id, target: targetId });
  const operation = request.query.wait
    ? await captures.waitFor(id, { timeoutMs: longestWaitMs, signal: request.signal })
    : started.operation;
  if (isEndedState(operation.state)) return Response.json(operation);
  return Response.json(operation, { status: 202, headers: { location: `${apiPath}/operations/${id}` } });
}
