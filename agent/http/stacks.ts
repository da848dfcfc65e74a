import type { Handlers } from './router.ts';
import type { AdminServices } from './services.ts';

export function stackHandlers({ captures, deaths }: AdminServices): Pick<Handlers, 'readStacks'> {
  return {
    readStacks: async ({ query, audit }) => {
      const stacks = await captures.readStacks({ targetId: query.target });
      deaths.noteStacks(stacks);
      audit.add({ target: stacks.targetId });
      return Response.json(stacks);
    },
  };
}
