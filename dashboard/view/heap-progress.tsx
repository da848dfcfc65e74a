import { progressText } from '../heap/heap-words.ts';
import type { Progress } from '../heap/messages.ts';

/** How far the analysis is, and the way out of it. */
export function HeapProgress({ progress, onStop }: { progress: Progress | null; onStop: () => void }) {
  const text = progress === null ? 'Asking for it…' : progressText(progress);
  return (
    <div class="progress" role="status" aria-label="Analysis">
      <span>{text}</span>
      {progress?.fraction === null || progress === null ? (
        <progress aria-label={text} />
      ) : (
        <progress value={progress.fraction} max={1} aria-label={text} />
      )}
      <button type="button" onClick={onStop}>
        Stop
      </button>
    </div>
  );
}
