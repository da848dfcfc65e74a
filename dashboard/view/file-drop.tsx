import { useState } from 'preact/hooks';

/** Where a file of this machine is dropped or chosen: it is read by this browser and goes nowhere. */
export function FileDrop(props: { label: string; accept: string; onFile: (file: File) => void }) {
  const { label, accept, onFile } = props;
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
        <input type="file" accept={accept} onChange={(event) => open(event.currentTarget.files?.[0])} />
      </label>
    </div>
  );
}
