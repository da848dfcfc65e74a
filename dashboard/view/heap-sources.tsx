import type { Profile } from '../../protocol/rest/profile.ts';
import type { Target } from '../../protocol/rest/target.ts';
import { formatBytes } from '../format.ts';
import { offerFile } from '../heap/dropped-file.ts';
import { FileDrop } from './file-drop.tsx';
import { goTo, hrefTo } from './navigation.ts';
import { useNow, usePage } from './page-context.ts';
import { ProblemNote, Time } from './parts.tsx';
import { useFresh } from './use-fresh.ts';

/** A file of this machine: it is read by this browser and goes nowhere. */
export function SnapshotDrop() {
  return (
    <FileDrop
      label="Drop a .heapsnapshot here, plain or as .gz, or choose one. It stays in this browser."
      accept=".heapsnapshot,.gz"
      onFile={(file) => {
        offerFile(file);
        // The same place again, where another file was open.
        goTo('/heap/file', { file: `${file.name}, ${file.size} B` });
      }}
    />
  );
}

/** The snapshots that the agent keeps; those of the chosen target where there is one. */
export function useStoredSnapshots(): {
  profiles: readonly Profile[];
  problem: ReturnType<typeof useFresh>['problem'];
} {
  const { api, store } = usePage();
  const { value, problem } = useFresh({
    key: 'snapshots',
    tick: store.state.profiles.items,
    read: (signal) => api.profiles({ kind: 'heap-snapshot' }, signal),
  });
  return { profiles: value?.profiles ?? [], problem };
}

export function SnapshotList({ target, clockOffsetMs }: { target: Target | undefined; clockOffsetMs: number }) {
  const nowMs = useNow(clockOffsetMs, 30_000);
  const { profiles, problem } = useStoredSnapshots();
  const shown = target === undefined ? profiles : profiles.filter(({ targetId }) => targetId === target.id);
  return (
    <>
      <h3 class="list-title">Kept by the agent</h3>
      <ProblemNote problem={problem} />
      {shown.length === 0 ? (
        <p class="hint">
          None{target === undefined ? '' : ` of ${target.name}`}: take one under{' '}
          <a href={hrefTo('/captures')}>Captures</a>, where its cost is forecast first.
        </p>
      ) : (
        <ul class="objects">
          {shown.map((profile) => (
            <li key={profile.id}>
              <a href={hrefTo(`/heap/${encodeURIComponent(profile.id)}`)}>
                <bdi>{profile.targetName}</bdi>, <Time iso={profile.startedAt} nowMs={nowMs} />
              </a>
              <span class="dim">
                {profile.thread.id}, {formatBytes(profile.sizeBytes)}
                {profile.complete ? '' : ', not whole'}
              </span>
            </li>
          ))}
        </ul>
      )}
    </>
  );
}
