import { ProfileDrop } from './profile-drop.tsx';
import { ProfilesSection } from './profiles-section.tsx';
import { StartSection } from './start-section.tsx';
import type { ViewProps } from './view-props.ts';

/** What can be captured, what runs, what was kept. */
export function View({ state, target, address }: ViewProps) {
  return (
    <>
      <StartSection state={state} target={target} />
      <ProfilesSection state={state} query={address.query} />
      <section id="file" aria-labelledby="file-title">
        <h3 id="file-title">A file of this machine</h3>
        <ProfileDrop />
      </section>
    </>
  );
}
