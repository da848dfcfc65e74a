import type { TargetList } from '../../protocol/rest/lists.ts';
import type { Handlers } from './router.ts';
import type { AdminServices } from './services.ts';

export function targetHandlers({ targets }: AdminServices): Pick<Handlers, 'listTargets'> {
  return {
    listTargets: () => {
      const { omitted } = targets;
      return Response.json({ targets: [...targets.list(), ...targets.gone()], omitted } satisfies TargetList);
    },
  };
}
