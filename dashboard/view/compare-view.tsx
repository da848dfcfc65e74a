import type { FunctionChange, ProfileDiff } from '../../protocol/rest/diff.ts';
import type { Profile } from '../../protocol/rest/profile.ts';
import { formatBytes, formatCount, formatShare } from '../format.ts';
import { changeWords, diffSentence } from '../model/diff-words.ts';
import type { PageState } from '../model/page-state.ts';
import { hrefTo } from './navigation.ts';
import { useNow, usePage } from './page-context.ts';
import { CopyText } from './copy-text.tsx';
import { FunctionCell } from './function-cell.tsx';
import { Badge, ProblemNote, Time } from './parts.tsx';
import { useFresh } from './use-fresh.ts';
import type { ViewProps } from './view-props.ts';

/** What the later of two profiles has more of, and what it has less of: by share, so that their lengths do not matter. */
export function View({ params, state }: ViewProps) {
  const { api } = usePage();
  const ids = { before: params['id'] ?? '', after: params['other'] ?? '' };
  const { value, problem } = useFresh({
    key: `${ids.before} ${ids.after}`,
    tick: null,
    read: (signal) => api.diff(ids, signal),
  });
  if (problem !== null) return <ProblemNote problem={problem} />;
  return value === null ? (
    <p class="hint" role="status">
      Comparing…
    </p>
  ) : (
    <Differences diff={value} state={state} />
  );
}

function Differences({ diff, state }: { diff: ProfileDiff; state: PageState }) {
  const nowMs = useNow(state.clockOffsetMs, 30_000);
  const link = (id: string) => (
    <a href={hrefTo(`/profile/${encodeURIComponent(id)}`)}>
      <Name id={id} profile={state.profiles.items.find((one) => one.id === id)} nowMs={nowMs} />
    </a>
  );
  const amount = diff.kind === 'cpu' ? (value: number) => `${formatCount(value)} samples` : formatBytes;
  return (
    <section id="compare" aria-label="Differences">
      <p class="headline busy">{diffSentence(diff)}</p>
      <p class="act">
        <span class="dim">
          Before: {link(diff.before)}, {amount(diff.activeBefore)}. After: {link(diff.after)},{' '}
          {amount(diff.activeAfter)}.
        </span>
        <a href={hrefTo(`/profile/${encodeURIComponent(diff.after)}`, { against: diff.before })}>As a flame graph</a>
        <CopyText label="Copy as text" text={() => asText(diff)} />
      </p>
      {diff.functions.length === 0 ? (
        <p class="empty">No function differs.</p>
      ) : (
        <table class="profiles compare">
          <thead>
            <tr>
              <th scope="col">Function</th>
              <th scope="col" class="num">
                Before
              </th>
              <th scope="col" class="num">
                After
              </th>
              <th scope="col" class="num">
                Change
              </th>
              <th scope="col">Certain</th>
            </tr>
          </thead>
          <tbody>
            {diff.functions.map((change, index) => (
              <Row key={index} change={change} />
            ))}
          </tbody>
        </table>
      )}
    </section>
  );
}

/** For people, where the list has it: an id says nothing of which one was before. */
function Name({ id, profile, nowMs }: { id: string; profile: Profile | undefined; nowMs: number }) {
  if (profile === undefined) return <>{id}</>;
  return (
    <>
      <bdi>{profile.targetName}</bdi> {profile.thread.id}, <Time iso={profile.startedAt} nowMs={nowMs} />
    </>
  );
}

function Row({ change }: { change: FunctionChange }) {
  const { shareBefore, shareAfter, isSignificant } = change;
  const words = changeWords(change);
  return (
    <tr>
      <FunctionCell {...change} />
      <td class="num" data-label="Before">
        {formatShare(shareBefore)}
      </td>
      <td class="num" data-label="After">
        {formatShare(shareAfter)}
      </td>
      <td class={`num ${change.change > 0 ? 'bad-text' : 'good-text'}`} data-label="Change">
        {words}
      </td>
      <td data-label="Certain">
        {isSignificant ? <Badge tone={change.change > 0 ? 'bad' : 'good'}>Beyond chance</Badge> : 'may be chance'}
      </td>
    </tr>
  );
}

function asText(diff: ProfileDiff): string {
  const rows = diff.functions.map((change) =>
    [
      changeWords(change).padEnd(14),
      `${formatShare(change.shareBefore)} -> ${formatShare(change.shareAfter)}`.padEnd(20),
      `${change.functionName || '(anonymous)'} ${change.url}:${change.line}`,
    ].join(' '),
  );
  return [diffSentence(diff), `${diff.before} -> ${diff.after}`, '', ...rows].join('\n');
}
