import { SidescopeError } from '../../protocol/error.ts';
import type { DeletedProfiles, ProfileList } from '../../protocol/rest/lists.ts';
import type { Handlers } from './router.ts';
import type { AdminServices, StoreService } from './services.ts';

type ProfileRoutes = 'listProfiles' | 'deleteProfiles' | 'getProfile' | 'patchProfile' | 'deleteProfile';

export function profileHandlers(services: AdminServices): Pick<Handlers, ProfileRoutes> {
  return {
    listProfiles: ({ query: { target, since, before, ...filter } }) => {
      const page = requireStore(services).list({ ...filter, targetId: target, since: utc(since), before: utc(before) });
      return Response.json(page satisfies ProfileList);
    },

    deleteProfiles: async ({ query: { target, before, kind } }) => {
      const answer = await requireStore(services).deleteMany({ targetId: target, before: utc(before), kind });
      return Response.json(answer satisfies DeletedProfiles);
    },

    getProfile: ({ id }) => Response.json(requireStore(services).get(id)),

    patchProfile: ({ id, body, audit }) => {
      audit.add({ profileId: id });
      const profile = requireStore(services).patch(id, body);
      audit.add({ target: profile.targetId });
      return Response.json(profile);
    },

    deleteProfile: async ({ id, audit }) => {
      const store = requireStore(services);
      const { targetId, sha256 } = store.get(id);
      audit.add({ profileId: id, target: targetId, sha256 });
      await store.delete(id);
      return new Response(null, { status: 204 });
    },
  };
}

/** Storage is a feature that can be off: the answer then says why, as `GET /info` does. */
export function requireStore(services: AdminServices): StoreService {
  const { store } = services;
  if (store !== undefined) return store;
  const feature = services.info().features.find(({ name }) => name === 'storage');
  throw new SidescopeError('data-directory-unusable', `storage is off: ${feature?.reason ?? 'no data directory'}`);
}

/** The store compares times as text, so they all have the one form. */
function utc(time: string | undefined): string | undefined {
  return time === undefined ? undefined : new Date(time).toISOString();
}
