import { useEffect, useState } from 'preact/hooks';
import type { ChangeColumns } from '../flame/colours.ts';
import type { FlameTree, FlameUnit } from '../flame/flame-tree.ts';
import { changeText, nameOf, placeOf, stackText, weightText, whoseWords } from '../flame/flame-words.ts';
import { formatShare } from '../format.ts';

const copiedShownMs = 2_000;

/** What the pointer or the selection is on, in words. */
export function FlameDetail(props: {
  tree: FlameTree;
  unit: FlameUnit;
  change: ChangeColumns | null;
  node: number | null;
  isWhole: boolean;
  onEnter: (node: number) => void;
  onReset: () => void;
}) {
  const { tree, unit, change, node, isWhole, onEnter, onReset } = props;
  const shown = node ?? 0;
  const frame = tree.frames[tree.nodeFrames[shown]!]!;
  const all = tree.totals[0]! || 1;
  const [self, total] = [tree.self[shown]!, tree.totals[shown]!];
  const place = placeOf(frame);
  return (
    <div class="flame-detail" aria-label="Function in sight" role="group">
      <p class="name">
        <bdi>{nameOf(frame)}</bdi>
      </p>
      <p>
        {place !== '' && <code>{place}</code>} <span class="dim">{whoseWords(frame)}</span>
      </p>
      {change === null ? (
        <p>
          Self {weightText(self, unit)} ({formatShare(self / all)}), total {weightText(total, unit)} (
          {formatShare(total / all)})
        </p>
      ) : (
        <p>
          Total before {formatShare(change.before[shown]!)}, now {formatShare(change.after[shown]!)}:{' '}
          <strong>{changeText(change.after[shown]! - change.before[shown]!)}</strong>
        </p>
      )}
      <p class="act">
        <button type="button" class="quiet" disabled={node === null} onClick={() => onEnter(shown)}>
          Zoom to it
        </button>
        <button type="button" class="quiet" disabled={isWhole} onClick={onReset}>
          Show all
        </button>
        <CopyStack text={() => stackText(tree, shown)} />
        {node === null && <span class="dim">Point at a box, or choose one with the arrow keys.</span>}
      </p>
    </div>
  );
}

function CopyStack({ text }: { text: () => string }) {
  const [said, setSaid] = useState<string | null>(null);
  useEffect(() => {
    if (said === null) return;
    const timer = setTimeout(() => setSaid(null), copiedShownMs);
    return () => clearTimeout(timer);
  }, [said]);
  const copy = (): void => {
    const refused = (): void => setSaid('The browser does not allow it here');
    if (!isSecureContext) return refused();
    navigator.clipboard.writeText(text()).then(() => setSaid('Copied'), refused);
  };
  return (
    <button type="button" class="quiet" onClick={copy}>
      {said ?? 'Copy stack'}
    </button>
  );
}
