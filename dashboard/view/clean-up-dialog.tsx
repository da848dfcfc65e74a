import { useState } from 'preact/hooks';
import type { DeletedProfiles } from '../../protocol/rest/lists.ts';
import type { ProfileKind } from '../../protocol/rest/profile.ts';
import { plural } from '../format.ts';
import { readProfiles } from '../live.ts';
import { kindWords } from '../model/words.ts';
import { useAction, usePage } from './page-context.ts';
import { Dialog, ProblemNote } from './parts.tsx';

const dayMs = 86_400_000;
const ages = [
  ['1 hour', dayMs / 24],
  ['1 day', dayMs],
  ['7 days', 7 * dayMs],
  ['30 days', 30 * dayMs],
] as const;

/** Deletes what is older than a chosen age, of the kind that the list is filtered by. */
export function CleanUpDialog({ kind, onClose }: { kind: ProfileKind | null; onClose: () => void }) {
  const { api, store } = usePage();
  const action = useAction();
  const [ageMs, setAgeMs] = useState<number>(dayMs);
  const [result, setResult] = useState<DeletedProfiles | null>(null);
  const remove = (): void =>
    action.run(async () => {
      // By the agent's clock: it is the one that dated the profiles.
      const before = new Date(Date.now() + store.state.clockOffsetMs - ageMs).toISOString();
      setResult(await api.deleteProfiles({ before, kind: kind ?? undefined }));
      store.apply({ type: 'profiles-first', list: await readProfiles(api, kind) });
    });
  return (
    <Dialog title="Clean up profiles" onClose={onClose}>
      <label>
        Delete {kind === null ? 'profiles of every kind' : `${kindWords[kind]}s`} older than{' '}
        <select value={String(ageMs)} onChange={(event) => setAgeMs(Number(event.currentTarget.value))}>
          {ages.map(([words, ms]) => (
            <option key={ms} value={String(ms)}>
              {words}
            </option>
          ))}
        </select>
      </label>
      <p class="hint">Pinned ones, and those being downloaded, are kept. What is deleted cannot be brought back.</p>
      {result && (
        <p class="note good" role="status">
          {plural(result.deleted.length, 'profile')} deleted; kept: {result.kept.pinned} pinned, {result.kept.inUse} in
          use.
        </p>
      )}
      <ProblemNote problem={action.problem} />
      <div class="act">
        <button type="button" onClick={onClose}>
          {result ? 'Close' : 'Keep all'}
        </button>
        <button type="button" class="danger" disabled={action.busy} onClick={remove}>
          Delete
        </button>
      </div>
    </Dialog>
  );
}
