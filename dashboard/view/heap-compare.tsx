import { formatBytes } from '../format.ts';
import { HeapProgress } from './heap-progress.tsx';
import { useStoredSnapshots } from './heap-sources.tsx';
import { setQuery, useAddress } from './navigation.ts';
import { usePage, useNow } from './page-context.ts';
import { ProblemNote } from './parts.tsx';
import { formatTime } from '../format.ts';
import type { ComparedHeap } from './use-heap.ts';

/** Another snapshot of the same process, mostly an earlier one: what is new since then; with a third, what of it stays. */
export function HeapCompare({ id, compared }: { id: string; compared: ComparedHeap }) {
  const { store } = usePage();
  const nowMs = useNow(store.state.clockOffsetMs, 60_000);
  const { profiles } = useStoredSnapshots();
  const { against = '', third = '' } = useAddress().query;
  const own = profiles.find((profile) => profile.id === id);
  const others = profiles.filter(
    (profile) =>
      profile.id !== id &&
      (own === undefined ||
        (profile.target.instanceId === own.target.instanceId && profile.thread.id === own.thread.id)),
  );
  return (
    <div class="heap-compare">
      <div class="fields">
        <label class="field">
          Compare with
          <select
            value={against}
            onChange={(event) => setQuery({ against: event.currentTarget.value || null, third: null })}
          >
            <option value="">nothing</option>
            {others.map((profile) => (
              <option key={profile.id} value={profile.id}>
                {profile.targetName}, {formatTime(profile.startedAt, nowMs)}, {formatBytes(profile.sizeBytes)}
              </option>
            ))}
          </select>
        </label>
        <label class="field">
          or with a file of the same process
          <input
            type="file"
            accept=".heapsnapshot,.gz"
            onChange={(event) => {
              const file = event.currentTarget.files?.[0];
              if (file !== undefined) compared.withFile(file);
            }}
          />
        </label>
        {compared.comparison !== null && others.some((profile) => profile.id !== against) && (
          <label class="field">
            and with one between, for what stays
            <select value={third} onChange={(event) => setQuery({ third: event.currentTarget.value || null })}>
              <option value="">none</option>
              {others
                .filter((profile) => profile.id !== against)
                .map((profile) => (
                  <option key={profile.id} value={profile.id}>
                    {formatTime(profile.startedAt, nowMs)}, {formatBytes(profile.sizeBytes)}
                  </option>
                ))}
            </select>
          </label>
        )}
      </div>
      {compared.isReading && <HeapProgress progress={compared.progress} onStop={compared.stop} />}
      <ProblemNote problem={compared.problem} />
    </div>
  );
}
