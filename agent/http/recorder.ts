import type { Handlers } from './router.ts';
import type { AdminServices } from './services.ts';

export function recorderHandlers({ recorder }: AdminServices): Pick<Handlers, 'readRecorder'> {
  return {
    readRecorder: ({ query }) => Response.json(recorder.status(query.target)),
  };
}
