import type { Profile } from '../../protocol/rest/profile.ts';
import { kindWords, profileSummary } from '../model/words.ts';
import { hrefTo } from './navigation.ts';
import { useNow, usePage } from './page-context.ts';
import { ProblemNote, Time } from './parts.tsx';
import { ProfileDrop } from './profile-drop.tsx';
import { useFresh } from './use-fresh.ts';

/** Which profile: one that the agent keeps, or a file. */
export function ProfileChooser({ clockOffsetMs }: { clockOffsetMs: number }) {
  const nowMs = useNow(clockOffsetMs, 30_000);
  const { profiles, problem } = useStoredProfiles();
  return (
    <section aria-labelledby="choose-profile">
      <h2 id="choose-profile" class="sr">
        Choose a profile
      </h2>
      <ProfileDrop />
      <h3 class="list-title">Kept by the agent</h3>
      <ProblemNote problem={problem} />
      {profiles.length === 0 ? (
        <p class="hint">
          None yet: take one under <a href={hrefTo('/captures')}>Captures</a>.
        </p>
      ) : (
        <ul class="kept-profiles">
          {profiles.map((profile) => (
            <li key={profile.id}>
              <a href={hrefTo(`/profile/${encodeURIComponent(profile.id)}`)}>
                {kindWords[profile.kind]} of <bdi>{profile.targetName}</bdi>,{' '}
                <Time iso={profile.startedAt} nowMs={nowMs} />
              </a>{' '}
              <span class="dim">
                {profile.thread.id}, <bdi>{profileSummary(profile)}</bdi>
              </span>
            </li>
          ))}
        </ul>
      )}
    </section>
  );
}

/** Newest first, those that a graph can be drawn of; of one kind, where it is named. */
export function useStoredProfiles(kind?: 'cpu' | 'heap-sampling'): {
  profiles: readonly Profile[];
  problem: ReturnType<typeof useFresh>['problem'];
} {
  const { api, store } = usePage();
  const { value, problem } = useFresh({
    key: `profiles ${kind ?? ''}`,
    tick: store.state.profiles.items,
    read: (signal) => api.profiles({ kind }, signal),
  });
  return { profiles: (value?.profiles ?? []).filter((profile) => profile.kind !== 'heap-snapshot'), problem };
}
