import { useEffect, useState } from 'preact/hooks';
import type { FlameClient } from '../flame/flame-client.ts';
import { offeredProfile } from '../flame/dropped-profiles.ts';
import type { OpenedProfile } from '../flame/messages.ts';
import { formatShare, plural } from '../format.ts';
import { FlameGraph } from './flame-graph.tsx';
import { readFilter, writeFilter } from '../model/request-choice.ts';
import { setQuery } from './navigation.ts';
import { usePage } from './page-context.ts';
import { ProblemNote } from './parts.tsx';
import { ProfileCallTree } from './profile-call-tree.tsx';
import { ProfileChanges } from './profile-changes.tsx';
import { ProfileCompare } from './profile-compare.tsx';
import { ProfileFunctions } from './profile-functions.tsx';
import { goToSourceLines, ProfileSourceLines } from './profile-source.tsx';
import { RequestFilterSelect } from './request-filter.tsx';
import { sourceOf, useAnswer } from './use-profile.ts';
import { useSearch } from './use-search.ts';

const tabs = { functions: 'Functions', tree: 'Call tree', changes: 'Changes' } as const;
type Tab = keyof typeof tabs;

/** The graph and the tables beside it. What is chosen is in the link: search, request, comparison, idle, tab. */
export function ProfileOpened(props: {
  id: string;
  client: FlameClient;
  opened: OpenedProfile;
  /** Of the profile; null of a file of this machine. */
  endedAtMs: number | null;
  query: Readonly<Record<string, string>>;
  nowMs: number;
  onStuck: (pattern: string) => void;
}) {
  const { id, client, opened, endedAtMs, query, nowMs, onStuck } = props;
  const { api } = usePage();
  const withIdle = query['idle'] === 'yes';
  const against = query['against'];
  const filter = readFilter(query['only']);
  /** How often whose work the samples were was read: spans come some seconds after their profile. */
  const [requestsRead, setRequestsRead] = useState(0);
  const hasRequests = requestsRead > 0;
  const [asksRequests, setAsksRequests] = useState(filter !== null);
  const canLayOut = filter === null || hasRequests;
  const layoutKey =
    (withIdle || query['only'] !== undefined || hasRequests) && canLayOut
      ? `${withIdle} ${query['only']} ${filter === null ? '' : requestsRead}`
      : null;
  const layout = useAnswer(layoutKey, () => client.ask('layout', { withIdle, request: filter }));
  const compared = useAnswer(against === undefined ? null : `${against} ${query['againstFile'] ?? ''}`, async () => {
    const { source } = await sourceOf(api, against ?? '', 'against');
    return client.ask('compare', { source });
  });
  const diff = compared.value;
  const flame = layout.value ?? opened.flame;
  const tree = diff?.tree ?? flame.tree;
  const [selected, setSelected] = useState<number | null>(null);
  useEffect(() => setSelected(null), [tree]);
  const search = useSearch({ client, pattern: query['search'] ?? '', tree, inDiff: diff !== null, onStuck });
  const frame = selected === null || diff !== null ? null : tree.nodeFrames[selected]!;
  // Frames of a filtered tree are those of another file.
  const lines = useAnswer(frame === null || filter !== null ? null : `lines ${frame}`, () =>
    client.ask('lines', { frame: frame ?? 0 }),
  );
  const tab: Tab =
    diff !== null ? (query['tab'] === 'tree' ? 'tree' : 'changes') : query['tab'] === 'tree' ? 'tree' : 'functions';
  const chooseFrame = (wanted: number): void => {
    const node = tree.nodeFrames.indexOf(wanted);
    setSelected(node === -1 ? null : node);
  };
  const isEmpty = tree.totals[0] === 0;
  return (
    <>
      <div class="profile-tools">
        <label>
          Search (regular expression)
          <input
            type="search"
            value={query['search'] ?? ''}
            placeholder="renderReport|node_modules/pg"
            aria-describedby="profile-found"
            onInput={(event) => setQuery({ search: event.currentTarget.value || null })}
          />
        </label>
        {opened.kind === 'cpu' && opened.idleShare > 0 && diff === null && (
          <label class="check">
            <input
              type="checkbox"
              checked={withIdle}
              onChange={(event) => setQuery({ idle: event.currentTarget.checked ? 'yes' : null })}
            />
            Show idle time
          </label>
        )}
        {opened.kind === 'cpu' &&
          id !== 'file' &&
          diff === null &&
          (asksRequests ? (
            <RequestFilterSelect
              client={client}
              profileId={id}
              unit={flame.unit}
              filter={filter}
              onFilter={(chosen) => setQuery({ only: chosen === null ? null : writeFilter(chosen) })}
              endedAtMs={endedAtMs}
              nowMs={nowMs}
              onRead={setRequestsRead}
            />
          ) : (
            <button type="button" onClick={() => setAsksRequests(true)}>
              Only one route or trace…
            </button>
          ))}
        <ProfileCompare id={id} kind={opened.kind} against={against} nowMs={nowMs} />
      </div>
      <p class="found" id="profile-found" role="status">
        {search.text}
      </p>
      {against === 'file' && offeredProfile('against') === null && (
        <p class="note warn">The other file is gone: choose it again.</p>
      )}
      <ProblemNote problem={layout.problem ?? compared.problem ?? search.problem} />
      {compared.isBusy && <p class="hint">Comparing…</p>}
      {diff !== null && (
        <p>
          Shares of {opened.kind === 'cpu' ? 'the time that was not idle' : 'all bytes'}, so that load and duration do
          not matter. Boxes are as wide as the mean of both.
          {opened.kind === 'cpu' &&
            ` Busy: ${formatShare(diff.busyBefore)} before, ${formatShare(diff.busyAfter)} now.`}
        </p>
      )}
      {isEmpty ? (
        <p class="empty">
          {filter === null
            ? opened.idleShare > 0
              ? 'The thread was idle all the time: nothing executed that a sample saw.'
              : 'The profile has no samples.'
            : 'No sample is known to be of these requests.'}
        </p>
      ) : (
        <div class="profile-columns">
          <div class="profile-main">
            <FlameGraph
              tree={tree}
              unit={diff === null ? flame.unit : 'share'}
              matches={search.matches}
              change={diff}
              selected={selected}
              onSelect={setSelected}
            />
            {opened.kind === 'cpu' && diff === null && (
              <ProfileSourceLines profileId={id} frame={frame === null ? null : tree.frames[frame]!} />
            )}
          </div>
          <div class="profile-side">
            <fieldset class="side-tabs">
              <legend class="sr">Table</legend>
              {(diff === null ? (['functions', 'tree'] as const) : (['changes', 'tree'] as const)).map((name) => (
                <button
                  key={name}
                  type="button"
                  class={name === tab ? 'primary' : undefined}
                  aria-pressed={name === tab}
                  onClick={() => setQuery({ tab: name })}
                >
                  {tabs[name]}
                </button>
              ))}
              <span class="dim">{plural(tree.nodeFrames.length - 1, 'call path')}</span>
            </fieldset>
            {tab === 'tree' && (
              <ProfileCallTree
                tree={tree}
                unit={diff === null ? flame.unit : 'share'}
                change={diff}
                selected={selected}
                onSelect={setSelected}
              />
            )}
            {tab !== 'tree' && (
              <div class="profile-scroll" tabIndex={0} role="region" aria-label={tabs[tab]}>
                {tab === 'changes' && diff !== null && <ProfileChanges diff={diff} matches={search.matches} />}
                {tab === 'functions' && (
                  <ProfileFunctions
                    flame={flame}
                    matches={search.matches}
                    chosen={frame}
                    lines={lines.value}
                    onChoose={chooseFrame}
                    onShowSource={opened.kind === 'cpu' ? goToSourceLines : null}
                  />
                )}
              </div>
            )}
          </div>
        </div>
      )}
    </>
  );
}
