import type { OpenedProfile } from '../flame/messages.ts';
import { offerProfile } from '../flame/dropped-profiles.ts';
import { formatTime } from '../format.ts';
import { setQuery } from './navigation.ts';
import { useStoredProfiles } from './profile-chooser.tsx';

/** Against which one: the agent's, of the same kind, or a file. */
export function ProfileCompare(props: {
  id: string;
  kind: OpenedProfile['kind'];
  against: string | undefined;
  nowMs: number;
}) {
  const { id, kind, against, nowMs } = props;
  const { profiles } = useStoredProfiles(kind);
  const others = profiles.filter((profile) => profile.id !== id);
  const isListed = against === undefined || against === 'file' || others.some((profile) => profile.id === against);
  return (
    <>
      <label>
        Compare with
        <select
          value={against ?? ''}
          onChange={(event) => setQuery({ against: event.currentTarget.value || null, againstFile: null })}
        >
          <option value="">nothing</option>
          {against === 'file' && <option value="file">the file</option>}
          {!isListed && <option value={against}>{against}</option>}
          {others.map((profile) => (
            <option key={profile.id} value={profile.id}>
              {profile.targetName.slice(0, 60)}, {formatTime(profile.startedAt, nowMs)}
            </option>
          ))}
        </select>
      </label>
      <label>
        or with a file
        <input
          type="file"
          onChange={(event) => {
            const file = event.currentTarget.files?.[0];
            if (file === undefined) return;
            offerProfile(file, 'against');
            setQuery({ against: 'file', againstFile: `${file.name}, ${file.size} B` });
          }}
        />
      </label>
    </>
  );
}
