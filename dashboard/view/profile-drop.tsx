import { offerProfile } from '../flame/dropped-profiles.ts';
import { FileDrop } from './file-drop.tsx';
import { goTo } from './navigation.ts';

const accepted = '.cpuprofile,.heapprofile,.pb,.gz,.pprof,.json';

/** A file of this machine: it is read by this browser and goes nowhere. */
export function ProfileDrop() {
  return (
    <FileDrop
      label="Drop a .cpuprofile, .heapprofile or pprof file here, plain or as .gz, or choose one. It stays in this browser."
      accept={accepted}
      onFile={(file) => {
        offerProfile(file);
        // The same place again, where another file was open.
        goTo('/profile/file', { file: `${file.name}, ${file.size} B` });
      }}
    />
  );
}
