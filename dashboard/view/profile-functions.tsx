import { useMemo, useState } from 'preact/hooks';
import { nameOf, placeOf, weightText, whoseWords } from '../flame/flame-words.ts';
import type { LineShare } from '../flame/messages.ts';
import type { Flame } from '../flame/messages.ts';
import { orderFunctions, type FunctionOrder } from '../flame/functions.ts';
import { formatShare, plural } from '../format.ts';

const orderWords: Readonly<Record<FunctionOrder, string>> = { name: 'Function', self: 'Self', total: 'Total' };
const rowsMax = 100;

/** The same as the graph, by function: for those who read rather than look. */
export function ProfileFunctions(props: {
  flame: Flame;
  matches: Uint8Array | null;
  chosen: number | null;
  lines: readonly LineShare[] | null;
  onChoose: (frame: number) => void;
  /** null where there are none to show. */
  onShowSource: (() => void) | null;
}) {
  const { flame, matches, chosen, lines, onChoose, onShowSource } = props;
  const [order, setOrder] = useState<FunctionOrder>('self');
  const [isAll, setAll] = useState(false);
  const rows = useMemo(() => {
    const isShown = (frame: number): boolean => frame !== flame.tree.nodeFrames[0] && matches?.[frame] !== 0;
    return orderFunctions(flame.tree, flame.functions, { order, isShown });
  }, [flame, matches, order]);
  const all = flame.tree.totals[0]! || 1;
  const shown = rows.slice(0, isAll ? rowsMax * 10 : rowsMax);
  return (
    <>
      <table class="profile-table">
        <caption class="sr">Functions of the profile{matches === null ? '' : ' that match the search'}</caption>
        <thead>
          <tr>
            {(['name', 'self', 'total'] as const).map((column) => (
              <th
                key={column}
                scope="col"
                class={column === 'name' ? undefined : 'num'}
                aria-sort={order === column ? (column === 'name' ? 'ascending' : 'descending') : undefined}
              >
                <button type="button" class="quiet" onClick={() => setOrder(column)}>
                  {orderWords[column]}
                  {order === column ? (column === 'name' ? ' ↑' : ' ↓') : ''}
                </button>
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {shown.map((index) => {
            const frame = flame.tree.frames[index]!;
            const [self, total] = [flame.functions.self[index]!, flame.functions.totals[index]!];
            return (
              <tr key={index} class={index === chosen ? 'chosen' : undefined}>
                <td>
                  <button type="button" class="link" aria-pressed={index === chosen} onClick={() => onChoose(index)}>
                    <bdi>{nameOf(frame)}</bdi>
                  </button>
                  <span class="place" title={placeOf(frame).slice(0, 1_000)}>
                    {whoseWords(frame)} {placeOf(frame).slice(0, 1_000)}
                  </span>
                  {index === chosen && lines !== null && lines.length > 0 && <HotLines lines={lines} />}
                  {index === chosen && onShowSource !== null && (
                    <button type="button" class="quiet" onClick={onShowSource}>
                      Source lines
                    </button>
                  )}
                </td>
                <td class="num" title={weightText(self, flame.unit)}>
                  {formatShare(self / all)}
                  <span class="place">{weightText(self, flame.unit)}</span>
                </td>
                <td class="num">
                  {formatShare(total / all)}
                  <span class="place">{weightText(total, flame.unit)}</span>
                </td>
              </tr>
            );
          })}
        </tbody>
      </table>
      {rows.length === 0 && <p class="hint">No function of this profile matches.</p>}
      {rows.length > shown.length && (
        <p class="hint">
          {plural(rows.length - shown.length, 'function')} with less are not shown.{' '}
          {!isAll && (
            <button type="button" class="quiet" onClick={() => setAll(true)}>
              Show more
            </button>
          )}
        </p>
      )}
    </>
  );
}

function HotLines({ lines }: { lines: readonly LineShare[] }) {
  return (
    <span class="place">
      {lines
        .slice(0, 5)
        .map(({ line, share }) => `line ${line}: ${formatShare(share)}`)
        .join(', ')}
    </span>
  );
}
