import type { Profile } from '../../protocol/rest/profile.ts';

/** Why it is not all that was asked for, and what else whoever reads it should know. */
export function ProfileShortcomings({ profile }: { profile: Pick<Profile, 'incompleteReason' | 'warnings'> }) {
  return (
    <>
      {profile.incompleteReason !== null && (
        <p class="note warn">
          <strong>Partial</strong> {profile.incompleteReason}
        </p>
      )}
      {profile.warnings.map((warning) => (
        <p key={warning} class="note warn">
          <strong>Warning</strong> {warning}
        </p>
      ))}
    </>
  );
}
