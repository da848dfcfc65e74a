import { shortcuts } from '../model/shortcuts.ts';
import { Dialog } from './parts.tsx';

export function HelpSheet({ onClose }: { onClose: () => void }) {
  return (
    <Dialog title="Keys" onClose={onClose}>
      <dl class="keys">
        {shortcuts.map(({ keys, words }) => (
          <div key={keys}>
            <dt>
              {keys.split(' ').map((key) => (
                <kbd key={key}>{key}</kbd>
              ))}
            </dt>
            <dd>{words}</dd>
          </div>
        ))}
      </dl>
      <p class="hint">
        In charts: drag to zoom, double click to go back. Tab reaches everything; Escape closes what lies above the
        page.
      </p>
      <div class="act">
        <button type="button" onClick={onClose}>
          Close
        </button>
      </div>
    </Dialog>
  );
}
