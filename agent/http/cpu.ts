import { operationAnswer } from './operations.ts';
import type { Handlers } from './router.ts';
import type { AdminServices } from './services.ts';

export function cpuHandlers({ captures }: AdminServices): Pick<Handlers, 'startCpu' | 'stopCpu'> {
  return {
    startCpu: async (request) => {
      const { target, thread, duration, interval, deoptimize } = request.query;
      const operation = await captures.startCpu({
        targetId: target,
        thread,
        durationMs: duration,
        intervalUs: interval,
        deoptimize,
        startedBy: request.subject.name,
      });
      return operationAnswer({ captures, request, operation });
    },

    stopCpu: async (request) => {
      const operation = await captures.stopCpu({ targetId: request.query.target });
      return operationAnswer({ captures, request, operation });
    },
  };
}
