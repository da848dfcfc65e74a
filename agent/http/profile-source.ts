import { requireStore } from './profiles.ts';
import type { Handlers } from './router.ts';
import type { AdminServices } from './services.ts';

export function profileSourceHandlers(services: AdminServices): Pick<Handlers, 'getProfileSource'> {
  return {
    getProfileSource: ({ id, audit }) => {
      const { targetId } = requireStore(services).get(id);
      audit.add({ profileId: id, target: targetId });
      return Response.json(services.storedProfiles.source(id));
    },
  };
}
