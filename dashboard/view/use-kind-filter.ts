import { useEffect } from 'preact/hooks';
import type { ProfileKind } from '../../protocol/rest/profile.ts';
import { readProfiles } from '../live.ts';
import type { PageState } from '../model/page-state.ts';
import type { Action } from './page-context.ts';
import { useAction, usePage } from './page-context.ts';

/** The agent filters the list that all views read: as the link wants it for as long as one looks at it, whole again afterwards. */
export function useKindFilter({ connection, profiles }: PageState, wanted: ProfileKind | null): Action {
  const { api, store } = usePage();
  const action = useAction();
  const isLive = connection.state === 'live';
  useEffect(() => {
    if (!isLive || wanted === profiles.kind || action.busy || action.problem !== null) return;
    action.run(async () => store.apply({ type: 'profiles-first', list: await readProfiles(api, wanted) }));
  }, [isLive, wanted, profiles.kind, action.busy, action.problem]);
  useEffect(
    () => () => {
      if (store.state.profiles.kind === null) return;
      // Should the reading fail, the lists are read anew with the next connection, and whole.
      store.apply({ type: 'profiles-first', list: { ...store.state.profiles, kind: null } });
      readProfiles(api, null).then(
        (list) => store.apply({ type: 'profiles-first', list }),
        () => undefined,
      );
    },
    [],
  );
  return action;
}
