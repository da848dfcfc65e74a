import { useMemo, useState } from 'preact/hooks';
import { isEndedState } from '../../protocol/rest/operation.ts';
import type { Profile, ProfileKind } from '../../protocol/rest/profile.ts';
import { formatCount, plural } from '../format.ts';
import type { PageState } from '../model/page-state.ts';
import { maxProfileRows } from '../model/page-state.ts';
import { arrange, compareObstacle, isProfileOrder, pageOf, profileOrders, rowsPerPage } from '../model/profile-list.ts';
import { kindWords } from '../model/words.ts';
import { CleanUpDialog } from './clean-up-dialog.tsx';
import { DiskGauge } from './disk-gauge.tsx';
import { hrefTo, setQuery } from './navigation.ts';
import { useAction, useNow, usePage } from './page-context.ts';
import { ProblemNote } from './parts.tsx';
import { ProfileRow } from './profile-row.tsx';
import { useKindFilter } from './use-kind-filter.ts';

const kinds = Object.keys(kindWords) as ProfileKind[];
/** One answer of the agent: a few hundred kB. */
const moreAtOnce = 500;

export function ProfilesSection({ state, query }: { state: PageState; query: Readonly<Record<string, string>> }) {
  const { api, store } = usePage();
  const action = useAction();
  const nowMs = useNow(state.clockOffsetMs, 30_000);
  const [cleaning, setCleaning] = useState(false);
  const [chosenIds, setChosenIds] = useState<readonly string[]>([]);
  const { kind, items, nextCursor, total } = state.profiles;
  const order = isProfileOrder(query['order']) ? query['order'] : 'newest';
  const text = query['find'] ?? '';
  const pinnedOnly = query['pinned'] === 'yes';
  const fitting = useMemo(() => arrange(items, { text, order, pinnedOnly }), [items, text, order, pinnedOnly]);
  const wanted = kinds.find((one) => one === query['kind']) ?? null;
  const filter = useKindFilter(state, wanted);
  const named = query['profile'];
  const namedAt = query['page'] === undefined ? fitting.findIndex(({ id }) => id === named) : -1;
  const asked = namedAt < 0 ? Number(query['page'] ?? '1') - 1 || 0 : Math.floor(namedAt / rowsPerPage);
  const { page, pages, rows } = pageOf(fitting, asked);
  const chosen = useMemo(() => items.filter(({ id }) => chosenIds.includes(id)), [items, chosenIds]);
  // A progress event changes the page four times a second, the rows seldom.
  const drawn = useMemo(
    () =>
      rows.map((profile) => (
        <ProfileRow
          key={profile.id}
          profile={profile}
          nowMs={nowMs}
          isNamed={profile.id === named}
          isChosen={chosenIds.includes(profile.id)}
          onChoose={(isChosen) =>
            setChosenIds((before) => [...before.filter((id) => id !== profile.id), ...(isChosen ? [profile.id] : [])])
          }
        />
      )),
    [rows, nowMs, named, chosenIds],
  );
  const choose = (chosenKind: string): void => {
    filter.clear();
    setQuery({ kind: chosenKind, page: null, profile: null });
  };
  const more = (): void =>
    action.run(async () => {
      const next = await api.profiles({ kind: kind ?? undefined, cursor: nextCursor ?? undefined, limit: moreAtOnce });
      const list = { kind, items: next.profiles, nextCursor: next.nextCursor, total: next.total };
      store.apply({ type: 'profiles-more', list });
    });
  return (
    <section id="profiles" aria-labelledby="profiles-title">
      <div class="title">
        <h3 id="profiles-title">Profiles</h3>
        <span class="dim">{formatCount(total)}</span>
        <label>
          <span class="sr">Kind</span>
          <select value={wanted ?? ''} onChange={(event) => choose(event.currentTarget.value)}>
            <option value="">All kinds</option>
            {kinds.map((other) => (
              <option key={other} value={other}>
                {kindWords[other]}s
              </option>
            ))}
          </select>
        </label>
        <label>
          <span class="sr">Order</span>
          <select value={order} onChange={(event) => setQuery({ order: event.currentTarget.value, page: null })}>
            {Object.entries(profileOrders).map(([name, words]) => (
              <option key={name} value={name}>
                {words}
              </option>
            ))}
          </select>
        </label>
        <label>
          <span class="sr">Find</span>
          <input
            type="search"
            class="find"
            placeholder="Function, label, target"
            value={text}
            onInput={(event) => setQuery({ find: event.currentTarget.value, page: null })}
          />
        </label>
        <label class="check">
          <input
            type="checkbox"
            checked={pinnedOnly}
            onChange={(event) => setQuery({ pinned: event.currentTarget.checked ? 'yes' : null, page: null })}
          />{' '}
          Pinned
        </label>
        <span class="gap" />
        {state.storage && <DiskGauge storage={state.storage} />}
        <button type="button" disabled={total === 0} onClick={() => setCleaning(true)}>
          Clean up…
        </button>
      </div>
      <ProblemNote problem={action.problem} onClose={action.clear} />
      <ProblemNote problem={filter.problem} onClose={filter.clear} />
      {named !== undefined && state.loaded && kind === wanted && !items.some(({ id }) => id === named) && (
        <p class="note warn">
          The profile of the link is not in this list: it is older than those read so far, or was deleted.{' '}
          <a href={hrefTo(`/profile/${encodeURIComponent(named)}`)}>Open it</a>
        </p>
      )}
      {chosen.length > 0 && <CompareBar chosen={chosen} onClear={() => setChosenIds([])} />}
      {items.length === 0 ? (
        <Empty state={state} />
      ) : fitting.length === 0 ? (
        <p class="empty">
          None of {plural(items.length, 'profile')} fits.{' '}
          <button type="button" class="quiet" onClick={() => setQuery({ find: null, pinned: null, page: null })}>
            Show all
          </button>
        </p>
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
          <tbody>{drawn}</tbody>
        </table>
      )}
      {pages > 1 && <Pager page={page} pages={pages} count={fitting.length} />}
      {nextCursor !== null &&
        (items.length >= maxProfileRows ? (
          <p class="hint">The page holds {formatCount(maxProfileRows)} at most: filter by kind, or use the API.</p>
        ) : (
          <p class="act">
            <button type="button" disabled={action.busy} onClick={more}>
              Show more ({plural(Math.max(0, total - items.length), 'profile')} left)
            </button>
            {order !== 'newest' && (
              <span class="dim">The order is that of the {formatCount(items.length)} read so far.</span>
            )}
          </p>
        ))}
      {cleaning && <CleanUpDialog kind={wanted} onClose={() => setCleaning(false)} />}
    </section>
  );
}

function Pager({ page, pages, count }: { page: number; pages: number; count: number }) {
  const go = (to: number): void => setQuery({ page: to === 0 ? null : String(to + 1), profile: null });
  const first = page * rowsPerPage + 1;
  return (
    <nav class="act pager" aria-label="Pages">
      <button type="button" disabled={page === 0} onClick={() => go(page - 1)}>
        Newer
      </button>
      <span>
        {formatCount(first)} to {formatCount(Math.min(count, first + rowsPerPage - 1))} of {formatCount(count)}
      </span>
      <button type="button" disabled={page >= pages - 1} onClick={() => go(page + 1)}>
        Older
      </button>
    </nav>
  );
}

/** Two chosen profiles, the earlier first: what grew is what the later one has more of. */
function CompareBar({ chosen, onClear }: { chosen: readonly Profile[]; onClear: () => void }) {
  const obstacle = compareObstacle(chosen);
  const [before, after] = chosen.toSorted((a, b) => a.startedAt.localeCompare(b.startedAt));
  const path = `/compare/${encodeURIComponent(before?.id ?? '')}/${encodeURIComponent(after?.id ?? '')}`;
  return (
    <p class="note act" role="status">
      {plural(chosen.length, 'profile')} chosen.{' '}
      {obstacle === null ? <a href={hrefTo(path)}>Compare the later with the earlier one</a> : obstacle}
      <button type="button" class="quiet" onClick={onClear}>
        Choose none
      </button>
    </p>
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
