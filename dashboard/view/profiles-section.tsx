import { useMemo, useState } from 'preact/hooks';
import { isEndedState } from '../../protocol/rest/operation.ts';
import type { ProfileKind } from '../../protocol/rest/profile.ts';
import { readProfiles } from '../live.ts';
import { formatCount, plural } from '../format.ts';
import type { PageState } from '../model/page-state.ts';
import { maxProfileRows } from '../model/page-state.ts';
import { kindWords } from '../model/words.ts';
import { CleanUpDialog } from './clean-up-dialog.tsx';
import { DiskGauge } from './disk-gauge.tsx';
import { useAction, useNow, usePage } from './page-context.ts';
import { ProblemNote } from './parts.tsx';
import { ProfileRow } from './profile-row.tsx';

const kinds = Object.keys(kindWords) as ProfileKind[];

export function ProfilesSection({ state }: { state: PageState }) {
  const { api, store } = usePage();
  const action = useAction();
  const nowMs = useNow(state.clockOffsetMs, 30_000);
  const [cleaning, setCleaning] = useState(false);
  const { kind, items, nextCursor, total } = state.profiles;
  // A progress event changes the page four times a second, a thousand rows seldom.
  const rows = useMemo(
    () => items.map((profile) => <ProfileRow key={profile.id} profile={profile} nowMs={nowMs} />),
    [items, nowMs],
  );
  const choose = (chosen: ProfileKind | null): void =>
    action.run(async () => store.apply({ type: 'profiles-first', list: await readProfiles(api, chosen) }));
  const more = (): void =>
    action.run(async () => {
      const page = await api.profiles({ kind: kind ?? undefined, cursor: nextCursor ?? undefined });
      const list = { kind, items: page.profiles, nextCursor: page.nextCursor, total: page.total };
      store.apply({ type: 'profiles-more', list });
    });
  return (
    <section id="profiles" aria-labelledby="profiles-title">
      <div class="title">
        <h2 id="profiles-title">Profiles</h2>
        <span class="dim">{formatCount(total)}</span>
        <label>
          <span class="sr">Kind</span>
          <select
            value={kind ?? ''}
            onChange={(event) => choose((event.currentTarget.value || null) as ProfileKind | null)}
          >
            <option value="">All kinds</option>
            {kinds.map((other) => (
              <option key={other} value={other}>
                {kindWords[other]}s
              </option>
            ))}
          </select>
        </label>
        <span class="gap" />
        {state.storage && <DiskGauge storage={state.storage} />}
        <button type="button" disabled={total === 0} onClick={() => setCleaning(true)}>
          Clean up…
        </button>
      </div>
      <ProblemNote problem={action.problem} onClose={action.clear} />
      {items.length === 0 ? (
        <Empty state={state} />
      ) : (
        <table class="profiles">
          <thead>
            <tr>
              <th scope="col">Kind</th>
              <th scope="col">Started</th>
              <th scope="col">Target</th>
              <th scope="col" class="num">
                Duration
              </th>
              <th scope="col" class="num">
                Size
              </th>
              <th scope="col">Stands out</th>
              <th scope="col" class="num">
                Target paused
              </th>
              <th scope="col">
                <span class="sr">Actions</span>
              </th>
            </tr>
          </thead>
          <tbody>{rows}</tbody>
        </table>
      )}
      {nextCursor !== null &&
        (items.length >= maxProfileRows ? (
          <p class="hint">The page shows {formatCount(maxProfileRows)} at most: filter by kind, or use the API.</p>
        ) : (
          <p>
            <button type="button" disabled={action.busy} onClick={more}>
              Show more ({plural(Math.max(0, total - items.length), 'profile')} left)
            </button>
          </p>
        ))}
      {cleaning && <CleanUpDialog kind={kind} onClose={() => setCleaning(false)} />}
    </section>
  );
}

function Empty({ state }: { state: PageState }) {
  const { kind } = state.profiles;
  if (state.storage === null) return <p class="empty">Storage is off, so there is nothing to list. See “Agent”.</p>;
  if (kind !== null) return <p class="empty">No {kindWords[kind]} is stored. Choose “All kinds” to see the others.</p>;
  if (state.operations.some((operation) => !isEndedState(operation.state))) {
    return <p class="empty">No profiles yet: the first appears here when its capture has ended.</p>;
  }
  return <p class="empty">No profiles yet: press “Profile for 30 s” above. The result appears here.</p>;
}
