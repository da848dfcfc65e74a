import { useState } from 'preact/hooks';
import { offerProfile } from '../flame/dropped-profiles.ts';
import { goTo } from './navigation.ts';

const accepted = '.cpuprofile,.heapprofile,.pb,.gz,.pprof,.json';

/** A file of this machine: it is read by this browser and goes nowhere. */
export function ProfileDrop() {
  return (
    <FileDrop
      label="Drop a .cpuprofile, .heapprofile or pprof file here, plain or as .gz, or choose one. It stays in this browser."
      onFile={(file) => {
        offerProfile(file);
        // The same place again, where another file was open.
        goTo('/profile/file', { file: `${file.name}, ${file.size} B` });
      }}
    />
  );
}

export function FileDrop({ label, onFile }: { label: string; onFile: (file: File) => void }) {
  const [isOver, setOver] = useState(false);
  const open = (file: File | undefined): void => {
    if (file !== undefined) onFile(file);
  };
  return (
    <div
      class={`empty drop ${isOver ? 'over-drop' : ''}`}
      onDragOver={(event) => {
        event.preventDefault();
        setOver(true);
      }}
      onDragLeave={() => setOver(false)}
      onDrop={(event) => {
        event.preventDefault();
        setOver(false);
        open(event.dataTransfer?.files[0]);
      }}
    >
      <label class="field">
        {label}
        <input type="file" accept={accepted} onChange={(event) => open(event.currentTarget.files?.[0])} />
      </label>
    </div>
  );
}
