import { operationAnswer } from './operations.ts';
import type { Handlers } from './router.ts';
import type { AdminServices } from './services.ts';

type HeapRoutes = 'startHeapSnapshot' | 'forecastHeapSnapshot' | 'startHeapSampling';

export function heapHandlers({ captures }: AdminServices): Pick<Handlers, HeapRoutes> {
  return {
    startHeapSnapshot: async (request) => {
      const { target, thread, force } = request.query;
      const operation = await captures.startHeapSnapshot({
        targetId: target,
        thread,
        force,
        startedBy: request.subject.name,
      });
      return operationAnswer({ captures, request, operation });
    },

    forecastHeapSnapshot: async ({ query }) =>
      Response.json(await captures.forecastHeapSnapshot({ targetId: query.target, thread: query.thread })),

    startHeapSampling: async (request) => {
      const { target, thread, duration, mode, interval } = request.query;
      const operation = await captures.startHeapSampling({
        targetId: target,
        thread,
        durationMs: duration,
        mode,
        intervalBytes: interval,
        startedBy: request.subject.name,
      });
      return operationAnswer({ captures, request, operation });
    },
  };
}
