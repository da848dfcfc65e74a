import '../style/profile.css';
import { useState } from 'preact/hooks';
import { offeredProfile } from '../flame/dropped-profiles.ts';
import { formatCount, formatDuration, formatShare } from '../format.ts';
import type { OpenedProfile } from '../flame/messages.ts';
import { kindWords } from '../model/words.ts';
import { downloadProfile, openInSpeedscope } from '../open-profile.ts';
import { hrefTo, setQuery } from './navigation.ts';
import { useAction, useNow, usePage } from './page-context.ts';
import { ProblemNote, Time } from './parts.tsx';
import { ProfileChooser } from './profile-chooser.tsx';
import { ProfileDrop } from './profile-drop.tsx';
import { ProfileOpened } from './profile-opened.tsx';
import { ProfileShortcomings } from './profile-shortcomings.tsx';
import { useProfile, type OpenProfile } from './use-profile.ts';
import type { ViewProps } from './view-props.ts';

/** A CPU or heap-sampling profile as a flame graph; without an id in its path it asks for one. */
export function View({ state, address, params }: ViewProps) {
  const id = params['id'];
  if (id === undefined) return <ProfileChooser clockOffsetMs={state.clockOffsetMs} />;
  return (
    <Reading
      key={`${id} ${address.query['file'] ?? ''}`}
      id={id}
      query={address.query}
      clockOffsetMs={state.clockOffsetMs}
    />
  );
}

function Reading(props: { id: string; query: Readonly<Record<string, string>>; clockOffsetMs: number }) {
  const { id, query } = props;
  const nowMs = useNow(props.clockOffsetMs, 30_000);
  const read = useProfile(id);
  const { client, opened, problem, again } = read;
  const [endless, setEndless] = useState<string | null>(null);
  const onStuck = (pattern: string): void => {
    setEndless(pattern);
    setQuery({ search: null });
    again();
  };
  if (id === 'file' && offeredProfile() === null) {
    return (
      <section>
        <p class="empty">The file was on this page only, and is gone with the reload: drop it again.</p>
        <ProfileDrop />
      </section>
    );
  }
  return (
    <section aria-labelledby="profile-title">
      <ProfileTitle read={read} nowMs={nowMs} />
      {problem !== null && (
        <div class="act">
          <ProblemNote problem={problem} />
          <button type="button" onClick={again}>
            Read it again
          </button>
        </div>
      )}
      {endless !== null && (
        <p class="note warn" role="alert">
          The search for <code>{endless.slice(0, 200)}</code> took too long and was ended: the expression tries too many
          ways.
        </p>
      )}
      {opened === null && problem === null && (
        <p class="hint" role="status">
          Reading the profile…
        </p>
      )}
      {opened !== null && client !== null && (
        <ProfileOpened
          id={id}
          client={client}
          opened={opened}
          endedAtMs={read.profile === null ? null : Date.parse(read.profile.endedAt)}
          query={query}
          nowMs={nowMs}
          onStuck={onStuck}
        />
      )}
    </section>
  );
}

function ProfileTitle({ read, nowMs }: { read: OpenProfile; nowMs: number }) {
  const { api } = usePage();
  const action = useAction();
  const { profile, opened, name } = read;
  return (
    <>
      <div class="title">
        <h2 id="profile-title">
          <bdi>{name ?? 'Profile'}</bdi>
        </h2>
        {profile !== null && (
          <span class="dim">
            {kindWords[profile.kind]} of <bdi>{profile.targetName}</bdi> {profile.thread.id},{' '}
            <Time iso={profile.startedAt} nowMs={nowMs} />
          </span>
        )}
        <span class="gap" />
        {profile !== null && (
          <>
            <button
              type="button"
              disabled={action.busy}
              onClick={() => action.run(() => openInSpeedscope(api, profile))}
            >
              Time order and sandwich: open in speedscope
            </button>
            <button
              type="button"
              disabled={action.busy}
              onClick={() => action.run(() => downloadProfile(api, profile))}
            >
              Download
            </button>
          </>
        )}
        <a href={hrefTo('/profile')}>Another profile</a>
      </div>
      <ProblemNote problem={action.problem} onClose={action.clear} />
      {profile !== null && profile.sampling !== null && (
        <p class="hint">
          {profile.sampling.mode === 'live'
            ? 'Live: what was allocated while it sampled and still in memory at the end.'
            : 'Churn: everything allocated while it sampled, collected since or not.'}
        </p>
      )}
      {opened !== null && <p class="dim">{factsText(opened)}</p>}
      {profile !== null && <ProfileShortcomings profile={profile} />}
    </>
  );
}

function factsText({ samples, durationUs, idleShare, kind }: OpenedProfile): string {
  return [
    durationUs === null ? null : formatDuration(durationUs / 1_000),
    `${formatCount(samples)} samples`,
    kind === 'cpu' ? `${formatShare(idleShare)} idle` : null,
  ]
    .filter((part) => part !== null)
    .join(', ');
}
