import { SidescopeError } from '../../protocol/error.ts';
import { requireScope } from './auth.ts';
import { snapshotDiff } from './heap-analysis.ts';
import { requireStore } from './profiles.ts';
import type { Handlers } from './router.ts';
import type { AdminServices } from './services.ts';

export function diffHandlers(services: AdminServices): Pick<Handlers, 'diffProfiles'> {
  return {
    diffProfiles: async ({ id, path, query, subject, signal }) => {
      const store = requireStore(services);
      const profiles = [store.get(id), store.get(path.slice(path.lastIndexOf('/') + 1))] as const;
      const [{ kind }, { kind: otherKind }] = profiles;
      if (profiles.some((profile) => profile.kind !== 'cpu')) requireScope(subject, 'heap');
      if (kind !== otherKind)
        throw new SidescopeError('unsupported-format', `a ${kind} and a ${otherKind} profile have nothing to compare`);
      if (kind === 'heap-snapshot') {
        const third = query.third === undefined ? [] : [store.get(query.third)];
        if (third.some((profile) => profile.kind !== kind))
          throw new SidescopeError('unsupported-format', `the third profile is a ${third[0]?.kind}, not a ${kind}`);
        const ids = [...profiles, ...third].map((profile) => profile.id);
        return snapshotDiff(services, ids, query.limit ?? 50);
      }
      if (query.third !== undefined)
        throw new SidescopeError('unsupported-format', `of ${kind} profiles two are compared, not three`);
      const [before, after] = profiles.toSorted((a, b) => Date.parse(a.startedAt) - Date.parse(b.startedAt));
      const diff = await services.storedProfiles.compare(
        { kind, before: before?.id ?? id, after: after?.id ?? id, limit: query.limit ?? 50 },
        signal,
      );
      return Response.json(diff);
    },
  };
}
