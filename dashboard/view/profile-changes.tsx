import type { FunctionChange } from '../../protocol/cpu-profile/tree-diff.ts';
import type { FlameDiff } from '../flame/diff-tree.ts';
import { changeText, nameOf, placeOf } from '../flame/flame-words.ts';
import { formatShare } from '../format.ts';

const rowsMax = 100;
const kindWords = { new: 'new', gone: 'gone', changed: '' } as const;

/** Functions by how much their own share changed; what two samplings of one program differ by is said to be that. */
export function ProfileChanges({ diff, matches }: { diff: FlameDiff; matches: Uint8Array | null }) {
  const found = matches === null ? null : new Set(diff.tree.frames.filter((_, at) => matches[at] === 1).map(keyOf));
  const rows = diff.functions.filter((change) => found?.has(keyOf(change)) !== false).slice(0, rowsMax);
  return (
    <table class="profile-table">
      <caption class="sr">Functions whose share changed, the largest change first</caption>
      <thead>
        <tr>
          <th scope="col">Function</th>
          <th scope="col" class="num">
            Before
          </th>
          <th scope="col" class="num">
            Now
          </th>
          <th scope="col" class="num">
            Change
          </th>
        </tr>
      </thead>
      <tbody>
        {rows.map((change) => {
          const frame = { ...change, scriptId: '0', column: 0 };
          return (
            <tr key={keyOf(change)}>
              <td>
                <bdi>{nameOf(frame)}</bdi> {kindWords[change.kind] !== '' && <strong>{kindWords[change.kind]}</strong>}
                <span class="place">{placeOf(frame).slice(0, 1_000)}</span>
                {!change.isSignificant && <span class="place">within what two samplings differ by</span>}
              </td>
              <td class="num">{formatShare(change.shareBefore)}</td>
              <td class="num">{formatShare(change.shareAfter)}</td>
              <td class={`num ${change.isSignificant ? (change.change > 0 ? 'bad-text' : '') : 'dim'}`}>
                {changeText(change.change)}
              </td>
            </tr>
          );
        })}
      </tbody>
    </table>
  );
}

function keyOf({ functionName, url, line }: Pick<FunctionChange, 'functionName' | 'url' | 'line'>): string {
  return `${line}\n${url}\n${functionName}`;
}
